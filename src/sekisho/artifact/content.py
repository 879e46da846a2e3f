"""What a file really is, told by its first bytes and never by its name; and limits for archives before they are opened."""

from __future__ import annotations

import io
import pickletools
import zipfile
import zlib
from typing import Final, Literal

from sekisho.errors import IntegrityError, UntrustedFormat
from sekisho.text import Text

Content = Literal["pickle", "compressed", "zip", "numpy", "hdf5", "ort", "json", "text", "unknown"]

MOST_ENTRIES: Final = 100_000
MOST_BYTES: Final = 8 * 1024**3
MOST_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 16 * 1024**2
"""Below this size, an archive may be compressed as much as it likes."""

_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError)
"""What reading a damaged archive can raise."""
_ENTRY: Final = b"PK\x01\x02"
"""How an entry of a zip's directory begins."""
_MAGIC: Final[tuple[tuple[bytes, Content], ...]] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "numpy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x1f\x8b", "compressed"),
    (b"BZh", "compressed"),
    (b"\xfd7zXZ\x00", "compressed"),
    (b"]\x00\x00", "compressed"),
    (b"\x04\x22\x4d\x18", "compressed"),
    (b"\x28\xb5\x2f\xfd", "compressed"),
    (b"x\x01", "compressed"),
    (b"x\x5e", "compressed"),
    (b"x\x9c", "compressed"),
    (b"x\xda", "compressed"),
    (b"ZF", "compressed"),
)


def content_of(data: bytes) -> Content:
    """Return what ``data`` is.

    A pickle is told by its opcodes: protocols 2 to 5 begin with a byte that says so, older ones are walked with :mod:`pickletools`,
    which runs nothing.
    """
    for magic, content in _MAGIC:
        if data.startswith(magic):
            return content
    if data[4:8] == b"ORTM":
        return "ort"
    if is_pickle(data):
        return "pickle"
    if data.lstrip()[:1] in {b"{", b"["}:
        return "json"
    try:
        data[:4096].decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return "unknown"
    return "text"


def is_pickle(data: bytes) -> bool:
    """Return whether ``data`` begins as a pickle of any protocol does."""
    if len(data) > 1 and data[0] == 0x80 and 2 <= data[1] <= 10:
        return True
    if data[:1] not in _OLD_PICKLE_STARTS:
        return False
    opcodes = 0
    try:
        for opcode, _, _ in pickletools.genops(io.BytesIO(data[:65_536])):
            opcodes += 1
            if opcode.name in {"STOP", "REDUCE", "GLOBAL", "INST", "BUILD", "OBJ"}:
                return True
            if opcodes > 1_000:
                return True
    except Exception:
        return False
    return False


_OLD_PICKLE_STARTS: Final = frozenset(bytes([byte]) for byte in b"(c]})ilVSIFLNKJMUXGdt")


def refuse_code(data: bytes, *, where: str) -> None:
    """Refuse a pickle, or an archive that holds one, whatever it is named.

    Raises:
        UntrustedFormat: ``data`` is a pickle, a compressed file (which may hold one), or a zip with a pickle inside.

    """
    content = content_of(data)
    if content == "zip":
        with open_archive(data, where=where) as archive:
            for entry in archive.infolist():
                if is_pickle(_beginning(archive, entry, where)):
                    raise a_pickle(f"{where}:{entry.filename}")
    elif content == "pickle":
        raise a_pickle(where)
    elif content == "compressed":
        raise UntrustedFormat(
            Text(
                en="this is a compressed file, which joblib writes pickles into",
                ja="圧縮ファイルです（joblib の pickle の可能性があります）",
            ),
            RESAVE,
            where=where,
        )


RESAVE: Final = Text(
    en="save the model as skops or ONNX (or read it with --trust, if it is your own)",
    ja="モデルを skops か ONNX で保存してください（自分で作った物に限り --trust で読めます）",
)


def a_pickle(where: str) -> UntrustedFormat:
    """Return the error for a pickle: refused because it is one, not because of what is in it."""
    return UntrustedFormat(
        Text(
            en="this is a pickle: reading it runs whatever code it holds",
            ja="pickle です。読み込むだけで中のコードが実行されます",
        ),
        RESAVE,
        where=where,
    )


def open_archive(data: bytes, *, where: str) -> zipfile.ZipFile:
    """Open a zip whose directory stays within the limits; nothing is expanded.

    Raises:
        IntegrityError: It is no zip, is cut off, or its entries are too many, too large, too compressed, encrypted, overlapping,
            linked, or named so that they would leave the folder.

    """
    if data.count(_ENTRY) > MOST_ENTRIES:  # counted before zipfile makes an object of each
        raise _refused(where, _too_many())
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGED:
        raise _refused(where, Text(en="not a whole zip archive", ja="zip として完全ではありません")) from None
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    expanded = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        reason = _too_many()
    elif expanded > MOST_BYTES:
        reason = Text(en=f"expands to {expanded:,} bytes", ja=f"展開すると {expanded:,} バイトになります")
    elif packed > len(data):
        reason = Text(en="its entries overlap", ja="項目どうしが重なっています")
    elif expanded > max(RATIO_FREE_BYTES, MOST_RATIO * len(data)):
        reason = Text(
            en=f"expands {expanded // max(len(data), 1):,} times",
            ja=f"{expanded // max(len(data), 1):,} 倍に膨らみます",
        )
    elif len(set(names)) < len(names):
        reason = Text(en="two entries share a name", ja="項目名が重複しています")
    elif any(_strange(entry) for entry in entries):
        reason = Text(
            en="an entry is encrypted, linked, packed in an unknown way, or leaves the folder",
            ja="暗号化・リンク・未知の圧縮・フォルダー外への項目があります",
        )
    else:
        return archive
    raise _refused(where, reason)


def read_entry(archive: zipfile.ZipFile, name: str, *, where: str) -> bytes:
    """Return one entry, no longer than its directory says.

    Raises:
        IntegrityError: It is not there, damaged, or longer than it says.

    """
    try:
        size = archive.getinfo(name).file_size
        with archive.open(name) as member:
            data = member.read(size + 1)
    except (KeyError, *_DAMAGED):
        raise _refused(where, Text(en=f"{name} is missing or damaged", ja=f"{name} がないか、壊れています")) from None
    if len(data) != size:
        raise _refused(where, Text(en=f"{name} has another size than it says", ja=f"{name} の大きさが記録と違います"))
    return data


def _beginning(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> bytes:
    try:
        with archive.open(entry) as member:
            return member.read(4096)
    except _DAMAGED:
        raise _refused(where, Text(en=f"{entry.filename} is damaged", ja=f"{entry.filename} が壊れています")) from None


def _too_many() -> Text:
    return Text(en=f"more than {MOST_ENTRIES:,} entries", ja=f"項目が {MOST_ENTRIES:,} 個を超えています")


def _strange(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    linked = (entry.external_attr >> 16) & 0o170000 == 0o120000
    leaves = name.startswith(("/", "\\")) or ":" in name or "\\" in name or ".." in name.split("/") or "\x00" in name
    packed = entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    return bool(entry.flag_bits & 0x1) or linked or leaves or packed


def _refused(where: str, what: Text) -> IntegrityError:
    return IntegrityError(what, Text(en="pack the artifact again", ja="成果物をパックし直してください"), where=where)
