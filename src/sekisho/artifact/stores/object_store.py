"""A registry in a bucket of S3, or of anything that speaks it with conditional writes.

A record appears by ``PutObject`` with ``If-None-Match: *``, which S3 gives to exactly one of several writers. There are no locks to take, so
publishers and garbage collection tell each other what they do by small objects: a publisher first writes which content it needs and then looks
for a collector; a collector first writes that it works and then looks for publishers. Whichever comes second sees the first, because S3 is
strongly consistent.

Only the endpoint that the caller names, or AWS itself, is ever spoken to; no address is taken from the registry's own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import hashlib
import importlib
import ipaddress
import re
import secrets
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from sekisho.artifact.stores.interface import Entry, StoreKind, occupied, read_only, unreadable
from sekisho.errors import IntegrityError, MissingExtra, RegistryError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

LEASES: Final = "under-way/"
COLLECTOR: Final = "collector"
LEASE_SECONDS: Final = 3_600.0
"""How long a publisher that says nothing more is taken to be alive; nobody waits for it."""
COLLECTOR_SECONDS: Final = 60.0
"""How long a collector that says nothing more is taken to be alive; publishers wait for it."""
PATIENCE: Final = 30.0
_CHUNK: Final = 1024 * 1024
_MOST_KEYS: Final = 1_000
"""As many keys as one request can remove."""
_BUCKET: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?")
_TAKEN: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT: Final = {"NoSuchKey", "404", "NotFound"}


class ObjectStore:
    """A store in a bucket.

    Args:
        client: An S3 client.
        bucket: The bucket; it must exist.
        prefix: What all keys begin with: empty, or ending with ``/``.

    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, patience: float = PATIENCE) -> None:
        self._client = client
        self._bucket, self._prefix = bucket, prefix
        self._patience = patience

    @property
    def location(self) -> str:
        """The address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """Return a record."""
        with self._reading():
            answer = self._get(key)
            if answer is None:
                return None
            with contextlib.closing(answer["Body"]) as body:
                data: bytes = body.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise unreadable(f"{self.location}/{key}", f"larger than {most_bytes:,} bytes")
        return data

    def create(self, key: str, data: bytes) -> bool:
        """Write a record unless there is one."""
        with self._writing():
            try:
                self._put(key, data, IfNoneMatch="*")
            except _library("botocore.exceptions").ClientError as error:
                if _code(error) not in _TAKEN:
                    raise
                # A request whose answer was lost is sent again by the library, and then finds our own record.
                return self.size(key) == len(data) and self.read(key, most_bytes=len(data)) == data
        return True

    def put(self, key: str, data: bytes) -> None:
        """Write a record, in the place of one that is there."""
        with self._writing():
            self._put(key, data)

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        """Yield what lies below ``prefix``, in order."""
        start = {"StartAfter": self._prefix + after} if after else {}
        for page in self._pages(prefix, **start):
            now = _now(page)
            for each in page.get("Contents", ()):
                key = str(each["Key"]).removeprefix(self._prefix)
                yield Entry(key=key, size=int(each["Size"]), age=(now - each["LastModified"]).total_seconds())

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the folders right below ``prefix``."""
        for page in self._pages(prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                yield str(each["Prefix"]).removeprefix(self._prefix + prefix).rstrip("/")

    def size(self, key: str) -> int | None:
        """Return the size of an object."""
        with self._reading():
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except _library("botocore.exceptions").ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        return int(answer["ContentLength"])

    def keep(self, key: str, source: Path, digest: str) -> None:
        """Copy a file to the key of its digest: what is sent is what was digested."""
        if self.size(key) == source.stat().st_size and self._digest(key) == digest:
            return
        with tempfile.TemporaryDirectory(prefix="sekisho-") as folder, self._writing():
            copy = Path(folder, "content")
            found = hashlib.sha256()
            with source.open("rb") as read, copy.open("xb") as written:
                while chunk := read.read(_CHUNK):
                    found.update(chunk)
                    written.write(chunk)
            if found.hexdigest() != digest:
                raise IntegrityError(
                    Text(en="changed while it was published", ja="登録中に内容が変わりました"),
                    Text(en="leave it alone, and publish again", ja="変更を止めてから登録し直してください"),
                    where=source,
                )
            self._client.upload_file(str(copy), self._bucket, self._prefix + key)

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Return the bytes of content in pieces."""
        with self._reading():
            answer = self._get(key)
        return None if answer is None else self._pieces(answer["Body"])

    def remove(self, keys: Collection[str]) -> None:
        """Remove objects."""
        listed = sorted(keys)
        with self._writing():
            for start in range(0, len(listed), _MOST_KEYS):
                objects = [{"Key": self._prefix + key} for key in listed[start : start + _MOST_KEYS]]
                self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})

    @contextlib.contextmanager
    def publishing(self, keys: Collection[str]) -> Iterator[None]:
        """Say which content is needed, then wait until no collector works."""
        lease = f"{LEASES}{secrets.token_hex(16)}"
        self.put(lease, msgspec.json.encode(sorted(keys)))
        try:
            self._wait(self._collector_works)
            yield
        finally:
            with contextlib.suppress(RegistryError):  # a lease that stays is forgotten in an hour
                self.remove([lease])

    @contextlib.contextmanager
    def collecting(self) -> Iterator[Callable[[], None]]:
        """Say that a collector works, unless another does."""
        token = secrets.token_hex(16).encode()
        self._wait(self._collector_works)
        if not self.create(COLLECTOR, token):
            self.remove([COLLECTOR])  # it is dead: it has said nothing for a minute
            if not self.create(COLLECTOR, token):
                raise occupied(self.location)

        def still() -> None:
            if self.read(COLLECTOR, most_bytes=100) != token:
                raise occupied(self.location)
            self.put(COLLECTOR, token)

        try:
            yield still
        finally:
            with contextlib.suppress(RegistryError):
                if self.read(COLLECTOR, most_bytes=100) == token:
                    self.remove([COLLECTOR])

    def under_way(self) -> frozenset[str]:
        """Return the content that live publishers have said they need."""
        needed: set[str] = set()
        for entry in self.entries(LEASES):
            if entry.age < LEASE_SECONDS:
                data = self.read(entry.key, most_bytes=_CHUNK)
                if data is not None:
                    needed.update(msgspec.json.decode(data, type=list[str]))
        return frozenset(needed)

    def leftovers(self) -> Iterator[Entry]:
        """Yield the leases of publishers that died; parts of uploads that never ended are for the bucket's own lifecycle rule."""
        return (entry for entry in self.entries(LEASES) if entry.age >= LEASE_SECONDS)

    # Requests

    def _get(self, key: str) -> Any:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
        except _library("botocore.exceptions").ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise

    def _put(self, key: str, data: bytes, **conditions: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, **conditions)

    def _pages(self, prefix: str, **more: str) -> Iterator[Any]:
        with self._reading():
            pages = self._client.get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, **more)

    def _pieces(self, body: Any) -> Iterator[bytes]:
        with self._reading(), contextlib.closing(body):
            yield from body.iter_chunks(_CHUNK)

    def _digest(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(key) or ():
            digest.update(chunk)
        return digest.hexdigest()

    # Who else works there

    def _collector_works(self) -> bool:
        found = next((entry for entry in self.entries(COLLECTOR) if entry.key == COLLECTOR), None)
        return found is not None and found.age < COLLECTOR_SECONDS

    def _wait(self, works: Callable[[], bool]) -> None:
        ends = time.monotonic() + self._patience
        while works():
            if time.monotonic() > ends:
                raise occupied(self.location)
            time.sleep(0.2)

    # Errors

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._mended(unreadable):
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._mended(read_only):
            yield

    @contextlib.contextmanager
    def _mended(self, make: Callable[[str, str], RegistryError]) -> Iterator[None]:
        exceptions = _library("botocore.exceptions")
        failed = _library("boto3.exceptions").S3UploadFailedError
        try:
            yield
        except exceptions.ClientError as error:
            raise make(self.location, _said(error)) from error
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
            raise make(self.location, "no credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID") from error
        except (exceptions.BotoCoreError, exceptions.HTTPClientError, failed) as error:
            raise make(self.location, _said(error)) from error


def open_store(address: str, endpoint: str | None = None) -> ObjectStore:
    """Return the store at ``s3://bucket/prefix``.

    Args:
        address: The bucket, and what all keys begin with.
        endpoint: Where to speak to instead of AWS.

    Raises:
        WrongUse: The address is none, or the endpoint leads to where no store can be.
        MissingExtra: The AWS library is not installed.

    """
    found = _BUCKET.fullmatch(address)
    if found is None or _is_address(found[1]) or ".." in found[1]:
        raise WrongUse(
            Text(en="this is not the address of a bucket", ja="バケットのアドレスではありません"),
            Text(en="write s3://bucket/prefix", ja="s3://バケット名/接頭辞 の形で指定してください"),
            where=address[:200],
        )
    if endpoint is not None:
        check_endpoint(endpoint)
    settings = _library("botocore.config").Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"max_attempts": 5, "mode": "standard"},
        # Content is known by its own digest; servers other than AWS know these checksums only in part.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else {},
    )
    session = _library("boto3").session.Session()
    region = session.region_name or "us-east-1"
    client = session.client("s3", region_name=region, endpoint_url=endpoint, config=settings)
    prefix = (found[2] or "").strip("/")
    return ObjectStore(client, found[1], f"{prefix}/" if prefix else "")


def check_endpoint(endpoint: str) -> None:
    """Refuse what no object store listens on, before anything is sent: other schemes, and the addresses where clouds keep secrets.

    Raises:
        WrongUse: It is one of those.

    """
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        fits = parts.scheme in {"http", "https"} and host != "" and parts.username is None and parts.port != 0
    except ValueError:
        fits, host = False, ""
    address = _address_of(host)
    if not fits or (address is not None and (address.is_link_local or address.is_multicast or address.is_unspecified)):
        raise WrongUse(
            Text(en="no object store can be asked at this endpoint", ja="このエンドポイントには接続しません"),
            Text(
                en="give the http:// or https:// address of your S3 server",
                ja="S3 サーバーの http:// または https:// のアドレスを指定してください",
            ),
            where=endpoint[:200],
        )


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that ``host`` writes in any of the ways that resolvers take (2852039166, 0xa9fea9fe, ::ffff:a9fe:a9fe)."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return mapped if mapped is not None else found
    with contextlib.suppress(OSError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def _is_address(bucket: str) -> bool:
    return _address_of(bucket) is not None


def _now(page: Any) -> dt.datetime:
    """Return the time by the server's clock, so that ages do not depend on ours."""
    said = page["ResponseMetadata"]["HTTPHeaders"].get("date")
    return email.utils.parsedate_to_datetime(said) if said else dt.datetime.now(dt.UTC)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _said(error: Any) -> str:
    """Return what went wrong in a few words; the text of an error is not shown, it may hold more than it should."""
    response = getattr(error, "response", None)
    return _code(error) if isinstance(response, dict) else type(error).__name__


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtra("boto3", "s3") from error


KIND: Final = StoreKind(
    id="object-store",
    title=Text(en="A bucket of S3, or of a server that speaks it", ja="S3 互換のオブジェクトストレージ"),
    takes=lambda address: address.startswith("s3://"),
    open=open_store,
)
