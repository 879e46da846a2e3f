"""What the verbs of ``sekisho ledger`` share: which book is meant, and its keys."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.cli.options import json_option, project_option
from sekisho.contract.loader import load_project
from sekisho.contract.project import CONTRACT_NAME
from sekisho.errors import NotFound, WrongUse
from sekisho.ledger.address import checked, is_there
from sekisho.ledger.keys import Keyring, read_keys
from sekisho.ledger.predictions import PredictionBook
from sekisho.serving.contracted import book_of
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.contract.project import Project

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")


def words(en: str, ja: str) -> str:
    """Return a sentence in the language in use."""
    return str(Text(en=en, ja=ja))


def book_options(function: FunctionT) -> FunctionT:
    """Add the options that say which book is meant, and ``--json``."""
    which = words("The book of predictions [default: that of the project]", "予測台帳 [既定値: プロジェクトの台帳]")
    return project_option(click.option("--ledger", metavar="FILE|URL", help=which)(json_option(function)))


def key_option(function: FunctionT) -> FunctionT:
    """Add ``--key-file``."""
    which = words("The keys of the book [default: those of the contract]", "台帳の鍵 [既定値: 契約の指定]")
    return click.option("--key-file", type=click.Path(path_type=Path), metavar="FILE", help=which)(function)


@dataclass(frozen=True, kw_only=True, slots=True)
class Meant:
    """Which book is meant.

    Attributes:
        address: Where it is.
        project: The project that it belongs to, if one was named or is here.

    """

    address: Path | str
    project: Project | None

    def open(self) -> PredictionBook:
        """Open it.

        Raises:
            SekishoError: It is not there, or cannot be opened.

        """
        is_empty = isinstance(self.address, Path) and self.address.is_file() and not self.address.stat().st_size
        if is_empty or not is_there(self.address):
            raise NotFound(
                Text(en="there is no book of predictions", ja="予測台帳がありません"),
                Text(
                    en="name it with --ledger, or the project with -C",
                    ja="--ledger で台帳を、または -C でプロジェクトを指定してください",
                ),
                where=self.address,
            )
        return PredictionBook(self.address)

    def keys(self, path: Path | None) -> Keyring | None:
        """Return the keys in a file, else those of the contract, if it names any."""
        if path is None and self.project is not None and self.project.contract.ledger.key_file is not None:
            path = self.project.path(self.project.contract.ledger.key_file)
        return None if path is None else read_keys(path)


def meant(project: Path, ledger: str | None) -> Meant:
    """Return which book is meant: the one that is named, else that of the project."""
    contract = project if project.is_file() else project / CONTRACT_NAME
    opened = load_project(project) if ledger is None or contract.is_file() else None
    if ledger is not None:
        return Meant(address=checked(ledger), project=opened)
    assert opened is not None
    return Meant(address=book_of(opened), project=opened)


def moment(words_: str | None) -> str | None:
    """Return a moment as the book writes it: RFC 3339, UTC; a day alone is its beginning.

    Raises:
        WrongUse: It is none.

    """
    if words_ is None:
        return None
    try:
        read = dt.datetime.fromisoformat(words_)
    except ValueError:
        raise WrongUse(
            Text(en="this is no moment", ja="日時として読めません"),
            Text(
                en="write it like 2026-11-24 or 2026-11-24T09:00Z",
                ja="2026-11-24 や 2026-11-24T09:00Z のように書いてください",
            ),
        ) from None
    read = read.replace(tzinfo=dt.UTC) if read.tzinfo is None else read.astimezone(dt.UTC)
    return read.isoformat(timespec="milliseconds")[:-6] + "Z"


def now() -> str:
    """Return the moment of now: RFC 3339, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
