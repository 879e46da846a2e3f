from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import sekisho
from sekisho.errors import ContractError, NotFound, WrongUse
from sekisho.gate.check import check
from sekisho.gate.graph import Units
from sekisho.gate.probe import probe
from sekisho.gate.verdict import Verdict, passed
from sekisho.text import use_language, verbatim

WORDS = verbatim("words")
BOX = "security/zeal"


@dataclass(frozen=True, kw_only=True)
class Zeal:
    n: int


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    @probe("security/zeal", title=WORDS)
    def zeal() -> Zeal:
        return Zeal(n=1)

    @check(BOX, title=WORDS, why=WORDS, remedy=WORDS)
    def box(zeal: Zeal) -> Verdict:
        return passed(verbatim("<b>well</b>"))

    units = Units.of((box,), (zeal,))
    monkeypatch.setattr(Units, "installed", classmethod(lambda cls: units))
    (tmp_path / "sekisho.toml").write_text('[model]\nname = "credit"\n', encoding="utf-8")
    return tmp_path


def test_a_notebook_gets_a_report_that_it_can_show(folder: Path) -> None:
    report = sekisho.check(str(folder), [BOX])
    assert report.passed
    html = report._repr_html_()
    assert "&lt;b&gt;well&lt;/b&gt;" in html
    assert "<b>" not in html
    with use_language("ja"):
        assert "合格" in report._repr_html_()


def test_the_contract_may_speak_of_a_box_that_a_distribution_adds(folder: Path) -> None:
    waiver = '\n[[waivers]]\nbox = "security/zeal"\nreason = "r"\nowner = "o"\nexpires = 2999-01-01\n'
    contract = folder / "sekisho.toml"
    contract.write_text(contract.read_text() + waiver, encoding="utf-8")
    assert sekisho.check(folder, [BOX]).passed
    contract.write_text(contract.read_text().replace("zeal", "zest"), encoding="utf-8")
    with pytest.raises(ContractError, match="security/zeal"):
        sekisho.check(folder, [BOX])


def test_a_running_service_can_be_judged_instead(folder: Path) -> None:
    report = sekisho.check(folder, [BOX], service="https://example.com/model")
    assert report.service == "https://example.com/model"
    assert report.terms.serving.command == ()


@pytest.mark.parametrize(
    "service", ["", "example.com", "ftp://example.com", "http://", "file:///etc/passwd", "http://[::1"]
)
def test_what_is_no_web_address_is_wrong_use(folder: Path, service: str) -> None:
    with pytest.raises(WrongUse):
        sekisho.check(folder, service=service)


def test_a_folder_without_a_contract_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFound, match="elsewhere"):
        sekisho.check(folder / "elsewhere")
