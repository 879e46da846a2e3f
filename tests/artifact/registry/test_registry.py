"""What a registry answers, against a plain model of it."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import Registry
from sekisho.artifact.folder import write_folder
from sekisho.artifact.manifest import manifest_of
from sekisho.artifact.registry.events import Deeds, event_of, read_event, written
from sekisho.artifact.registry.opening import location_of, open_store
from sekisho.artifact.registry.state import State
from sekisho.errors import ArtifactError, Conflict, IntegrityError, NotFound, WrongUse

VERSIONS = ("1.0.0", "1.1.0", "2.0.0")


def artifact(folder: Path, version: str, content: str = "") -> Path:
    files = {"part.json": f'"{version}{content}"'.encode()}
    write_folder(folder, manifest_of(files, name="loan", version=version, runtime="none", written_by="0"), files)
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three versions, nothing promoted."""
    made = Registry(tmp_path / "registry", cache=tmp_path / "cache")
    for version in VERSIONS:
        made.push(artifact(tmp_path / version, version))
    return made


STEPS = st.lists(st.one_of(st.sampled_from(VERSIONS), st.just("rollback")), max_size=8)


@settings(max_examples=15, deadline=None)
@given(steps=STEPS)
def test_promotions_rollbacks_and_every_moment_between(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder, "registry"))
        for version in VERSIONS:
            registry.push(artifact(Path(folder, version), version))
        stack: list[str] = []
        moments: list[tuple[dt.datetime, str | None]] = []
        for step in steps:
            if step == "rollback":
                if len(stack) < 2:
                    with pytest.raises((Conflict, NotFound)):
                        registry.rollback("loan")
                else:
                    stack.pop()
                    assert registry.rollback("loan").version == stack[-1]
            else:
                moved = registry.promote(f"loan@{step}")
                assert (moved is None) == (stack[-1:] == [step])
                if moved is not None:
                    stack.append(step)
            moments.append((dt.datetime.now(dt.UTC), stack[-1] if stack else None))
        for moment, stood_for in moments:
            live = registry.live("loan", moment)
            assert [each.version for each in live] == ([] if stood_for is None else [stood_for])
        if stack:
            assert registry.resolve("loan@champion").version == stack[-1]
        assert registry.verify().findings == ()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_byte_of_the_history_can_change_unseen(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder, "registry"))
        registry.push(artifact(Path(folder, "a"), "1.0.0"))
        registry.promote("loan@1.0.0", reason="because")
        record = data.draw(st.sampled_from(sorted(Path(folder, "registry", "history", "loan").iterdir())))
        before = record.read_bytes()
        place = data.draw(st.integers(0, len(before) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != before[place]))
        record.write_bytes(before[:place] + bytes([byte]) + before[place + 1 :])
        with pytest.raises(ArtifactError):
            registry.history("loan")
        assert not registry.verify().whole


def test_who_and_why_are_written_down(registry: Registry) -> None:
    registry.promote("loan@1.0.0", by="Ana Ito", reason="検証済み")
    *_, event = registry.history("loan")
    assert (event.by, event.reason, event.before) == ("Ana Ito", "検証済み", None)
    assert registry.history("loan")[0].by != ""
    for words in ("two\nlines", "x" * 1_001, "\x1b[31m", "\u202egnp"):
        with pytest.raises(WrongUse):
            registry.promote("loan@1.1.0", reason=words)
    assert len(registry.history("loan")) == 4


def test_an_alias_may_follow_another(registry: Registry) -> None:
    registry.promote("loan@1.1.0", alias="challenger")
    registry.promote("loan@challenger")
    assert registry.resolve("loan@champion").version == "1.1.0"
    assert registry.resolve("loan@1.1.0").aliases == ("challenger", "champion")


def test_what_was_expected(registry: Registry) -> None:
    with pytest.raises(Conflict):
        registry.promote("loan@1.0.0", expected="2.0.0")
    registry.promote("loan@1.0.0", expected="none")
    with pytest.raises(Conflict):
        registry.promote("loan@1.1.0", expected="none")
    registry.promote("loan@1.1.0", expected="1.0.0")


def test_a_version_is_fetched_once_and_never_over_something_else(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert registry.fetch("loan@1.0.0", out) == out == registry.fetch("loan@1.0.0", out)
    with pytest.raises(WrongUse, match="already there"):
        registry.fetch("loan@1.1.0", out)
    assert registry.fetch("loan@1.1.0") == registry.fetch("loan@1.1.0")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".fetch")]


def test_a_fetch_that_fails_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    for content in (tmp_path / "registry" / "content").rglob("*"):
        if content.is_file() and content.read_bytes() == b'"1.0.0"':
            content.unlink()
    with pytest.raises(IntegrityError):
        registry.fetch("loan@1.0.0", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert registry.fetch("loan@1.1.0").is_dir()


def test_time_never_runs_backwards_in_a_history(registry: Registry) -> None:
    last = registry.history("loan")[-1]
    ahead = written(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=3))
    deed = Deeds(deed="promoted", version="1.0.0", digest="0" * 64, alias="champion", by="x")
    event = event_of(deed, "loan", sequence=last.sequence + 1, previous=last.hash, not_before=ahead)
    assert event.at == ahead
    assert read_event(event.encoded(), where="x") == event
    with pytest.raises(IntegrityError, match="cannot have happened"):  # the version has another digest
        State(name="loan").after([*registry.history("loan"), event], where="x")


def test_there_is_no_registry(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "nowhere")
    for ask in (registry.names, registry.verify, registry.collect, registry.versions):
        with pytest.raises(NotFound, match="no registry"):
            ask()
    with pytest.raises(NotFound):
        registry.resolve("loan@1.0.0")
    assert not (tmp_path / "nowhere").exists()


def test_an_empty_place_in_the_history_is_no_model(registry: Registry, tmp_path: Path) -> None:
    for name in ("early", "not a name", ".hidden"):
        (tmp_path / "registry" / "history" / name).mkdir()
    assert registry.names() == ("loan",)
    assert len(registry.versions()) == 3
    assert registry.verify().models == 1
    assert registry.verify().findings == ()
    registry.collect(grace_seconds=0.0)
    with pytest.raises(NotFound):
        registry.resolve("early@1.0.0")


def test_a_name_that_was_mistyped(registry: Registry) -> None:
    with pytest.raises(NotFound, match="did you mean loan"):
        registry.resolve("laon@1.0.0")
    with pytest.raises(NotFound, match=r"1\.0\.0"):
        registry.resolve("loan@1.0.O")


def test_what_would_be_published_is_told_without_writing(registry: Registry, tmp_path: Path) -> None:
    before = sorted(path.name for path in (tmp_path / "registry").rglob("*"))
    assert registry.would_publish(artifact(tmp_path / "new", "3.0.0"))
    assert not registry.would_publish(tmp_path / "1.0.0")
    with pytest.raises(Conflict):
        registry.would_publish(artifact(tmp_path / "other", "1.0.0", "other"))
    assert sorted(path.name for path in (tmp_path / "registry").rglob("*")) == before


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEKISHO_REGISTRY", raising=False)
    assert location_of(None) == "registry"
    monkeypatch.setenv("SEKISHO_REGISTRY", "s3://bucket/prefix")
    assert location_of(None) == "s3://bucket/prefix"
    assert location_of(None, "given") == "given"
    for place in ("", "ftp://x", "file:///x", "a\0b"):
        with pytest.raises(WrongUse):
            open_store(place)
