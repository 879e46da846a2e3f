"""What one file is, told by its content; its name only says what was promised."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact.content import is_pickle, open_archive
from sekisho.artifact.formats.skops import untrusted_types
from sekisho.artifact.protobuf import has_external_data, is_onnx
from sekisho.errors import SekishoError
from sekisho.probes.files.pickles import PickleListing, acts, list_pickle
from sekisho.probes.files.structures import (
    NotWhole,
    array_holds_objects,
    check_safetensors,
    check_ubjson,
    is_safetensors,
)

ACCEPTED: Final = frozenset(
    {"ONNX", "skops", "safetensors", "XGBoost JSON", "XGBoost UBJSON", "LightGBM text", "NumPy arrays", "CatBoost"}
)
"""The formats that hold a model and run no code when they are read."""
DEEPEST: Final = 3
"""How many archives inside one another are opened."""
MOST_EXPANDED: Final = 256 * 1024 * 1024
MOST_MEMBERS: Final = 2_000

PROMISES: Final = {
    ".onnx": {"ONNX"},
    ".skops": {"skops"},
    ".safetensors": {"safetensors"},
    ".ubj": {"XGBoost UBJSON"},
    ".npz": {"NumPy arrays"},
    ".npy": {"NumPy arrays"},
    ".cbm": {"CatBoost"},
    ".json": {"JSON", "XGBoost JSON"},
    ".h5": {"HDF5"},
    ".hdf5": {"HDF5"},
    ".txt": {"text", "LightGBM text", "empty"},
    ".md": {"text", "empty"},
    ".yaml": {"text", "empty"},
    ".yml": {"text", "empty"},
    ".toml": {"text", "empty"},
    ".csv": {"text", "empty"},
    ".lock": {"text", "JSON", "empty"},
    ".py": {"text", "empty"},
    ".lgb": {"LightGBM text"},
}
"""What a name promises, by its ending; other endings promise nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one file is.

    Attributes:
        content: Its format, such as ``ONNX``, ``pickle`` or ``text``.
        runs_code: Whether reading it as its format asks for runs code that it holds.
        whole: Whether it is complete; ``None`` where its structure does not tell.
        pickles: The listings of the pickles in it, by where they stand.
        strange_types: Types in a skops file that nobody trusts.
        notes: What else was seen, as a code: ``external-data``, ``external-data-missing``, ``external-data-outside``,
            ``cannot-look-inside``, ``git-lfs-pointer``, ``web-page``.

    """

    content: str
    runs_code: bool = False
    whole: bool | None = None
    pickles: dict[str, PickleListing] = field(default_factory=dict)
    strange_types: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def promised(name: str) -> frozenset[str] | None:
    """Return the formats that a file's name promises; ``None`` when it promises nothing."""
    found = PROMISES.get(Path(name).suffix.lower())
    return None if found is None else frozenset(found)


def tell(data: bytes, *, folder: Path | None = None, depth: int = 0) -> Look:
    """Return what ``data`` is.

    Args:
        data: The whole file.
        folder: Where it lies, if data outside it may be looked for.
        depth: How many archives it stands inside.

    """
    if not data:
        return Look(content="empty", whole=None)
    for told in (_magic, _archive, _pickle, _graph, _words):
        found = told(data, folder, depth)
        if found is not None:
            return found
    return Look(content="unknown")


def _magic(data: bytes, folder: Path | None, depth: int) -> Look | None:  # noqa: ARG001
    if data.startswith(b"\x93NUMPY"):
        try:
            objects = array_holds_objects(data)
        except NotWhole:
            return Look(content="NumPy arrays", whole=False)
        return Look(content="NumPy arrays", runs_code=objects, whole=None if objects else True)
    if data.startswith(b"\x89HDF\r\n\x1a\n"):
        return Look(content="HDF5")
    if data.startswith(b"CBM1") and len(data) >= 8:
        return Look(content="CatBoost", whole=len(data) >= 8 + int.from_bytes(data[4:8], "little"))
    if is_safetensors(data):
        return Look(content="safetensors", whole=_holds(check_safetensors, data))
    if data[:2] == b"{L" and b"learner" in data[:64]:
        return Look(content="XGBoost UBJSON", whole=_holds(check_ubjson, data))
    return None


def _holds(check: Callable[[bytes], None], data: bytes) -> bool:
    try:
        check(data)
    except NotWhole:
        return False
    return True


# Archives and compressed files


def _archive(data: bytes, folder: Path | None, depth: int) -> Look | None:  # noqa: ARG001
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(data, depth)
    if data[257:262] == b"ustar":
        return _members("tar archive", _tar(data), depth)
    if data.startswith(b"ZF"):  # joblib before 0.10
        return Look(content="compressed pickle", runs_code=True)
    if data.startswith((b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")):
        return Look(content="compressed file", runs_code=True, notes=("cannot-look-inside",))
    content = expanded(data)
    if content is None:
        return None
    inner = tell(content, depth=depth + 1) if depth < DEEPEST else Look(content="compressed file", runs_code=True)
    kind = "compressed pickle" if inner.content == "pickle" else f"compressed {inner.content}"
    return replace(inner, content=kind, whole=None)


def expanded(data: bytes) -> bytes | None:
    """Return the content of a compressed file, as far as it goes; ``None`` when it is none."""
    if data.startswith(b"\x1f\x8b"):
        return _inflate(data, 31)
    if data[:1] == b"x" and data[1:2] in {b"\x01", b"\x5e", b"\x9c", b"\xda"}:
        return _inflate(data, 15)
    try:
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, MOST_EXPANDED)
        if data.startswith((b"\xfd7zXZ\x00", b"]\x00\x00")):
            return lzma.LZMADecompressor().decompress(data, MOST_EXPANDED)
    except (OSError, lzma.LZMAError, EOFError):
        return b""
    return None


def _inflate(data: bytes, window: int) -> bytes:
    try:
        return zlib.decompressobj(window).decompress(data, MOST_EXPANDED)
    except zlib.error:
        return b""


def _zip(data: bytes, depth: int) -> Look:
    try:
        with open_archive(data, where="archive") as archive:
            names = set(archive.namelist())
            damaged = archive.testzip() is not None
            if "schema.json" in names and not damaged:
                return _skops(data)
            if any(name.endswith("data.pkl") for name in names):
                kind = "PyTorch archive"
            elif names and all(name.endswith(".npy") for name in names):
                kind = "NumPy arrays"
            elif {"config.json", "metadata.json"} <= names:
                kind = "Keras archive"
            else:
                kind = "zip archive"
            look = _members(kind, _entries(archive), depth)
    except (SekishoError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        return Look(content="zip archive", whole=False)
    return replace(look, whole=not damaged)


def _skops(data: bytes) -> Look:
    try:
        strange = untrusted_types(data, where="model.skops")
    except SekishoError:
        return Look(content="skops", whole=False)
    return Look(content="skops", whole=True, runs_code=bool(strange), strange_types=strange)


def _members(kind: str, members: Iterator[tuple[str, bytes]], depth: int) -> Look:
    """Return what an archive is by what its members are."""
    pickles: dict[str, PickleListing] = {}
    runs_code, whole = False, True
    try:
        for name, content in members:
            inner = tell(content, depth=depth + 1) if depth < DEEPEST else Look(content="unknown", runs_code=True)
            runs_code |= inner.runs_code
            pickles |= {f"{name}!{place}" if place else name: listing for place, listing in inner.pickles.items()}
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        whole = False
    return Look(content=kind, runs_code=runs_code, whole=whole, pickles=pickles)


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    total = 0
    for entry in archive.infolist()[:MOST_MEMBERS]:
        with archive.open(entry) as member:
            content = member.read(MOST_EXPANDED - total)
        total += len(content)
        yield entry.filename, content


def _tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry, _ in zip(archive, range(MOST_MEMBERS), strict=False):
            member = archive.extractfile(entry)
            if member is not None:
                yield entry.name, member.read(MOST_EXPANDED)


# Pickles, graphs, words


def _pickle(data: bytes, folder: Path | None, depth: int) -> Look | None:  # noqa: ARG001
    if not is_pickle(data):
        return None
    if data[:1] != b"\x80" and not acts(data):
        return None
    return Look(content="pickle", runs_code=True, whole=None, pickles={"": list_pickle(data)})


def _graph(data: bytes, folder: Path | None, depth: int) -> Look | None:  # noqa: ARG001
    if not is_onnx(data):
        return None
    try:
        outside = has_external_data(data)
    except ValueError:
        return Look(content="ONNX", whole=False)
    if not outside:
        return Look(content="ONNX", whole=True)
    return Look(content="ONNX", whole=True, notes=("external-data", *_outside(data, folder)))


def _outside(data: bytes, folder: Path | None) -> Iterator[str]:
    """Yield what is wrong with the files that a graph keeps its tensors in."""
    import onnx

    places = {
        entry.value
        for tensor in onnx.load_model_from_string(data).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for place in sorted(places):
        path = Path(place)
        if path.is_absolute() or ".." in path.parts:
            yield "external-data-outside"
        elif folder is not None and not (folder / path).is_file():
            yield "external-data-missing"


def _words(data: bytes, folder: Path | None, depth: int) -> Look | None:  # noqa: ARG001
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\x00" in text:
        return None
    if text.startswith("version https://git-lfs.github.com/"):
        return Look(content="text", whole=False, notes=("git-lfs-pointer",))
    if text.lstrip()[:15].lower().startswith(("<!doctype html", "<html")):
        return Look(content="text", notes=("web-page",))
    if text.startswith("tree\n") and "version=" in text[:200]:
        whole = "end of trees" in text and "end of parameters" in text and text.endswith("\n")
        return Look(content="LightGBM text", whole=whole)
    if text.lstrip()[:1] in {"{", "["}:
        return _json(data)
    return Look(content="text")


def _json(data: bytes) -> Look:
    model = b'"learner"' in data[:4_096]
    content = "XGBoost JSON" if model else "JSON"
    try:
        msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Look(content=content, whole=False)
    return Look(content=content, whole=True)
