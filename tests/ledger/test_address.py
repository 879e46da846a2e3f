"""Where a book may be, and that its password is shown to nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sekisho.errors import LedgerError, WrongUse
from sekisho.ledger.address import (
    PASSWORD,
    PASSWORD_FILE,
    checked,
    is_there,
    is_url,
    password_of,
    set_apart,
    shown,
    without,
    without_password,
)

SECRETS = [
    ("postgresql://u:s3cret@h:5432/d", "postgresql://u@h:5432/d"),
    ("postgres://u:s3%40cret@[::1]/d?sslmode=require", "postgres://u@[::1]/d?sslmode=require"),
    ("postgresql://h/d?user=u&password=s3cret&sslmode=require", "postgresql://h/d?user=u&sslmode=require"),
    ("postgresql:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
]


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD, PASSWORD_FILE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("url", "bare"), SECRETS)
def test_a_password_is_taken_out_of_a_url(url: str, bare: str) -> None:
    found, password = without_password(url)
    assert found == bare
    assert (password is None) == (url == bare)
    assert "cret" not in shown(url)
    assert "?" not in shown(url)


def test_a_password_comes_from_the_url_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert password_of("postgresql://u@h/d") is None
    monkeypatch.setenv(PASSWORD, "of the environment")
    assert password_of("postgresql://u@h/d") == "of the environment"
    (tmp_path / "p").write_text("of the file\n")
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "p"))
    assert password_of("postgresql://u@h/d") == "of the file"
    assert password_of("postgresql://u:of%20the%20URL@h/d") == "of the URL"
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "missing"))
    with pytest.raises(LedgerError) as raised:
        password_of("postgresql://u@h/d")
    assert PASSWORD_FILE in str(raised.value)


def test_children_find_the_password_in_their_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "old")
    monkeypatch.setenv(PASSWORD_FILE, "/nowhere")
    assert set_apart("postgresql://u:new@h/d") == "postgresql://u@h/d"
    assert (os.environ[PASSWORD], PASSWORD_FILE in os.environ) == ("new", False)
    assert set_apart("book.sqlite") == "book.sqlite"
    assert password_of("postgresql://u@h/d") == "new"


def test_a_password_is_taken_out_of_words() -> None:
    assert without("no p@ss here, nor p%40ss", "p@ss") == "no *** here, nor ***"
    assert without("nothing", None) == "nothing"


def test_files_and_urls_are_told_apart(tmp_path: Path) -> None:
    assert checked("a/b.sqlite") == Path("a/b.sqlite")
    assert is_url(str(checked("postgres://h/d")))
    assert not is_there(tmp_path / "b")
    assert is_there("postgresql://h/d")
    for wrong in ("mysql://h/d", "http://h/d", "postgresql://h/d#x", "postgresql://h:99999999/d"):
        with pytest.raises(WrongUse):
            checked(wrong)
