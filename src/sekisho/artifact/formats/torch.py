"""PyTorch: ONNX answers; the weights are kept beside it as safetensors, for whoever trains on. A pickled module is never read."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact import strict_json
from sekisho.artifact.content import refuse_code
from sekisho.artifact.formats.interface import Format, Graph, Runtime
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.neural import NeuralModel
from sekisho.errors import ArtifactError, CannotPack, IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Signature

_MOST_HEAD: Final = 64 * 1024 * 1024
_BYTES: Final = {
    8: ("F64", "I64", "U64"),
    4: ("F32", "I32", "U32"),
    2: ("F16", "BF16", "I16", "U16"),
    1: ("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"),
}
_SIZES: Final = {kind: size for size, kinds in _BYTES.items() for kind in kinds}


class TorchFormat(Format):
    """``weights.safetensors``."""

    id = "torch"
    file = "weights.safetensors"
    answers = False

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` begins with the length of a JSON head, and the head."""
        return len(data) > 8 and data[8:9] == b"{" and 2 <= struct.unpack("<Q", data[:8])[0] <= len(data) - 8

    def check(self, data: bytes, *, where: str) -> None:
        """Look whether every tensor lies where it says, without a gap."""
        _check(data, where)

    def keeps(self, model: object) -> bool:
        """Return whether ``model`` has been taken over from PyTorch."""
        return isinstance(model, NeuralModel)

    def write(self, model: Any, *, trusted: frozenset[str]) -> bytes:  # noqa: ARG002
        """Return the weights as safetensors, in the order of their names."""
        head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        parts: list[bytes] = []
        at = 0
        for name, tensor in sorted(model.module.state_dict().items()):
            content = _bytes(tensor)
            kind = _kind(tensor)
            head[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(content)]}
            parts.append(content)
            at += len(content)
        words = json.dumps(head, separators=(",", ":")).encode()
        words += b" " * (-len(words) % 8)
        return struct.pack("<Q", len(words)) + words + b"".join(parts)

    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> Runtime:  # noqa: ARG002
        """Refuse: weights alone do not answer."""
        raise ArtifactError(
            Text(en="weights alone do not answer", ja="重みだけでは推論できません"),
            Text(en="ask the artifact's model.onnx", ja="成果物の model.onnx で推論してください"),
            where=where,
        )

    def original(self, model: Any, data: bytes, signature: Signature, *, trusted: frozenset[str]) -> Runtime:  # noqa: ARG002
        """Return the module itself."""
        return EstimatorRuntime(model, signature)

    def compile(self, model: Any, signature: Signature) -> Iterator[Graph]:  # noqa: ARG002
        """Yield the module as PyTorch exports it."""
        graphs: Iterator[Graph] = model.graphs()
        return graphs


def _kind(tensor: Any) -> str:
    """Return what safetensors calls the dtype of a tensor: ``F32`` for ``torch.float32``."""
    name = str(tensor.dtype).removeprefix("torch.")
    short = (
        name.upper()
        if name == "bool"
        else re.sub(r"[a-z]+(?=\d)", lambda word: _SHORT.get(word[0], word[0]), name, count=1)
    )
    if short not in _SIZES:
        raise CannotPack(
            Text(en=f"its weights hold {name}", ja=f"重みに {name} が含まれています"),
            Text(en="keep the weights as plain floats", ja="重みを通常の浮動小数点数にしてください"),
        )
    return short


_SHORT: Final = {"float": "F", "bfloat": "BF", "int": "I", "uint": "U"}


def _bytes(tensor: Any) -> bytes:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _check(data: bytes, where: str) -> None:
    if not FORMAT.recognises(data):
        refuse_code(data, where=where)
        raise _damaged(where)
    size = struct.unpack("<Q", data[:8])[0]
    if size > _MOST_HEAD:
        raise _damaged(where)
    head = strict_json.decode(data[8 : 8 + size].rstrip(b" "), dict[str, Any], where=where)
    head.pop("__metadata__", None)
    try:
        tensors = sorted((entry["data_offsets"], entry["shape"], entry["dtype"]) for entry in head.values())
        at = 0
        for (begin, end), shape, kind in tensors:
            count = float(np.prod(np.array(shape, dtype=np.float64)))
            if begin != at or end - begin != count * _SIZES[kind] or any(side < 0 for side in shape):
                raise _damaged(where)
            at = end
    except (KeyError, TypeError, ValueError):
        raise _damaged(where) from None
    if at != len(data) - 8 - size:
        raise _damaged(where)


def _damaged(where: str) -> IntegrityError:
    return IntegrityError(
        Text(en="this is not a whole safetensors file", ja="safetensors として完全ではありません"),
        Text(en="pack the model again", ja="モデルをパックし直してください"),
        where=where,
    )


FORMAT: Final = TorchFormat()
