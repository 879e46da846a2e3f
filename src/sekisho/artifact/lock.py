"""The lock: every distribution that answering needs, at the version that was here when the model was packed, with its hashes.

It is written by uv and read by pip (``pip install --require-hashes -r requirements.lock``). It names no index: where the files come from is
the business of whoever installs, the hashes say which files they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata as distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact import boosting
from sekisho.artifact.metadata import distributions_of
from sekisho.errors import ArtifactError, IntegrityError, MissingExtra
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME: Final = "requirements.lock"
SECONDS: Final = 120.0

_PIN: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9,._-]+\])?==(?P<version>[A-Za-z0-9.!+_-]+)(?:\s*;\s*(?P<marker>[^\\#]*?))?\s*\\?"
)
_HASH: Final = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})\s*\\?")


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """One distribution of a lock.

    Attributes:
        name: Its normalised name.
        version: Its version.
        hashes: How many files of it the lock accepts.

    """

    name: str
    version: str
    hashes: int


def write_lock(model: object, *, native: bool, seconds: float = SECONDS) -> bytes:
    """Return the lock of what answering with a packed model needs.

    Args:
        model: The fitted model.
        native: Whether it is answered by its own library, not by ONNX Runtime alone.
        seconds: How long uv may take.

    Raises:
        MissingExtra: uv is not installed.
        ArtifactError: uv could not resolve the lock: without a network, or because a version here is on no index.

    """
    return _compiled(needed(model, native=native), _installed(), seconds)


def write_lock_of_extras(extras: Iterable[str], base: bytes, *, seconds: float = SECONDS) -> bytes:
    """Return the lock of what extras of Sekisho need beside another lock, and fits it; empty if that is nothing.

    Args:
        extras: Their names, such as ``jwt``.
        base: The other lock.
        seconds: How long uv may take.

    Raises:
        MissingExtra: uv is not installed.
        ArtifactError: uv could not resolve the lock.

    """
    wanted = sorted({line for extra in extras for line in _requirements_of_extra("sekisho", extra)})
    if not wanted:
        return b""
    held = {pin.name: pin.version for pin in read_lock(base)}
    data = _compiled(wanted, sorted({**dict(_installed()), **held}.items()), seconds)
    return b"".join(f"{lines}\n".encode() for name, lines in _stanzas(data) if name not in held)


def _compiled(wanted: Iterable[str], constraints: Iterable[tuple[str, str]], seconds: float) -> bytes:
    """Return the lock that uv makes of requirements, at the versions that the constraints name."""
    with tempfile.TemporaryDirectory(prefix="sekisho-lock-") as folder:
        stated = Path(folder, "constraints.txt")
        stated.write_text("".join(f"{name}=={version}\n" for name, version in constraints), encoding="utf-8")
        requirements = Path(folder, "requirements.in")
        requirements.write_text("".join(f"{name}\n" for name in wanted), encoding="utf-8")
        command = [
            *(_uv(), "pip", "compile", str(requirements), "--generate-hashes", "--no-header", "--no-annotate"),
            *("--constraint", str(stated), "--python", sys.executable),
            *("--quiet", "--no-progress", "--color", "never"),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, cwd=folder)
        except subprocess.TimeoutExpired:
            raise _unresolved() from None
    if done.returncode != 0:
        raise _unresolved()
    data = done.stdout.encode()
    read_lock(data)
    return data


def _stanzas(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the distributions of a lock by name, each with its lines."""
    for stanza in re.split(r"\n(?=\S)", data.decode().strip()):
        pin = _PIN.fullmatch(stanza.splitlines()[0].strip())
        assert pin is not None
        yield normalised(pin["name"]), stanza


def read_lock(data: bytes, *, where: str = NAME) -> tuple[Pin, ...]:
    """Return the distributions of a lock.

    Raises:
        IntegrityError: A line is anything but an exact version with SHA-256 hashes: an option, an address, a path, an open range.

    """
    return tuple(pin for pin, _ in read_hashes(data, where=where))


def read_hashes(data: bytes, *, where: str = NAME) -> tuple[tuple[Pin, tuple[str, ...]], ...]:
    """Return the distributions of a lock, each with the SHA-256 of every file that the lock accepts, in hexadecimal.

    Raises:
        IntegrityError: As :func:`read_lock` does.

    """
    pins: list[Pin] = []
    hashes: list[list[str]] = []
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise _refused(where, 1) from None
    for number, line in enumerate(lines, start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if (pin := _PIN.fullmatch(words)) is not None:
            _hashed(pins, where, number - 1)
            pins.append(Pin(name=normalised(pin["name"]), version=pin["version"], hashes=0))
            hashes.append([])
        elif pins and (accepted := _HASH.fullmatch(words)) is not None:
            pins[-1] = msgspec.structs.replace(pins[-1], hashes=pins[-1].hashes + 1)
            hashes[-1].append(accepted["digest"])
        else:
            raise _refused(where, number)
    _hashed(pins, where, len(lines))
    return tuple((pin, tuple(accepted)) for pin, accepted in zip(pins, hashes, strict=True))


def needed(model: object, *, native: bool) -> tuple[str, ...]:
    """Return the distributions that answering asks for by itself, sorted: what they need in turn is for uv to find."""
    names = set(_requirements("sekisho"))
    if native:
        names |= {"numpy", "pandas", "scikit-learn", "skops", *_own_distributions(model)}
    return tuple(sorted(names))


def normalised(name: str) -> str:
    """Return the name of a distribution in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(name: str) -> Iterator[str]:
    """Yield what a distribution requires here, without its extras."""
    try:
        lines = distributions.requires(name) or []
    except distributions.PackageNotFoundError:
        lines = []
    for line in lines:
        if "extra ==" in line:
            continue
        yield normalised(re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0])


def _requirements_of_extra(name: str, extra: str) -> Iterator[str]:
    """Yield what one extra of a distribution requires, without the extras that it names in turn."""
    for line in distributions.requires(name) or ():
        stated, _, marker = line.partition(";")
        if marker.strip().replace('"', "'") == f"extra == '{extra}'":
            yield stated.strip()


def _own_distributions(model: object) -> set[str]:
    """Return the distributions whose classes the model is made of, however deep: of a library in several builds, the one that is here."""
    found: set[str] = set()
    for value in boosting.parts(model):
        unit = boosting.library_of(value)
        found.update(distributions_of(type(value).__module__.partition(".")[0] if unit is None else unit.id))
    return {normalised(name) for name in found} - {"sekisho"}


def _installed() -> Iterable[tuple[str, str]]:
    pins: dict[str, str] = {}
    for distribution in distributions.distributions():
        name = distribution.metadata["Name"]
        if name and normalised(name) != "sekisho":
            pins.setdefault(normalised(name), distribution.version)
    return sorted(pins.items())


def _uv() -> str:
    found = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
    if found is None:
        raise MissingExtra("uv", "pack")
    return found


def _hashed(pins: list[Pin], where: str, line: int) -> None:
    if pins and not pins[-1].hashes:
        raise _refused(where, line)


def _refused(where: str, line: int) -> IntegrityError:
    return IntegrityError(
        Text(
            en=f"line {line} is not an exact version with SHA-256 hashes",
            ja=f"{line} 行目が、SHA-256 ハッシュ付きの正確なバージョン指定ではありません",
        ),
        Text(en="pack the artifact again", ja="成果物をパックし直してください"),
        where=where,
    )


def _unresolved() -> ArtifactError:
    return ArtifactError(
        Text(
            en="uv could not lock the versions that are installed here",
            ja="ここにインストールされているバージョンを uv で固定できませんでした",
        ),
        Text(
            en="pack again with the package index in reach",
            ja="パッケージインデックスに接続できる環境で、もう一度パックしてください",
        ),
        where=NAME,
    )
