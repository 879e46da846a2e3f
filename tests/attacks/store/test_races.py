"""S01, S02, S07, S12: publishers and readers at the same time, killed at any moment."""

from __future__ import annotations

import random
import time

import pytest
from tests.attacks.store.conftest import Made, Place

from sekisho.errors import RegistryError

SOON = 0.02
"""Seconds in which every process has been told what to do at the same moment."""


def test_s01_two_publishers_of_one_version(place: Place, made: Made) -> None:
    registry, publishers = place.registry(), [place.child(), place.child()]
    races = 100 if place.is_folder else 40
    for race in range(races):
        folders = [made(f"1.0.{race}", content=f"{race} {side}", files=1) for side in "ab"]
        at = time.monotonic() + SOON
        for publisher, folder in zip(publishers, folders, strict=True):
            publisher.tell("push", folder=str(folder), at=at)
        answers = [publisher.hear() for publisher in publishers]
        assert sorted(answer.get("error", "won") for answer in answers) == ["Conflict", "won"], answers
        winner = folders[[answer.get("new") for answer in answers].index(True)]
        fetched = registry.fetch(f"loan@1.0.{race}")
        assert (fetched / "part-0.json").read_bytes() == (winner / "part-0.json").read_bytes()
    assert len(registry.versions("loan")) == races
    audit = registry.verify()
    assert audit.whole
    # What the losers had written already is all that is left over.
    assert {finding.kind for finding in audit.findings} <= {"orphan"}


def test_s01_the_same_bytes_published_twice_at_once_are_one_version(place: Place, made: Made) -> None:
    publishers = [place.child(), place.child()]
    for race in range(10):
        folder = made(f"1.0.{race}", content=str(race))
        at = time.monotonic() + SOON
        for publisher in publishers:
            publisher.tell("push", folder=str(folder), at=at)
        assert sorted(publisher.hear()["new"] for publisher in publishers) == [False, True]


def test_s01_publishers_of_different_versions_all_win(place: Place, made: Made) -> None:
    publishers = [place.child() for _ in range(4)]
    for turn in range(5):
        at = time.monotonic() + SOON
        for side, publisher in enumerate(publishers):
            folder = made(f"{side}.{turn}", content=f"{side} {turn}", files=1)
            publisher.tell("push", folder=str(folder), at=at)
        assert [publisher.hear() for publisher in publishers] == [{"new": True}] * 4
    assert len(place.registry().versions("loan")) == 20


def test_s02_a_publisher_killed_at_any_moment(place: Place, made: Made) -> None:
    registry, publisher, moments = place.registry(), place.child(), random.Random(2)
    registry.push(made("0.0.1", content="first", files=6))
    began = time.monotonic()
    registry.push(made("0.0.2", content="how long it takes", files=6))
    takes = time.monotonic() - began
    killed = 0
    turns = 50 if place.is_folder else 20
    for turn in range(turns):
        folder = made(f"1.0.{turn}", content=str(turn), files=6)
        after = moments.uniform(0.0, 1.4 * takes)
        killed += publisher.do("push_and_die", folder=str(folder), after=after)["killed"]
        versions = {version.version for version in registry.versions("loan")}
        assert registry.verify().whole, f"killed after {after} s"
        if f"1.0.{turn}" in versions:
            assert (registry.fetch(f"loan@1.0.{turn}") / "part-5.json").exists()
        else:
            # Nobody is in the way of whoever publishes it again.
            assert registry.push(folder).new
    assert killed > 0
    # Whoever publishes next makes the index again that the last one, killed, has left behind the history.
    registry.push(made("2.0.0", content="the next one", files=6))
    registry.collect(grace_seconds=0.0)
    if place.is_folder:
        assert registry.verify().findings == ()
    assert len(registry.versions("loan")) == turns + 3


def test_s02_what_a_killed_publisher_left_is_collected_and_nothing_else(place: Place, made: Made) -> None:
    registry, publisher = place.registry(), place.child()
    registry.push(made("1.0.0", content="kept"))
    kept = set(place.held())
    lonely = made("1.1.0", content="lost", files=40, size=200_000)
    after = 0.01
    while not set(place.held()) - kept - {"lock"}:
        publisher.do("push_and_die", folder=str(lonely), after=after)
        after *= 1.3
    assert registry.collect(grace_seconds=3_600.0).keys == ()  # it may still be under way, for all that anybody knows
    assert registry.collect(grace_seconds=0.0, dry_run=True).dry_run
    if place.is_folder:
        registry.collect(grace_seconds=0.0)
        assert set(place.held()) - {"lock"} == kept - {"lock"}
    assert (registry.fetch("loan@1.0.0") / "part-0.json").exists()


def test_s07_an_alias_moved_under_readers(place: Place, made: Made) -> None:
    registry = place.registry()
    digests = {version: registry.push(made(version, content=version)).version.digest for version in ("1.0.0", "2.0.0")}
    registry.promote("loan@1.0.0")
    readers = [place.child() for _ in range(8)]
    for reader in readers:
        assert reader.do("read", reference="loan@champion") == "reading"
    moves = 1_000 if place.is_folder else 100
    for move in range(moves):
        registry.promote("loan@2.0.0" if move % 2 == 0 else "loan@1.0.0")
    for reader in readers:
        reader.tell("collect")
    for reader in readers:
        found = reader.hear()
        assert "error" not in found, found
        assert {(version, digest) for version, digest in found["seen"]} <= set(digests.items())
        assert found["count"] > 10
    assert len(registry.history("loan")) == 3 + moves


def test_s07_of_two_who_move_an_alias_from_the_same_version_one_succeeds(place: Place, made: Made) -> None:
    registry, movers = place.registry(), [place.child(), place.child()]
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        registry.push(made(version, content=version))
    for _ in range(10):
        registry.promote("loan@1.0.0")
        at = time.monotonic() + SOON
        for mover, version in zip(movers, ("2.0.0", "3.0.0"), strict=True):
            mover.tell("promote", reference=f"loan@{version}", expected="1.0.0", at=at)
        answers = [mover.hear() for mover in movers]
        assert sorted(answer.get("error", "moved") for answer in answers) == ["Conflict", "moved"]
    registry.history("loan")


def test_s12_a_dead_lock_holder_is_in_nobody_s_way(place: Place, made: Made) -> None:
    registry, holder = place.registry(), place.child()
    registry.push(made("1.0.0"))
    assert holder.do("hold", lock="publishing") == "holding"
    holder.kill()
    began = time.monotonic()
    assert registry.push(made("1.1.0", content="more")).new
    registry.promote("loan@1.1.0")
    if place.is_folder:
        assert place.child().do("hold", lock="collecting") == "holding"
        place.children[-1].kill()
        assert registry.push(made("1.2.0", content="still more")).new
        registry.collect()
    assert time.monotonic() - began < 5.0


def test_s12_a_live_lock_holder_is_never_robbed(place: Place, made: Made) -> None:
    registry, holder = place.registry(), place.child()
    registry.push(made("1.0.0"))
    registry.promote("loan@1.0.0")
    registry._store._patience = 0.5  # type: ignore[attr-defined]
    assert holder.do("hold", lock="collecting") == "holding"
    with pytest.raises(RegistryError, match="right now"):
        registry.push(made("1.1.0", content="more"))
    with pytest.raises(RegistryError, match="right now"):
        registry.collect()
    # Readers, and whoever moves an alias, wait for nobody.
    assert registry.resolve("loan@champion").version == "1.0.0"
    registry.promote("loan@1.0.0", alias="challenger")
    assert holder.process.poll() is None


def test_garbage_collection_among_publishers_takes_nothing_that_is_needed(place: Place, made: Made) -> None:
    registry, publishers, collector = place.registry(), [place.child(), place.child()], place.child()
    for turn in range(15):
        folders = [made(f"{side}.{turn}", content=f"{turn}", files=4) for side in (1, 2)]  # they share their content
        at = time.monotonic() + SOON
        for publisher, folder in zip(publishers, folders, strict=True):
            publisher.tell("push", folder=str(folder), at=at)
        collector.tell("collect")
        assert all("new" in publisher.hear() for publisher in publishers)
        collector.hear()
    assert len(registry.versions("loan")) == 30
    assert registry.verify().whole
