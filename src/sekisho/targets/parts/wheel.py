"""A wheel of the Sekisho that is running, to be installed into an image.

Made of the files that are running, not built again: no build tool, no network, and the same bytes whenever the files are the
same. Format: *Binary distribution format*, https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sekisho
from sekisho.errors import TargetError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_METADATA: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel and its digest.

    Attributes:
        name: Its file name, which installers read.
        content: Its bytes.

    """

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@cache
def running_wheel() -> Wheel:
    """Return a wheel of the package that is running, whether it is installed or run from its source.

    Raises:
        TargetError: It is not installed as a distribution, so nothing says what it depends on.

    """
    try:
        installed = distribution("sekisho")
    except PackageNotFoundError as error:
        raise TargetError(
            Text(
                en="this Sekisho is not installed, so its dependencies are not known",
                ja="この Sekisho はインストールされておらず、依存関係がわかりません",
            ),
            Text(en="install it: pip install -e .", ja="インストールしてください: pip install -e ."),
        ) from error
    stem = f"sekisho-{installed.version}"
    members = [*_package_files(), *_metadata_files(installed, f"{stem}.dist-info")]
    record = f"{stem}.dist-info/RECORD"
    members.append((record, _record(members, record)))
    return Wheel(name=f"{stem}-py3-none-any.whl", content=_zipped(members))


def _package_files() -> Iterator[tuple[str, bytes]]:
    (root,) = (Path(place) for place in sekisho.__path__)
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield f"sekisho/{inside.as_posix()}", path.read_bytes()


def _metadata_files(installed: Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    for name in _METADATA:
        content = installed.read_text(name)
        if content is None:
            raise TargetError(
                Text(en=f"{name} of the installed Sekisho is missing", ja=f"Sekisho の {name} がありません"),
                Text(en="install it again", ja="インストールし直してください"),
            )
        yield f"{folder}/{name}", content.encode()
    yield f"{folder}/WHEEL", b"Wheel-Version: 1.0\nGenerator: sekisho\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def _record(members: list[tuple[str, bytes]], own_name: str) -> bytes:
    lines = [f"{name},sha256={_url_digest(content)},{len(content)}" for name, content in members]
    return "\n".join([*lines, f"{own_name},,", ""]).encode()


def _url_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
