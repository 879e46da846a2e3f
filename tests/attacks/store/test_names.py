"""S05, S10, S11: names that could be something else, and addresses that lead somewhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.attacks.store.conftest import Made

from sekisho import Registry
from sekisho.artifact.folder import write_folder
from sekisho.artifact.manifest import Manifest
from sekisho.artifact.registry.names import fits, looks_like_reference
from sekisho.artifact.stores.object_store import check_endpoint
from sekisho.cli.main import run
from sekisho.errors import Conflict, SekishoError, WrongUse

BAD = [
    *("..", ".", "a/b", "a\\b", "a\0b", "x" * 300, "-rf", "--help", "CON", "con.txt", "nul", "Lpt1", "COM9.json", ""),
    *("ｌｏａｎ", "lоan", "loan\u200b", "loan.", "loan..", "loan ", " loan", "loan\n", "a:b", "a*b", "$(id)", "~", "é"),
]
INSIDE = [
    *("http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "FILE:///etc/passwd", "https://example.org/x"),
    *("http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://0x7f.1/", "ftp://127.0.0.1/a", "//127.0.0.1/share"),
    *("gopher://127.0.0.1:6379/_x", "http:/169.254.169.254/", " http://169.254.169.254/", "s3://bucket/artifact"),
    *("\\\\127.0.0.1\\share", "jar:http://127.0.0.1!/x", "ssh://127.0.0.1/x", "data:text/plain,x"),
]


@pytest.mark.parametrize("name", BAD)
def test_s05_bad_names_are_refused_with_the_rule(name: str, tmp_path: Path, made: Made) -> None:
    assert not fits("name", name)
    registry = Registry(tmp_path / "registry")
    registry.push(made())
    asks: list[Callable[[], object]] = [
        lambda: registry.history(name),
        lambda: registry.rollback(name),
        lambda: registry.versions(name),
        lambda: registry.resolve(f"{name}@1.0.0"),
        lambda: registry.promote("loan@1.0.0", alias=name),
        lambda: registry.fetch(f"loan@{name}"),
    ]
    for ask in asks:
        with pytest.raises(WrongUse) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert str(caught.value).isascii() or "→" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("artifact")) == ["registry"]


@pytest.mark.parametrize("name", ["CON", "loan.", "nul.2"])
@pytest.mark.parametrize("what", ["name", "version"])
def test_s05_an_artifact_that_has_such_a_name_is_not_published(what: str, name: str, tmp_path: Path) -> None:
    bare = Manifest(name="loan", version="1.0.0", runtime="onnx", files=(), written_by="0.1.0")
    manifest = msgspec.structs.replace(bare, **{what: name}).sealed()
    write_folder(tmp_path / "artifact", manifest, {})
    with pytest.raises(WrongUse, match="cannot be"):
        Registry(tmp_path / "registry").push(tmp_path / "artifact")
    assert not (tmp_path / "registry").exists()


def test_s05_a_name_in_other_letters_is_refused(tmp_path: Path, made: Made) -> None:
    registry = Registry(tmp_path / "registry")
    registry.push(made(name="loan"))
    with pytest.raises(Conflict, match="looks like"):
        registry.push(made(name="Loan"))


def test_s05_an_alias_never_hides_a_version_nor_the_other_way_round(tmp_path: Path, made: Made) -> None:
    registry = Registry(tmp_path / "registry")
    registry.push(made("v1"))
    registry.push(made("v2", content="2"))
    with pytest.raises(Conflict):
        registry.promote("loan@v2", alias="v1")
    registry.promote("loan@v2", alias="v3")
    with pytest.raises(Conflict):
        registry.push(made("v3", content="3"))


@pytest.mark.parametrize("reference", ["loan", "@", "loan@", "@champion", "a@b@c", "loan@cham pion", "../x@1"])
def test_what_is_no_reference(reference: str, tmp_path: Path) -> None:
    assert not looks_like_reference(reference)
    with pytest.raises(WrongUse):
        Registry(tmp_path / "registry").resolve(reference)


@pytest.mark.parametrize("address", INSIDE)
def test_s10_s11_an_address_is_no_artifact(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SekishoError):
        Registry(tmp_path / "registry").push(address)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", [each for each in INSIDE if ":" in each and not each.startswith("s3:")])
def test_s10_s11_an_address_is_no_registry(address: str) -> None:
    if address.startswith(" "):
        pytest.skip("a path with a blank")
    with pytest.raises(WrongUse):
        Registry(address)


@pytest.mark.parametrize(
    "address", ["s3://169.254.169.254/x", "s3://2852039166/x", "s3://", "s3://UPPER/x", "s3://a/b?c", "s3://u:p@host/x"]
)
def test_s11_a_bucket_is_no_address(address: str) -> None:
    with pytest.raises(WrongUse, match="bucket"):
        Registry(address)


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://169.254.169.254", "http://2852039166", "http://0xa9fea9fe/", "http://[::ffff:169.254.169.254]:80"),
        *(
            "http://[fe80::1%25eth0]/",
            "http://0.0.0.0:9000",
            "file:///etc/passwd",
            "http://user:word@host",
            "host:9000",
        ),
        *("http://", "http://224.0.0.1", "http://169.254.169.254:99999999"),
    ],
)
def test_s11_an_endpoint_that_is_no_store(endpoint: str) -> None:
    with pytest.raises(WrongUse, match="endpoint"):
        check_endpoint(endpoint)
    with pytest.raises(WrongUse, match="endpoint"):
        Registry("s3://bucket/x", endpoint=endpoint)


def test_s10_s11_nothing_is_asked_of_any_address(tmp_path: Path) -> None:
    script = f"""
import sys
asked = []
sys.addaudithook(lambda name, what: asked.append((name, what)) if name.startswith("socket.") else None)
from sekisho.cli.main import run
for address in {INSIDE!r}:
    assert run(["registry", "push", address, "--registry", "registry"]) != 0, address
    assert run(["serve", address]) != 0
    if not address.startswith("s3:"):
        assert run(["registry", "list", "--registry", address]) != 0
assert run(["registry", "list", "--registry", "s3://b-1/x", "--endpoint-url", "http://169.254.169.254"]) == 2
print([each for each in asked if each[0] in ("socket.connect", "socket.getaddrinfo", "socket.sendto")])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_refusals_are_one_line_with_exit_code_2(tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--registry", str(tmp_path / "registry")]
    assert run(["registry", "push", str(made()), *place]) == 0
    capsys.readouterr()
    for words in (
        ["push", str(made(content="other"))],
        ["promote", "loan@9.9.9"],
        ["promote", "loan@1.0.0", "--alias", "../x"],
        ["promote", "loan@1.0.0", "--expected", "2.0.0"],
        ["promote", "loan@1.0.0", "--reason", "two\nlines"],
        ["rollback", "loan"],
        ["history", "laon"],
        ["history", "loan", "--at", "yesterday"],
        ["fetch", "loan@champion"],
    ):
        assert run(["registry", *words, *place]) == 2, words
        assert len([line for line in capsys.readouterr().err.splitlines() if "→" in line]) == 1
