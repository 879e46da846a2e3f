"""A registry in a folder, on this machine or on a share that several machines mount.

A record appears by :func:`os.link`, which gives a name to exactly one of several writers and to nothing that is half written. Publishers
share a lock (:func:`fcntl.flock`) that garbage collection takes alone; the kernel frees it when its holder dies, and never before.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.artifact.stores.interface import Entry, StoreKind, occupied, read_only, unreadable
from sekisho.errors import IntegrityError, RegistryError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from io import BufferedReader, BufferedWriter

LOCK: Final = "lock"
PARTIAL: Final = "partial"
PATIENCE: Final = 30.0
"""Seconds that a publisher waits for garbage collection, and the other way round."""
_CHUNK: Final = 1024 * 1024
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_NO_LOCKS: Final = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR}


class FolderStore:
    """A store in the folder ``root``, which is made when something is first written."""

    def __init__(self, root: Path, *, patience: float = PATIENCE) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - a link to the folder stays a link
        self._patience = patience

    @property
    def location(self) -> str:
        """The path of the folder."""
        return str(self._root)

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """Return a record."""
        stream = self._opened(key)
        if stream is None:
            return None
        with stream:
            data = stream.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise self._strange(key)
        return data

    def create(self, key: str, data: bytes) -> bool:
        """Write a record unless there is one."""
        with self._writing():
            partial = self._partial(data)
            try:
                return self._link(partial, self._root / key)
            finally:
                partial.unlink(missing_ok=True)

    def put(self, key: str, data: bytes) -> None:
        """Write a record, in the place of one that is there."""
        with self._writing():
            partial = self._partial(data, durable=False)
            try:
                (self._root / key).parent.mkdir(parents=True, exist_ok=True)
                partial.replace(self._root / key)
            finally:
                partial.unlink(missing_ok=True)

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        """Yield what lies below ``prefix``, in order."""
        now = time.time()
        try:
            for key in self._keys(prefix, after):
                try:
                    found = (self._root / key).lstat()
                except FileNotFoundError:  # removed since the folder was listed
                    continue
                yield Entry(key=key, size=found.st_size, age=now - found.st_mtime)
        except OSError as error:
            raise unreadable(self.location, _reason(error)) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the folders right below ``prefix``."""
        try:
            with os.scandir(self._root / prefix) as found:
                yield from sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(self.location, _reason(error)) from error

    def size(self, key: str) -> int | None:
        """Return the size of a plain file."""
        try:
            found = (self._root / key).lstat()
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise unreadable(self.location, _reason(error)) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def keep(self, key: str, source: Path, digest: str) -> None:
        """Copy a file to the key of its digest."""
        if self._holds(key, digest):
            return
        with self._writing():
            partial = self._fresh()
            try:
                found = self._copy(source, partial)
                if found != digest:
                    raise IntegrityError(
                        Text(en="changed while it was published", ja="登録中に内容が変わりました"),
                        Text(en="leave it alone, and publish again", ja="変更を止めてから登録し直してください"),
                        where=source,
                    )
                self._rename(partial, self._root / key)
            finally:
                partial.unlink(missing_ok=True)

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Return the bytes of content in pieces."""
        stream = self._opened(key)
        return None if stream is None else self._pieces(stream)

    def remove(self, keys: Collection[str]) -> None:
        """Remove files."""
        with self._writing():
            for key in keys:
                (self._root / key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def publishing(self, keys: Collection[str]) -> Iterator[None]:  # noqa: ARG002 - whoever holds the lock is safe with any key
        """Hold the lock together with other publishers."""
        with self._lock(fcntl.LOCK_SH, needed=False):
            yield

    @contextlib.contextmanager
    def collecting(self) -> Iterator[Callable[[], None]]:
        """Hold the lock alone."""
        with self._lock(fcntl.LOCK_EX, needed=True):
            yield lambda: None

    def under_way(self) -> frozenset[str]:
        """Return nothing: publishers are kept away by the lock."""
        return frozenset()

    def leftovers(self) -> Iterator[Entry]:
        """Yield temporary files."""
        return self.entries(f"{PARTIAL}/")

    # Reading

    def _opened(self, key: str) -> BufferedReader | None:
        """Open a plain file and nothing else: no link is followed, no pipe waited for."""
        try:
            descriptor = os.open(self._root / key, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            if error.errno in {errno.ELOOP, errno.EMLINK}:
                raise self._strange(key) from None
            raise unreadable(self.location, _reason(error)) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._strange(key)
        return os.fdopen(descriptor, "rb")

    def _pieces(self, stream: BufferedReader) -> Iterator[bytes]:
        with stream:
            try:
                while chunk := stream.read(_CHUNK):
                    yield chunk
            except OSError as error:
                raise unreadable(self.location, _reason(error)) from error

    def _keys(self, prefix: str, after: str) -> Iterator[str]:
        top = str(self._root / prefix)
        for folder, folders, names in os.walk(top):
            folders.sort()
            here = prefix + folder[len(top) + 1 :] + "/" if folder != top else prefix
            yield from (key for name in sorted(names) if (key := here + name) > after)

    def _holds(self, key: str, digest: str) -> bool:
        """Return whether the content is there and whole; it counts as new from now on."""
        stream = self._opened(key)
        if stream is None:
            return False
        with stream:
            whole = hashlib.file_digest(stream, "sha256").hexdigest() == digest
        if whole:
            with contextlib.suppress(OSError):
                os.utime(self._root / key)
        return whole

    # Writing

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise read_only(self.location, _reason(error)) from error

    def _fresh(self) -> Path:
        folder = self._root / PARTIAL
        folder.mkdir(parents=True, exist_ok=True)
        return folder / secrets.token_hex(16)

    def _partial(self, data: bytes, *, durable: bool = True) -> Path:
        """Return a temporary file with ``data``; a durable one is on disk."""
        path = self._fresh()
        try:
            with path.open("xb") as stream:
                stream.write(data)
                if durable:
                    _settle(stream)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _copy(self, source: Path, partial: Path) -> str:
        """Copy a plain file, and return the digest of the very bytes that were written."""
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "rb") as read, partial.open("xb") as written:
            while chunk := read.read(_CHUNK):
                digest.update(chunk)
                written.write(chunk)
            _settle(written)
        return digest.hexdigest()

    def _link(self, partial: Path, path: Path) -> bool:
        """Give ``partial`` a second name, if nobody has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._claim(partial, path)
        _synchronise(path.parent)
        return True

    def _claim(self, partial: Path, path: Path) -> bool:
        """Do the same on a file system without hard links, one writer at a time."""
        with (self._root / f"{LOCK}.names").open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if path.exists():
                return False
            self._rename(partial, path)
        return True

    def _rename(self, partial: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(path)
        _synchronise(path.parent)

    @contextlib.contextmanager
    def _lock(self, kind: int, *, needed: bool) -> Iterator[None]:
        with self._writing():
            self._root.mkdir(parents=True, exist_ok=True)
            stream = (self._root / LOCK).open("ab")
        with stream:
            ends = time.monotonic() + self._patience
            while True:
                try:
                    fcntl.flock(stream, kind | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends:
                        raise occupied(self.location) from None
                    time.sleep(0.02)
                except OSError as error:
                    if needed or error.errno not in _NO_LOCKS:
                        raise read_only(self.location, _reason(error)) from error
                    break
            yield

    def _strange(self, key: str) -> RegistryError:
        return unreadable(str(self._root / key), "not a plain file of the expected size")


def _settle(stream: BufferedWriter) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _takes(address: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", address) is None


KIND: Final = StoreKind(
    id="folder",
    title=Text(en="A folder", ja="フォルダー"),
    takes=_takes,
    open=lambda address, _endpoint: FolderStore(Path(address)),
)
