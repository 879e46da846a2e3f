"""skops: scikit-learn's estimators as JSON and arrays. Only types on a list are rebuilt; nothing else in the file is ever run."""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact import boosting
from sekisho.artifact.content import open_archive, read_entry, refuse_code
from sekisho.artifact.conversion.compiler import compile_sklearn
from sekisho.artifact.formats.interface import Format, Graph
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.trees import check_trees
from sekisho.artifact.trusted import TRUSTED_LOADERS, TRUSTED_TYPES
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, MissingExtra, UntrustedFormat
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile

    from sekisho.artifact.signature import Signature

_SCHEMA: Final = "schema.json"
_MOST_SCHEMA_BYTES: Final = 256 * 1024 * 1024
_MOST_SCHEMA_PARTS: Final = 8_000_000


class SkopsFormat(Format):
    """``model.skops``."""

    id = "skops"
    file = "model.skops"
    libraries = ("scikit-learn",)
    companions = ("xgboost", "lightgbm", "catboost")

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` is a zip with a skops schema in it."""
        try:
            return data.startswith(b"PK") and _SCHEMA in open_archive(data, where=self.file).namelist()
        except IntegrityError:
            return False

    def check(self, data: bytes, *, where: str) -> None:
        """Refuse what is no skops file, or holds anything but its schema and plain arrays."""
        _nodes(data, where)

    def keeps(self, model: object) -> bool:
        """Return whether ``model`` is an estimator with scikit-learn's methods."""
        return hasattr(model, "get_params") and hasattr(model, "predict") and boosting.library_of(model) is None

    def write(self, model: object, *, trusted: frozenset[str]) -> bytes:
        """Return ``model`` as skops; the same model gives the same bytes."""
        io_skops = _skops()
        model = boosting.taken_out(_without_search(model))
        try:
            data = io_skops.dumps(model)
        except Exception as error:
            # skops raises whatever its visitors meet: any of it means that this model has no such form.
            raise CannotPack(
                Text(
                    en=f"skops cannot keep this {type(model).__name__}",
                    ja=f"skops ではこの {type(model).__name__} を保存できません",
                ),
                Text(
                    en="leave out steps that hold functions or objects of your own, or pack an ONNX model",
                    ja="独自の関数やオブジェクトを持つ処理を外すか、ONNX モデルをパックしてください",
                ),
            ) from error
        strange = untrusted_types(data, trusted=trusted, where=self.file)
        if strange:
            raise CannotPack(
                Text(
                    en=f"it holds types that are not on the trusted list: {', '.join(strange)}",
                    ja=f"信頼リストにない型が含まれています: {', '.join(strange)}",
                ),
                Text(
                    en="leave them out, or name them in trusted_types (--trust-type) if their code is yours",
                    ja="それらを外すか、自分のコードであれば trusted_types（--trust-type）に名前を挙げてください",
                ),
            )
        return _settled(data)

    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> EstimatorRuntime:
        """Return the runtime of the estimator in ``data``."""
        return EstimatorRuntime(load(data, trusted=trusted, where=where), signature)

    def compile(self, model: object, signature: Signature) -> Iterator[Graph]:
        """Yield ONNX graphs of a scikit-learn estimator."""
        return compile_sklearn(model, signature)


def _without_search(model: Any) -> Any:
    """Return the model that a search has found: what it tried besides is of no use to those who ask."""
    while type(model).__module__.startswith("sklearn.model_selection") and hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    return model


def load(data: bytes, *, trusted: frozenset[str] = frozenset(), where: str) -> Any:
    """Return the estimator in ``data``, once all of the file has been looked at.

    Raises:
        UntrustedFormat: It is a pickle, or holds a type that neither Sekisho's list nor ``trusted`` names.
        IntegrityError: It is damaged, beyond the limits, or its trees point outside themselves.
        ArtifactError: The libraries here cannot rebuild it.

    """
    strange = untrusted_types(data, trusted=trusted, where=where)
    if strange:
        raise UntrustedFormat(
            Text(
                en=f"it holds types that nobody here trusts: {', '.join(strange)}",
                ja=f"信頼されていない型が含まれています: {', '.join(strange)}",
            ),
            Text(
                en="name them with --trust-type if their code is yours",
                ja="自分のコードであれば --trust-type に名前を挙げてください",
            ),
            where=where,
        )
    allowed = sorted({name for _, name in _nodes(data, where)})
    library = _skops()
    try:
        model = library.loads(data, trusted=allowed)
    except Exception as error:
        # Whatever skops and the classes it rebuilds meet: the file and the libraries here do not fit.
        raise ArtifactError(
            Text(en="skops cannot rebuild this model", ja="skops でこのモデルを復元できません"),
            Text(
                en="install the libraries of requirements.lock, or pack the model again",
                ja="requirements.lock のライブラリを入れるか、モデルをパックし直してください",
            ),
            where=where,
        ) from error
    check_trees(model, where=where)
    return boosting.put_back(model, where=where)


def untrusted_types(data: bytes, *, trusted: frozenset[str] = frozenset(), where: str) -> tuple[str, ...]:
    """Return the types in a skops file that neither Sekisho's list nor ``trusted`` names, sorted; nothing is rebuilt.

    Raises:
        UntrustedFormat: It is no skops file but something that could run code.
        IntegrityError: It is damaged, or beyond the limits.

    """
    return tuple(
        sorted(
            {
                name
                for loader, name in _nodes(data, where)
                if name not in trusted and (name not in TRUSTED_TYPES or loader not in TRUSTED_LOADERS)
            }
        )
    )


def _nodes(data: bytes, where: str) -> set[tuple[str, str]]:
    """Return loader and type of every object in the file."""
    schema = _schema(data, where)
    found: set[tuple[str, str]] = set()
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "__loader__" in value:
                found.add((str(value["__loader__"]), f"{value.get('__module__')}.{value.get('__class__')}"))
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _schema(data: bytes, where: str) -> Any:
    refuse_code(data, where=where)
    if not data.startswith(b"PK"):
        raise _damaged(where)
    with open_archive(data, where=where) as archive:
        names = archive.namelist()
        if _SCHEMA not in names:
            raise UntrustedFormat(
                Text(en="this zip is not a skops file", ja="この zip は skops ではありません"),
                Text(en="save the model with skops.io.dump", ja="skops.io.dump で保存してください"),
                where=where,
            )
        for name in names:
            if name != _SCHEMA:
                _check_array(archive, name, where)
        if archive.getinfo(_SCHEMA).file_size > _MOST_SCHEMA_BYTES:
            raise _damaged(where)
        text = read_entry(archive, _SCHEMA, where=where)
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > _MOST_SCHEMA_PARTS:
        raise _damaged(where)  # a text of few bytes could stand for many objects
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(where) from None


def _check_array(archive: ZipFile, name: str, where: str) -> None:
    """Refuse an entry that is no plain array: a skops file holds its schema and arrays without Python objects, nothing else."""
    content = read_entry(archive, name, where=where)
    if name.endswith(".npz"):
        with open_archive(content, where=f"{where}:{name}") as inner:
            for member in inner.namelist():
                _check_header(read_entry(inner, member, where=where), f"{where}:{name}:{member}")
    else:
        _check_header(content, f"{where}:{name}")


def _check_header(content: bytes, where: str) -> None:
    refuse_code(content, where=where)
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except ValueError:
        raise _damaged(where) from None
    if dtype.hasobject:
        raise UntrustedFormat(
            Text(en="an array of Python objects is a pickle", ja="Python オブジェクトの配列は pickle です"),
            Text(en="save the model again with skops", ja="skops で保存し直してください"),
            where=where,
        )
    if len(content) - stream.tell() != math.prod(shape) * dtype.itemsize or any(size < 0 for size in shape):
        raise _damaged(where)


def _settled(data: bytes) -> bytes:
    """Return ``data`` with names, ids and times that depend on the model alone, uncompressed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        entries = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    ids: dict[object, int] = {}
    files: dict[str, str] = {}
    _rename(schema, ids, files)
    settled = io.BytesIO()
    with zipfile.ZipFile(settled, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_SCHEMA), json.dumps(schema, separators=(",", ":")))
        for old, new in files.items():
            archive.writestr(zipfile.ZipInfo(new), _without_padding(entries[old]))
    return settled.getvalue()


def _without_padding(content: bytes) -> bytes:
    """Return an array of records with zeros between its fields, where a compiler left whatever was in memory."""
    if not content.startswith(b"\x93NUMPY"):
        return content
    records = np.load(io.BytesIO(content), allow_pickle=False)
    if records.dtype.names is None:
        return content
    clean = np.zeros(records.shape, dtype=records.dtype)  # zeros_like leaves what is between the fields
    for name in records.dtype.names:
        clean[name] = records[name]
    stream = io.BytesIO()
    np.save(stream, clean, allow_pickle=False)
    return stream.getvalue()


def _rename(value: Any, ids: dict[object, int], files: dict[str, str]) -> None:
    if isinstance(value, list):
        for item in value:
            _rename(item, ids, files)
    elif isinstance(value, dict):
        if "__id__" in value:
            value["__id__"] = ids.setdefault(value["__id__"], len(ids) + 1)
        if "__loader__" in value and isinstance(value.get("file"), str):
            name = value["file"]
            value["file"] = files.setdefault(name, f"{len(files)}.{name.rpartition('.')[2]}")
        for item in value.values():
            _rename(item, ids, files)


def _skops() -> Any:
    try:
        import skops.io
    except ImportError:
        raise MissingExtra("skops", "pack") from None
    return skops.io


def _damaged(where: str) -> IntegrityError:
    return IntegrityError(
        Text(en="this is not a whole skops file", ja="skops ファイルとして完全ではありません"),
        Text(en="save the model again", ja="モデルを保存し直してください"),
        where=where,
    )


FORMAT: Final = SkopsFormat()
