"""How a service keeps its book of predictions: what its settings say, made into a recorder for one model of one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.errors import WrongUse
from sekisho.ledger.address import checked
from sekisho.ledger.keys import Keyring, read_keys
from sekisho.ledger.personal import treatment
from sekisho.ledger.predictions import BookModel, PredictionBook
from sekisho.serving.entries import EntryMaker
from sekisho.serving.recorder import Listener, Recorder
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.signature import Signature
    from sekisho.serving.logs import Log
    from sekisho.serving.settings import ServingSettings


def open_recorder(
    settings: ServingSettings,
    signature: Signature,
    *,
    digest: str,
    version: str,
    add: Callable[[str, float], object],
    log: Log,
) -> Recorder | None:
    """Return the recorder of one model; ``None`` if the service keeps no book.

    Args:
        settings: How the service runs.
        signature: What the model takes, and what of it is personal.
        digest: The digest of the artifact.
        version: Its version.
        add: Adds to a counter or a gauge; for any thread.
        log: Where it is said that the book cannot be written.

    Raises:
        SekishoError: The settings do not fit one another or the model.

    """
    if settings.ledger is None:
        return None
    book = PredictionBook(checked(settings.ledger), durable=settings.ledger_durability == "durable", lazy=True)

    return Recorder(
        book,
        BookModel(digest=digest, version=version, names=signature.names),
        maker_of(settings, signature),
        Listener(
            written=lambda rows: add("ml_ledger_written", rows),
            dropped=lambda rows: add("ml_ledger_dropped", rows),
            down=lambda is_down: add("ml_ledger_down", 1.0 if is_down else -1.0),
            complain=lambda why: log.say("error", "predictions cannot be written", why=why),
            mended=lambda: log.say("info", "predictions are written again"),
        ),
        fraction=settings.log_predictions,
        durable=settings.ledger_durability == "durable",
        refuses=settings.ledger_down == "refuse",
    )


def maker_of(settings: ServingSettings, signature: Signature) -> EntryMaker:
    """Return what makes entries as the settings say.

    Raises:
        MissingExtra: The library that encrypts is not installed.
        WrongUse: A key is missing, or the model has no such feature.

    """
    keys = keys_of(settings)
    subject, header = settings.ledger_subject, settings.ledger_subject_header
    if subject is not None and subject not in signature.names:
        raise WrongUse(
            Text(
                en=f"the model has no feature {subject!r} that could say whom a row is about",
                ja=f"モデルに、本人を表す特徴量 {subject!r} はありません",
            ),
            Text(
                en="name one of its features in ledger.subject, or a header in ledger.subject_header",
                ja="ledger.subject にモデルの特徴量を、または ledger.subject_header にヘッダーを指定してください",
            ),
        )
    return EntryMaker(
        signature,
        redacted=settings.redacted,
        treat=treatment(settings.ledger_personal, keys),
        keys=keys,
        subject=subject,
        subject_header=None if header is None else header.lower().encode(),
    )


def keys_of(settings: ServingSettings) -> Keyring | None:
    """Return the keys of the book, if there are any."""
    return None if settings.ledger_key_file is None else read_keys(settings.ledger_key_file)


def check_book(settings: ServingSettings) -> None:
    """See before anybody listens that the book can be opened, and that its keys can be read.

    Raises:
        SekishoError: They cannot.

    """
    if settings.ledger is not None:
        treatment(settings.ledger_personal, keys_of(settings))
        PredictionBook(checked(settings.ledger)).close()
