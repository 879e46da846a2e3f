"""API keys: made at random, kept as hashes, read strictly."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

import pytest

from sekisho.errors import NotFound, WrongUse
from sekisho.serving.guards.keys import KeyRing, is_key_of, new_key, read_secret, refuse_guessable


def test_a_new_key_is_random_and_only_its_salted_hash_is_written() -> None:
    secret, line = new_key("app", ("predict", "metrics"))
    assert secret != new_key("app")[0]
    assert len(secret) > 40
    assert re.fullmatch(r"app:predict,metrics:[0-9a-f]{32}\$[0-9a-f]{64}", line)
    assert not [secret[at : at + 6] for at in range(len(secret) - 5) if secret[at : at + 6] in line]
    assert hashlib.sha256(secret.encode()).hexdigest() not in line
    assert is_key_of(line, secret)
    assert not is_key_of(line, secret[:-1])
    assert not is_key_of(line, new_key("app")[0])


def test_keys_that_begin_alike_have_other_hashes() -> None:
    lines = [new_key("app")[1] for _ in range(50)]
    assert len({line.partition("$")[0] for line in lines}) == 50


def test_lines_of_the_older_form_are_read(tmp_path: Path) -> None:
    secret = "sk_" + "x1" * 20
    line = f"old:predict:{hashlib.sha256(secret.encode()).hexdigest()}"
    new, new_line = new_key("new")
    (tmp_path / "keys").write_text(f"{line}\n{new_line}\n")
    ring = KeyRing(tmp_path / "keys")
    assert [getattr(ring.find(each.encode()), "id", None) for each in (secret, new, secret + "x")] == [
        "old",
        "new",
        None,
    ]
    assert is_key_of(line, secret)


@pytest.mark.parametrize("word", ["", "a", "ab1z", "9999", "admin", "CHANGEME", "Secret123", "your-api-key", "0" * 32])
def test_keys_that_somebody_could_guess_are_refused(tmp_path: Path, word: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"a:predict:{hashlib.sha256(word.encode()).hexdigest()}")
    with pytest.raises(WrongUse, match=r"knows this key|can be guessed"):
        refuse_guessable(path)


def test_nothing_short_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"a:predict:{hashlib.sha256(b'Zq9#fedcba98765').hexdigest()}")
    assert KeyRing(path).find(b"Zq9#fedcba98765") is None


def test_ten_thousand_keys_are_read_and_found_at_once(tmp_path: Path) -> None:
    made = [new_key(f"app-{number}") for number in range(10_000)]
    path = tmp_path / "keys"
    path.write_text("\n".join(line for _, line in made))
    began = time.monotonic()
    ring = KeyRing(path)
    assert all(ring.find(secret.encode()) for secret, _ in made[:1_000])
    assert time.monotonic() - began < 3.0


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
