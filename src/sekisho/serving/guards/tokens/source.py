"""Where the keys for tokens come from: a file that is read again when it changes, or the address of the identity provider.

An address is asked in a thread, never while a request waits, and never one that a token names. It is asked every few minutes, and once when
a token names a key that is not there (the provider may have changed its keys), but for such tokens at most once a minute: anybody can make
them. Whatever goes wrong, the last good keys stay.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import NotFound, SekishoError
from sekisho.serving.guards.tokens.keys import MOST_BYTES, KeySet, read_key_set, require_library
from sekisho.serving.settings import is_address
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVERY_SECONDS: Final = 300.0
"""How often an address is asked."""
UNKNOWN_SECONDS: Final = 60.0
"""How often it is asked because of a token at most."""
AGAIN_SECONDS: Final = 5.0
"""How soon it is asked again as long as there are no keys at all."""
TIMEOUT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 15.0
"""How long an answer may take from its first byte to its last."""
_CHUNK: Final = 16 * 1024


class KeySource:
    """The keys of one provider, always the last good ones.

    Args:
        location: The path of a file, or an address that begins with ``https://`` (or ``http://``, on this machine).
        algorithms: Those that tokens may use.
        clock: Tells seconds, for the pace of asking.

    Attributes:
        keys: What is known; ``None`` as long as nothing is.
        epoch: Counts how often they have changed.

    Raises:
        NotFound: There is no such file.
        WrongUse: It is of no use.
        MissingExtra: PyJWT or cryptography is not installed.

    """

    def __init__(self, location: str, algorithms: Sequence[str], *, clock: Callable[[], float] = monotonic) -> None:
        require_library()
        self._location = location
        self._algorithms = algorithms
        self._clock = clock
        self._path = None if is_address(location) else Path(location)
        self.keys: KeySet | None = None
        self.epoch = 0
        self._data: bytes | None = None
        self._state: tuple[int, int, int] | None = None
        self._due = clock()
        self._wanted = False
        self._asked_for_unknown = float("-inf")
        self._thread: threading.Thread | None = None
        self._fetched: bytes | Exception | None = None
        if self._path is not None:
            self._state = _state(self._path)
            self._take(_read(self._path))

    def miss(self) -> None:
        """Note that a token names a key that is not there."""
        self._wanted = True

    def refresh(self) -> bool:
        """Take new keys if there are any, and ask for them if it is time; to be called now and then. Return whether they have changed.

        Raises:
            SekishoError: What is new is of no use. The keys stay as they were.
            OSError: The address does not answer.
            HTTPException: It does not speak HTTP.

        """
        if self._path is not None:
            return self._refresh_file(self._path)
        fetched, self._fetched = self._fetched, None
        self._ask_if_due()
        if isinstance(fetched, Exception):
            raise fetched
        return fetched is not None and self._take(fetched)

    def _refresh_file(self, path: Path) -> bool:
        state = _state(path)
        if state == self._state:
            return False
        self._state = state
        return self._take(_read(path))

    def _ask_if_due(self) -> None:
        now = self._clock()
        if self._thread is not None and self._thread.is_alive():
            return
        wanted = self._wanted and now >= self._asked_for_unknown + UNKNOWN_SECONDS
        self._wanted = False
        if not wanted and now < self._due:
            return
        if wanted:
            self._asked_for_unknown = now
        self._due = now + (AGAIN_SECONDS if self.keys is None else EVERY_SECONDS)
        self._thread = threading.Thread(target=self._ask, name="token keys", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            data = fetch(self._location)
            read_key_set(data, self._algorithms)  # the work is done here, and not where requests wait
        except (SekishoError, OSError, HTTPException, ValueError) as error:
            self._fetched = error
        else:
            self._fetched = data

    def _take(self, data: bytes) -> bool:
        if data == self._data:
            return False
        self.keys = read_key_set(data, self._algorithms)
        self._data = data
        self._due = max(self._due, self._clock() + EVERY_SECONDS)
        self.epoch += 1
        return True


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """The keys are where they were said to be, or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nobody."""


def fetch(address: str) -> bytes:
    """Return what is at ``address``.

    Raises:
        OSError: It does not answer in time, or not with success.
        HTTPException: It does not speak HTTP.

    """
    # Plain HTTP is for this machine alone, and does not go through a proxy.
    direct = [urllib.request.ProxyHandler({})] if address.lower().startswith("http://") else []
    opener = urllib.request.build_opener(_NoDetours, *direct)
    asked = urllib.request.Request(address, headers={"Accept": "application/json", "User-Agent": "sekisho"})  # noqa: S310
    ends = monotonic() + WHOLE_SECONDS
    data = b""
    try:
        answer = opener.open(asked, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError("not answered with success") from None
    with answer:
        while piece := answer.read1(_CHUNK):
            data += piece
            if len(data) > MOST_BYTES or monotonic() > ends:
                raise OSError("too much, or too slow")
    return data


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError:
        raise NotFound(
            Text(en="the keys for tokens cannot be read", ja="トークンの検証鍵を読み取れません"),
            Text(
                en="give a JWK set: a file, or the jwks_uri of the identity provider",
                ja="JWK セットのファイル、または ID プロバイダーの jwks_uri を指定してください",
            ),
            where=path,
        ) from None
