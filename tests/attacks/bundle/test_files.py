"""Whatever is done to the files of an artifact, it is refused in one line, and no code of it is run."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attacks.bundle.hostile import FILES, forge, refused, use

from sekisho.artifact import folder
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.manifest import File, read_manifest
from sekisho.errors import ArtifactError, IntegrityError, SekishoError
from sekisho.predict.fence import Fence, FencedRuntime


def test_as_packed_it_is_used(artifact: Path) -> None:
    use(artifact)
    assert {path.name for path in artifact.iterdir()} == {*FILES, "manifest.json"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_a06_one_flipped_byte(name: str, where: float, artifact: Path) -> None:
    path = artifact / name
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert name in refused(artifact)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(name=st.sampled_from([*FILES, "manifest.json"]), position=st.floats(0, 1), mask=st.integers(1, 255))
def test_a06_no_byte_can_change(name: str, position: float, mask: int, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(packed, folder)
    data = bytearray((folder / name).read_bytes())
    data[int(position * (len(data) - 1))] ^= mask
    (folder / name).write_bytes(data)
    with pytest.raises(IntegrityError):
        ModelArtifact.load(folder)


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a07_truncated_at_each_tenth(name: str, tenth: int, artifact: Path) -> None:
    path = artifact / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * tenth // 10])
    assert name in refused(artifact)


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("name", FILES)
def test_a07_truncated_and_the_manifest_forged(name: str, tenth: int, artifact: Path) -> None:
    data = (artifact / name).read_bytes()
    forge(artifact, **{name.replace(".", "__"): data[: len(data) * tenth // 10]})
    with pytest.raises(ArtifactError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a08_a_file_is_missing(name: str, artifact: Path) -> None:
    (artifact / name).unlink()
    assert name in refused(artifact)


@pytest.mark.parametrize("name", [".hidden", "notes.txt", "model.pkl", "Model.onnx"])
def test_a08_a_file_is_added(name: str, artifact: Path) -> None:
    (artifact / name).write_text("x")
    assert name in refused(artifact)


def test_a08_a_folder_is_added(artifact: Path) -> None:
    (artifact / "data").mkdir()
    assert "data" in refused(artifact)


def test_a08_an_unknown_file_that_is_listed_is_refused_too(artifact: Path) -> None:
    forge(artifact, notes__txt=b"hello")
    assert "notes.txt" in refused(artifact)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a10_a_link_in_place_of_a_file(name: str, artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    shutil.move(artifact / name, target)
    (artifact / name).symlink_to(target)
    assert "symbolic link" in refused(artifact)


def test_a10_a_link_to_a_folder(artifact: Path, tmp_path: Path) -> None:
    (artifact / "model.onnx").unlink()
    (artifact / "model.onnx").symlink_to(tmp_path, target_is_directory=True)
    refused(artifact)


def test_a10_a_pipe_in_place_of_a_file_is_not_waited_for(artifact: Path) -> None:
    (artifact / "model.onnx").unlink()
    os.mkfifo(artifact / "model.onnx")
    assert "plain file" in refused(artifact)


def test_a11_a_hard_link_counts_by_its_content(artifact: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copy(artifact / "model.onnx", outside)
    (artifact / "model.onnx").unlink()
    os.link(outside, artifact / "model.onnx")
    use(artifact)
    outside.write_bytes(outside.read_bytes() + b"\x00")
    assert "model.onnx" in refused(artifact)


def test_a10_the_folder_itself_may_be_a_link(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(artifact, target_is_directory=True)
    use(tmp_path / "current")


def test_a23_swapped_after_it_was_verified(artifact: Path) -> None:
    loaded = ModelArtifact.load(artifact)
    data = bytearray((artifact / "model.onnx").read_bytes())
    data[-1] ^= 1
    (artifact / "model.onnx").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        loaded.predict(list(loaded.golden.rows))


def test_a10_a_socket_in_place_of_a_file(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(artifact)  # the path of a socket is short
    (artifact / "golden.json").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("golden.json")
        assert "golden.json" in refused(artifact, ArtifactError)


def test_a10_a_device_in_place_of_a_file(artifact: Path) -> None:
    (artifact / "golden.json").unlink()
    try:
        os.mknod(artifact / "golden.json", 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only the superuser makes devices")
    assert "golden.json" in refused(artifact, ArtifactError)


def test_a10_a_folder_in_place_of_a_file(artifact: Path) -> None:
    (artifact / "golden.json").unlink()
    (artifact / "golden.json").mkdir()
    assert "plain file" in refused(artifact)


def test_a10_a_link_to_a_device_as_the_artifact(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(SekishoError):
        ModelArtifact.load(tmp_path / "zero")


@pytest.mark.parametrize(
    "name", ["GOLDEN.JSON", "Golden.json", "golden.json ", "golden\u2024json", "goldeń.json", ".golden.json"]
)
def test_a08_a_name_that_collides_elsewhere(name: str, artifact: Path) -> None:
    shutil.copy(artifact / "golden.json", artifact / name)
    refused(artifact)


@pytest.mark.parametrize("name", ["golden.json", "requirements.lock", "reference.npz", "signature.json"])
def test_a08_a_file_that_is_too_large_is_not_read(name: str, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (artifact / name).open("wb") as stream:
        stream.truncate(3 * 1024**3)  # a hole, not bytes
    manifest = read_manifest((artifact / "manifest.json").read_bytes(), where="")
    huge = File(name=name, size=3 * 1024**3, sha256="0" * 64)
    others = tuple(file for file in manifest.files if file.name != name)
    forged = msgspec.structs.replace(manifest, files=tuple(sorted((*others, huge), key=lambda file: file.name)))
    (artifact / "manifest.json").write_bytes(forged.sealed().encoded())

    def never(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(folder, "_digest", never)
    monkeypatch.setattr(folder, "read_file", never)
    assert "3,221,225,472 bytes" in refused(artifact)


def test_a11_hard_links_are_read_once(artifact: Path, tmp_path: Path) -> None:
    """Whoever holds another name of a file can write to it at any time: what was verified is what was read."""
    loaded = ModelArtifact.load(artifact)
    golden = list(loaded.golden.rows)
    loaded.predict(golden)
    os.link(artifact / "model.onnx", tmp_path / "second name")
    (tmp_path / "second name").write_bytes(b"other")
    loaded.predict(golden)  # the graph in memory
    refused(artifact)


class Swapper:
    """Changes a file as soon as it has been opened a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, *, after: int, data: bytes) -> None:
        self.opened = 0
        plain = folder._open

        def opening(path: Path) -> BinaryIO:
            stream = plain(path)
            if path.name == name:
                self.opened += 1
                if self.opened == after:
                    replacement = path.with_name("replacement")
                    replacement.write_bytes(data)
                    replacement.replace(path)
            return stream

        monkeypatch.setattr(folder, "_open", opening)


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("name", ["model.onnx", "model.skops", "signature.json", "golden.json"])
def test_a23_swapped_while_it_is_verified_and_read(
    name: str, after: int, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at a file is a look at bytes with the right digest, or a refusal: never a use of others."""
    before = (artifact / name).read_bytes()
    swapper = Swapper(monkeypatch, name, after=after, data=before[:-1] + bytes([before[-1] ^ 1]))
    try:
        use(artifact)
    except IntegrityError:
        pass
    else:
        assert swapper.opened <= after  # nobody looked after the swap


def test_a23_the_manifest_swapped_while_it_is_read(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(artifact, tmp_path / "other")
    forge(other, golden__json=(other / "golden.json").read_bytes() + b" ")
    Swapper(monkeypatch, "manifest.json", after=1, data=(other / "manifest.json").read_bytes())
    loaded = ModelArtifact.load(artifact)
    assert loaded.manifest.digest != read_manifest((artifact / "manifest.json").read_bytes(), where="").digest
    loaded.verify()  # all of it is what the first manifest says


def test_a23_another_artifact_in_the_folder_that_was_verified(artifact: Path, tmp_path: Path) -> None:
    first = ModelArtifact.load(artifact)
    ModelArtifact.load(artifact, digest=first.digest)
    forge(artifact, golden__json=(artifact / "golden.json").read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="another artifact"):
        ModelArtifact.load(artifact, digest=first.digest)
    runtime = FencedRuntime(artifact, Fence(digest=first.digest))
    try:
        with pytest.raises(ArtifactError, match="another artifact"):
            runtime.wait_until_ready()
    finally:
        runtime.stop()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a10_a_file_that_may_not_be_read(artifact: Path) -> None:
    (artifact / "model.onnx").chmod(0)
    with pytest.raises(ArtifactError, match=os.strerror(errno.EACCES)):
        use(artifact)
