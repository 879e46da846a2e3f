"""Secrets are made once, for their owner alone, and fit one another."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sekisho.ledger.keys import read_keys
from sekisho.serving.guards.keys import KeyRing
from sekisho.targets.parts.secrets import make_secrets


def scopes(folder: Path, key: str) -> list[str]:
    caller = KeyRing(folder / "secrets/api_keys").find((folder / "secrets" / key).read_bytes())
    return [] if caller is None else sorted(caller.scopes)


def test_each_client_has_a_key_that_the_service_knows(tmp_path: Path) -> None:
    make_secrets(tmp_path, authentication=True, dashboard=True)
    assert scopes(tmp_path, "client_key") == ["predict"]
    assert scopes(tmp_path, "metrics_key") == ["metrics"]
    assert len((tmp_path / "secrets/grafana_admin_password").read_text()) >= 32


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_secrets(tmp_path, authentication=True, dashboard=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    owner = os.getuid() or 65534
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_uid == owner
    assert f"SEKISHO_UID={owner}\n" in (tmp_path / ".env").read_text()
    assert (tmp_path / "secrets/.gitignore").read_text() == "*\n"


def test_the_service_gets_no_key_itself(tmp_path: Path) -> None:
    make_secrets(tmp_path, authentication=True, dashboard=False)
    known = (tmp_path / "secrets/api_keys").read_text()
    for key in ("client_key", "metrics_key"):
        assert (tmp_path / "secrets" / key).read_text() not in known


def test_a_book_with_keys_gets_one_and_keeps_it(tmp_path: Path) -> None:
    for _ in range(2):
        make_secrets(tmp_path, authentication=False, dashboard=False, ledger_keys=True)
        (key,) = read_keys(tmp_path / "secrets/ledger_keys").keys
        assert key.id == "first"
    assert not (tmp_path / "secrets/api_keys").exists()


def test_running_again_keeps_them(tmp_path: Path) -> None:
    make_secrets(tmp_path, authentication=True, dashboard=True)
    before = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    make_secrets(tmp_path, authentication=True, dashboard=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == before


@pytest.mark.parametrize("lost", ["client_key", "metrics_key", "api_keys"])
def test_what_is_lost_is_made_anew_and_fits(tmp_path: Path, lost: str) -> None:
    make_secrets(tmp_path, authentication=True, dashboard=False)
    (tmp_path / "secrets" / lost).unlink()
    make_secrets(tmp_path, authentication=True, dashboard=False)
    assert scopes(tmp_path, "client_key") == ["predict"]
    assert scopes(tmp_path, "metrics_key") == ["metrics"]
    assert len((tmp_path / "secrets/api_keys").read_text().splitlines()) == 2


def test_keys_that_people_added_stay(tmp_path: Path) -> None:
    make_secrets(tmp_path, authentication=True, dashboard=False)
    keys = tmp_path / "secrets/api_keys"
    added = f"partner:predict:{'a' * 64}"
    keys.write_text(keys.read_text() + added + "\n")
    (tmp_path / "secrets/client_key").unlink()
    make_secrets(tmp_path, authentication=True, dashboard=False)
    assert added in keys.read_text().splitlines()


def test_a_service_without_keys_has_none(tmp_path: Path) -> None:
    make_secrets(tmp_path, authentication=False, dashboard=True)
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == {".gitignore", "grafana_admin_password"}
