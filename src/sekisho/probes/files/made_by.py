"""Which versions of which libraries made a model file, as the file itself tells, without reading it as a model."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Final

from sekisho.probes.files.telling import expanded

MOST_BYTES: Final = 512 * 1024 * 1024
_KEY: Final = rb"_sklearn_version(?:\x94|q.|r.{4}|\np\d+\n)?"
_IN_PICKLE: Final = re.compile(_KEY + rb"(?:\x8c(?P<short>.)|X(?P<long>.{4})|V)(?P<version>\d+(?:\.\w+)+)", re.DOTALL)
_IN_SCHEMA: Final = re.compile(r'"_sklearn_version":\s*\{[^{}]*?"content":\s*"\\"(?P<version>\d+(?:\.\w+)+)\\""')


def versions_inside(path: Path) -> dict[str, str]:
    """Return the versions that a model file tells, by distribution; empty when it tells none.

    scikit-learn writes its version into every estimator, so pickles and skops files hold it.
    """
    if path.stat().st_size > MOST_BYTES:
        return {}
    data = path.read_bytes()
    if data.startswith(b"PK"):
        return _of_schema(data)
    plain = expanded(data)
    found = _IN_PICKLE.search(plain if plain is not None else data)
    if found is None:
        return {}
    # Protocols 1 and later write the length of a string before it, and something else right behind.
    size = int.from_bytes(found["short"] or found["long"] or b"\xff", "little")
    return {"scikit-learn": found["version"][:size].decode()}


def _of_schema(data: bytes) -> dict[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = archive.read("schema.json").decode("utf-8")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, OSError, NotImplementedError):
        return {}
    found = _IN_SCHEMA.search(schema)
    return {"scikit-learn": found["version"]} if found else {}
