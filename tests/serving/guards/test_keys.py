"""API keys: made at random, kept as hashes, read strictly."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sekisho.errors import NotFound, WrongUse
from sekisho.serving.guards.keys import KeyRing, new_key, read_secret


def test_a_new_key_is_random_and_only_its_hash_is_written() -> None:
    secret, line = new_key("app", ("predict", "metrics"))
    assert secret != new_key("app")[0]
    assert len(secret) > 40
    assert secret not in line
    assert line == f"app:predict,metrics:{hashlib.sha256(secret.encode()).hexdigest()}"


@pytest.mark.parametrize("key_id", ["", "a b", "a:b", "../x", "x" * 65, "a\n"])
def test_ids_that_would_break_the_file_are_refused(key_id: str) -> None:
    with pytest.raises(WrongUse):
        new_key(key_id)


def test_a_ring_knows_its_keys_and_no_others(tmp_path: Path) -> None:
    (secret, line), (_, other) = new_key("app", ("predict",)), new_key("ops", ("admin",))
    path = tmp_path / "keys"
    path.write_text(f"\ufeff# made by hand\n\n{line}\n{other}\n", encoding="utf-8")
    ring = KeyRing(path)
    assert ring.ids == ("app", "ops")
    found = ring.find(secret.encode())
    assert found is not None
    assert (found.id, found.may("predict"), found.may("metrics"), found.may(None)) == ("app", True, False, True)
    for wrong in (b"", b"x", secret.encode()[:-1], secret.encode() + b"x", secret.upper().encode(), b"x" * 1_000_000):
        assert ring.find(wrong) is None


def test_an_admin_may_do_everything(tmp_path: Path) -> None:
    secret, line = new_key("ops", ("admin",))
    (tmp_path / "keys").write_text(line)
    found = KeyRing(tmp_path / "keys").find(secret.encode())
    assert found is not None
    assert found.may("predict")
    assert found.may("metrics")


def test_a_file_that_becomes_useless_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    (first, line), (second, next_line) = new_key("one"), new_key("two")
    path.write_text(line)
    ring = KeyRing(path)
    assert not ring.refresh()
    path.write_text("garbage")
    os.utime(path, (1, 1))
    with pytest.raises(WrongUse):
        ring.refresh()
    assert ring.find(first.encode()) is not None
    path.unlink()
    with pytest.raises(NotFound):
        ring.refresh()
    path.write_text(next_line)
    assert ring.refresh()
    assert ring.epoch == 1
    assert ring.find(first.encode()) is None
    assert ring.find(second.encode()) is not None


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({b"x-api-key": b"k"}, b"k"),
        ({b"authorization": b"Bearer k"}, b"k"),
        ({b"authorization": b"bearer  k "}, b"k"),
        ({b"x-api-key": b"", b"authorization": b"Bearer k"}, b""),
        ({b"authorization": b"Basic k"}, None),
        ({b"authorization": b"k"}, None),
        ({b"cookie": b"x-api-key=k"}, None),
        ({}, None),
    ],
)
def test_where_a_key_may_stand(fields: dict[bytes, bytes], secret: bytes | None) -> None:
    assert read_secret(fields, b"x-api-key") == secret
