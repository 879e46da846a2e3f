"""PyTorch: ONNX answers as the module does, and the weights are safetensors; a pickled module is never read."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from tests.artifact.formats.boosted import cancer, diabetes

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.formats.torch import FORMAT
from sekisho.artifact.packing import read_model
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, UntrustedFormat

if TYPE_CHECKING:
    from pathlib import Path

WINE, KINDS = load_wine(return_X_y=True, as_frame=True)
HEAD = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'


def safetensors(head: bytes, body: bytes = b"\x00" * 8) -> bytes:
    return struct.pack("<Q", len(head)) + head + body


def test_weights_are_looked_at_without_torch() -> None:
    FORMAT.check(safetensors(HEAD), where="x")
    for bad in (
        *(safetensors(HEAD)[:size] for size in range(0, 70, 7)),
        safetensors(HEAD, b"\x00" * 9),
        safetensors(HEAD.replace(b"[2]", b"[3]")),
        safetensors(HEAD.replace(b"[2]", b"[-2]")),
        safetensors(HEAD.replace(b"[0,8]", b"[4,12]"), b"\x00" * 12),
        safetensors(HEAD.replace(b"F32", b"OBJ")),
        safetensors(HEAD.replace(b"[2]", b"[99999999999999999999]")),
        struct.pack("<Q", 2**60) + HEAD,
    ):
        with pytest.raises(IntegrityError):
            FORMAT.check(bad, where="x")
    with pytest.raises(UntrustedFormat):
        FORMAT.check(b"\x80\x04\x95cos\nsystem\n.", where="x")


def network(width: int, outputs: int, *last: Any) -> Any:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.BatchNorm1d(width),
        torch.nn.Linear(width, 16),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(16, outputs),
        *last,
    )


def trained(module: Any, rows: Any, target: Any, loss: Any) -> Any:
    import torch

    steps = torch.optim.Adam(module.parameters(), 0.01)
    given = torch.tensor(rows.to_numpy(), dtype=torch.float32)
    for _ in range(60):
        steps.zero_grad()
        loss(module(given), torch.tensor(np.asarray(target))).backward()
        steps.step()
    return module


@pytest.mark.slow
@pytest.mark.parametrize("names", [False, True])
def test_logits_become_probabilities(names: bool, tmp_path: Path) -> None:
    module = network(13, 3)
    import torch

    trained(module, WINE, KINDS, torch.nn.functional.cross_entropy)
    target = np.array(["a", "b", "c"])[KINDS] if names else KINDS
    ModelArtifact(module, reference=WINE, target=target, name="m", lock=False).save(tmp_path / "a")
    artifact = ModelArtifact.load(tmp_path / "a")
    assert module.training, "the user's own module was changed"
    with torch.no_grad():
        given = torch.softmax(module.eval()(torch.tensor(WINE.to_numpy(), dtype=torch.float32)), dim=1).numpy()
    answers = artifact.predict(WINE)
    assert answers.probabilities == pytest.approx(given, abs=1e-5)
    assert answers.values.tolist() == np.array(sorted(set(target)))[given.argmax(axis=1)].tolist()
    assert artifact.parity.proven
    assert artifact.metadata.libraries["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    artifact.verify()


@pytest.mark.slow
def test_the_weights_are_what_safetensors_reads(tmp_path: Path) -> None:
    module = network(13, 3)
    from safetensors.torch import load

    artifact = ModelArtifact(module, reference=WINE, target=KINDS, name="m", lock=False).save(tmp_path / "a")
    assert artifact.folder is not None
    read = load((artifact.folder / "weights.safetensors").read_bytes())
    assert set(read) == set(module.state_dict())
    assert all(read[name].equal(tensor) for name, tensor in module.state_dict().items())
    with pytest.raises(ArtifactError, match="weights alone"):
        artifact.runtime("torch")


@pytest.mark.slow
@pytest.mark.parametrize("sigmoid", [False, True])
def test_one_score_of_two_classes(sigmoid: bool) -> None:
    torch = pytest.importorskip("torch")
    rows, labels = cancer().rows, cancer().labels
    module = network(30, 1, *((torch.nn.Sigmoid(),) if sigmoid else ()))
    functional = torch.nn.functional
    loss = functional.binary_cross_entropy if sigmoid else functional.binary_cross_entropy_with_logits
    trained(module, rows, labels, lambda scores, target: loss(scores[:, 0], target.float()))
    artifact = ModelArtifact(module, reference=rows, target=cancer().names, name="m", lock=False)
    with torch.no_grad():
        scores = module.eval()(torch.tensor(rows.to_numpy(), dtype=torch.float32))[:, 0]
        given = (scores if sigmoid else torch.sigmoid(scores)).numpy()
    answers = artifact.predict(rows)
    assert answers.probabilities is not None
    assert answers.probabilities[:, 1] == pytest.approx(given, abs=1e-5)
    assert set(answers.values.tolist()) == {"no", "yes"}


@pytest.mark.slow
@pytest.mark.parametrize("double", [False, True])
def test_numbers(double: bool) -> None:
    torch = pytest.importorskip("torch")
    rows, target = diabetes().rows, diabetes().labels
    module = network(10, 1)
    trained(module, rows, target, lambda scores, wanted: ((scores[:, 0] - wanted.float()) ** 2).mean())
    module = module.double() if double else module
    artifact = ModelArtifact(module, reference=rows, target=target, name="m", lock=False)
    with torch.no_grad():
        given = module.eval()(torch.tensor(rows.to_numpy(), dtype=torch.float64 if double else torch.float32))
    assert artifact.predict(rows).values.astype(float) == pytest.approx(given.numpy().ravel(), rel=1e-4)
    assert artifact.signature.output.task == "regression"


@pytest.mark.slow
def test_modules_that_cannot_be_packed() -> None:
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):  # type: ignore[misc,name-defined,unused-ignore]
        def forward(self, rows: Any) -> Any:
            return rows, rows

    class Branching(torch.nn.Module):  # type: ignore[misc,name-defined,unused-ignore]
        def forward(self, rows: Any) -> Any:
            return rows[:, :3] if float(rows.sum()) > 0 else rows[:, 3:6]

    for module, words in (
        (Two(), "one tensor"),
        (Branching(), "cannot export"),
        (network(13, 5), "5 columns"),
        (network(7, 3), "13 features"),
    ):
        with pytest.raises(CannotPack, match=words):
            ModelArtifact(module, reference=WINE, target=KINDS, name="m", lock=False)
    with pytest.raises(CannotPack, match="its features"):
        ModelArtifact(network(13, 3), name="m", lock=False)
    with pytest.raises(CannotPack, match="these are none"):
        ModelArtifact(network(14, 3), reference=WINE.assign(city="Nara"), target=KINDS, name="m", lock=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(network(13, 3), tmp_path / "model.pt")
    torch.jit.save(torch.jit.script(network(13, 3)), tmp_path / "script.pt")
    for name in ("model.pt", "script.pt"):
        with pytest.raises(UntrustedFormat):
            read_model(tmp_path / name)
