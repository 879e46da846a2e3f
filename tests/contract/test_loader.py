"""Loading a project: every mistake at once, each with its line, its name, what was expected, and the nearest name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sekisho.contract.loader import LARGEST, MOST_FAULTS, load_project, read_contract
from sekisho.contract.sections import Contract, Model
from sekisho.errors import ContractError, NotFound, WrongUse
from sekisho.text import use_language

if TYPE_CHECKING:
    from pathlib import Path

LEAST = "[model]\nname = 'm'\n"
DIGEST = "0123456789abcdef" * 4


def faults(text: str | bytes) -> list[str]:
    """Return every fault of a contract as ``line name: what → remedy``, in English."""
    content = text.encode() if isinstance(text, str) else text
    with use_language("en"), pytest.raises(ContractError) as raised:
        read_contract(content, "f")
    return [line.removeprefix("f:") for line in str(raised.value).splitlines()]


# --- files ---


def test_a_folder_or_its_contract_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "関 所" / "sekisho.toml"
    file.parent.mkdir()
    file.write_text(LEAST)
    for path in (file, file.parent):
        project = load_project(path)
        assert project.root == file.parent
        assert project.contract == Contract(model=Model(name="m"))
    other = file.with_name("staging.toml")
    other.write_text("[model]\nname = 'n'\n")
    assert load_project(other).contract.model.name == "n"


def test_the_root_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sekisho.toml").write_text(LEAST)
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    assert load_project(Path()).root == tmp_path
    assert load_project(Path("sekisho.toml")).root == tmp_path


@pytest.mark.parametrize(
    "text", [f"\ufeff{LEAST}", LEAST.replace("\n", "\r\n"), f"\ufeff{LEAST}".replace("\n", "\r\n")]
)
def test_a_byte_order_mark_and_carriage_returns_are_all_right(text: str) -> None:
    assert read_contract(text.encode(), "f").model.name == "m"


def test_lines_are_right_with_a_byte_order_mark_and_carriage_returns() -> None:
    assert [each.split(":")[0] for each in faults("\ufeff[model]\r\nname = 'm'\r\nx = 1\r\n\r\ny = 2\r\n")] == [
        "3",
        "5",
    ]


def test_a_contract_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "none" / "sekisho.toml"):
        with pytest.raises(NotFound, match="sekisho init"):
            load_project(path)
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        load_project(tmp_path / "file" / "below")


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sekisho.toml")
    with pytest.raises(WrongUse, match="regular file"):
        load_project(tmp_path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sekisho.toml"
    file.write_text(LEAST + "#" * LARGEST)
    with pytest.raises(WrongUse, match="at most"):
        load_project(file)
    file.write_text(LEAST + "#" * (LARGEST - len(LEAST)))
    load_project(file)


@pytest.mark.parametrize(("content", "line"), [(b"[model]\nname = '\xff'\n", 2), ("[model]".encode("utf-16"), 1)])
def test_other_encodings_are_refused_with_the_line(content: bytes, line: int) -> None:
    assert faults(content) == [f"{line}: this is not UTF-8 → save the file as UTF-8"]


# --- every mistake at once ---


def test_every_mistake_is_reported_at_once_in_the_order_of_the_lines() -> None:
    found = faults(
        """\
[model]
nmae = "x"
artifact = "../x"
metric = "auc"

[quality]
threshold = "high"
confidence = 95
seed = 1.5

[serving.mapping]
request = "{}"
"""
    )
    assert found == [
        '1: model.name: this is missing → write, for example, name = "credit-risk"',
        "2: model.nmae: there is no such key → did you mean model.name?",
        "3: model.artifact: this path leaves the project's folder → write a path inside the project's folder, such as data/test.parquet",
        "4: model.metric: there is no such key → did you mean quality.metric?",
        '7: quality.threshold: expected a number, not "high" → write, for example, threshold = 0.8',
        "8: quality.confidence: expected a number (> 0.5, < 1), not 95 → write, for example, confidence = 0.95",
        "9: quality.seed: expected a whole number (≥ 0), not 1.5 → write, for example, seed = 20240601",
        """12: serving.mapping.request: neither "{features}" nor "{named}" stands in it → write, for example, request = '{"features": "{features}"}'""",
    ]


def test_mistakes_of_syntax_and_of_sense_come_together() -> None:
    found = faults("[model]\nname = m\n[qualty]\nthreshold = 0.8\n")
    assert [each.partition(" →")[0] for each in found] == [
        "2: this value cannot be read",
        "3: qualty: there is no such section",
    ]


def test_what_was_left_out_for_its_syntax_is_not_called_missing() -> None:
    assert len(faults("[model\nname = 'm'\n")) == 1
    assert len(faults("[model]\nname = m\n")) == 1


def test_japanese_faults_are_japanese() -> None:
    with use_language("ja"), pytest.raises(ContractError) as raised:
        read_contract(b"[model]\nnmae = 'x'\n[serving]\nworkers = 0\n", "f")
    with use_language("ja"):
        said = str(raised.value).splitlines()
    assert said == [
        'f:1: model.name: 指定されていません → 例: name = "credit-risk"',
        "f:2: model.nmae: このようなキーはありません → model.name のことですか?",
        "f:4: serving.workers: 0 は使えません。正しくは整数 (≥ 1, ≤ 256) → 例: workers = 1",
    ]


def test_an_empty_contract_lacks_its_model() -> None:
    assert faults("") == ["1: model: this is missing → write a section [model]"]


def test_faults_have_a_limit_and_cost_little() -> None:
    assert len(faults(LEAST + "".join(f"key_{number} = 1\n" for number in range(5_000)))) == MOST_FAULTS


# --- single mistakes ---

SINGLE = [
    ("[serving]\nworkers = 0", "serving.workers: expected a whole number (≥ 1, ≤ 256), not 0"),
    ("[serving]\nworkers = -1", "serving.workers: expected a whole number"),
    ("[serving]\nworkers = 1.0", "serving.workers: expected a whole number"),
    ("[serving]\nworkers = true", "serving.workers: expected a whole number (≥ 1, ≤ 256), not true"),
    ("[serving]\nworkers = '2'", 'serving.workers: expected a whole number (≥ 1, ≤ 256), not "2"'),
    ("[serving]\nstart_seconds = inf", "serving.start_seconds: expected a number (> 0), not inf"),
    ("[serving]\nstart_seconds = nan", "serving.start_seconds: expected a number"),
    ("[serving]\nstart_seconds = 0", "serving.start_seconds: expected a number"),
    ("[serving]\nport = 70000", "serving.port: expected a whole number (≥ 0, ≤ 65,535), not 70000"),
    ("[quality]\nseed = 9223372036854775808", "quality.seed: expected a whole number"),
    ("[quality]\nthreshold = nan", "quality.threshold: expected a number, not nan"),
    ("[quality]\nmetric = ''", 'quality.metric: expected text that is not empty, not ""'),
    ("[quality]\nmetric = 1979-05-27", "quality.metric: expected text that is not empty, not 1979-05-27"),
    ("[quality]\nmetric = 07:32:00", "quality.metric: expected text that is not empty, not a time of day"),
    ("[quality]\nmetric = []", "quality.metric: expected text that is not empty, not a list"),
    ("[quality.metric]\nx = 1", "quality.metric: expected text that is not empty, not a table"),
    ("[data]\npositive = 1.5", "data.positive: expected text or a whole number or true or false, not 1.5"),
    ("[data]\nignored = ['a', 1]", "data.ignored[1]: expected text, not 1"),
    ("[data]\nignored = 'a'", "data.ignored: expected a list, each text"),
    ("[fairness]\nnotions = ['eror']", 'fairness.notions[0]: expected one of "calibration", "error"'),
    ("[security]\nout_of_range = 'Reject'", "→ did you mean reject?"),
    (
        "[[waivers]]\nbox = 'monitoring/alert'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01",
        "did you mean monitoring/alerts?",
    ),
    ("[[waivers]]\nbox = 'zzz'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01", "there is no box zzz"),
    ("[[not_applicable]]\nbox = 'zzz'\nreason = 'r'\nowner = 'o'", "not_applicable[0].box: there is no box zzz"),
    (
        "[[waivers]]\nbox = 'testing/unit'\nreason = 'r'\nowner = 'o'",
        "waivers[0].expires: this is missing → write, for example, expires = 2027-03-31",
    ),
    (
        "[[waivers]]\nbox = 'testing/unit'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01T00:00:00",
        "waivers[0].expires: expected a day",
    ),
    (
        "[waivers]\nbox = 'testing/unit'",
        "waivers: expected a list, each a table, not a table → write a section [[waivers]]",
    ),
    ("waivers = ['x']\n" + LEAST, "waivers[0]: expected a table"),
    ("quality = 1\n" + LEAST, "quality: expected a table, not 1 → write a section [quality]"),
    ("format = 2\n" + LEAST, "format: expected 1, not 2"),
    ("[serving]\nurl = 'localhost:8000'", "serving.url: this is not the address of a web service"),
    ("[serving]\nurl = 'http://'", "serving.url"),
    ("[serving]\nurl = 'http://x:99999'", "serving.url"),
    ("[serving]\nurl = 'http://[::1'", "serving.url"),
    ("[serving.mapping]\nrequest = '{'", "serving.mapping.request: this is not JSON"),
    ("[rollout]\nsteps = []", "rollout.steps: the steps do not rise"),
    ("[rollout]\nsteps = [0.5, 0.1, 1]", "rollout.steps: the steps do not rise"),
    ("[rollout]\nsteps = [0.5]", "rollout.steps: the steps do not rise"),
    ("[rollout]\nsteps = [0.0, 1.0]", "rollout.steps: the steps do not rise"),
    ("[infrastructure]\ncurrency = 'yen'", "expected a currency code"),
    ("[sign-offs]\nx = 1", "did you mean sign_offs?"),
    ("[serving.maping]\npredict = '/p'", "did you mean serving.mapping?"),
    ("[xyzzy]\n", "xyzzy: there is no such section → known are model, registry, data, quality"),
    ("[tests]\nqwxz = 1", "tests.qwxz: there is no such key → known are unit, integration, ab_plan"),
    ("[serving]\nrate_limit = 5", "did you mean security.rate_limit?"),
    (f"[model]\nname = '{'x' * 101}'", "model.name: expected at most 100 letters"),
    ("[model]\nname = '../m'", "model.name: expected at most 100 letters"),
    ('[model]\nname = "m\\n"', "model.name: expected at most 100 letters"),
]


@pytest.mark.parametrize(("text", "words"), SINGLE, ids=[text.replace("\n", " ")[:50] for text, _ in SINGLE])
def test_a_single_mistake_is_the_only_one_reported(text: str, words: str) -> None:
    found = faults(text if "[model]" in text else f"{LEAST}{text}")
    assert len(found) == 1
    assert words in found[0]
    assert " → " in found[0]
    line = int(found[0].partition(":")[0])
    assert 1 <= line <= text.count("\n") + 3


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "..", "/x", "//x", "~/x", "~", "C:\\x", "C:x", " x", "x ", "x\t", "a\0b", "\\\\server\\x"],
)
@pytest.mark.parametrize(
    "place",
    ["model.artifact", "data.test", "infrastructure.lock", "documents.model_card", "documents.folder", "tests.ab_plan"],
)
def test_files_of_the_project_stay_inside_it(path: str, place: str) -> None:
    section, _, key = place.partition(".")
    written = path.replace("\\", "\\\\").replace("\0", "\\u0000").replace("\t", "\\t")
    name = "name = 'm'\n" if section == "model" else f"name = 'm'\n[{section}]\n"
    (found,) = faults(f'[model]\n{name}{key} = "{written}"\n')
    assert found.split(": ")[1] == place


@pytest.mark.parametrize(
    "path", ["x", "./x", "a/b.csv", "a b", "データ/表.parquet", "%41", "-x", "a..b", "..a", "~x"[::-1]]
)
def test_paths_inside_are_accepted(path: str) -> None:
    assert read_contract(f"{LEAST}[data]\ntest = '{path}'\n".encode(), "f").data.test == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("personal = 'hash'", "ledger.personal: this needs a secret key"),
        ("subject = 'id'\nkey_file = 'k'\npersonal = 'shred'", "ledger.personal: expected"),
        ("subject = 'id'", "ledger.subject: this needs a secret key"),
        ("subject_header = 'X-ID'\npersonal = 'mask'", "ledger.subject_header: this needs a secret key"),
        ("location = 'mysql://h/d'", "ledger.location: a book cannot be at this address"),
        ("location = 'postgresql://u:secret@h/d'", "ledger.location: a password stands in the contract"),
        ("location = 'postgresql://h/d?user=u&password=secret'", "ledger.location: a password stands in the contract"),
    ],
)
def test_a_book_that_cannot_be_kept_is_reported(text: str, words: str) -> None:
    (found,) = faults(f"{LEAST}[ledger]\n{text}\n")
    assert words in found
    assert "secret@" not in found
    assert "=secret" not in found


def test_a_book_may_be_in_a_database_and_its_key_anywhere() -> None:
    text = "location = 'postgresql://u@h/d'\npersonal = 'encrypt'\nkey_file = '/run/secrets/keys'\nsubject = 'id'\n"
    assert read_contract(f"{LEAST}[ledger]\n{text}".encode(), "f").ledger.key_file == "/run/secrets/keys"


def test_the_key_file_may_lie_outside() -> None:
    contract = read_contract(f"{LEAST}[security]\nkey_file = '/run/secrets/keys'\n".encode(), "f")
    assert contract.security.key_file == "/run/secrets/keys"


# --- statements of people ---


def sign_off(**changes: str) -> str:
    values = {
        "box": "'monitoring/alerts'",
        "statement": "'s'",
        "author": "'Aoi'",
        "reviewer": "'Ren'",
        "artifact": f"'{DIGEST}'",
        "issued": "2027-01-01",
        "expires": "2027-06-30",
    } | changes
    return LEAST + "[[sign_offs]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reviewer": "'aoi'"}, "sign_offs[0].reviewer: the reviewer is the author"),
        ({"reviewer": "' ＡＯＩ '"}, "sign_offs[0].reviewer: the reviewer is the author"),
        (
            {"expires": "2026-12-31"},
            "sign_offs[0].expires: it expires on 2026-12-31, before it was issued on 2027-01-01",
        ),
        ({"artifact": "'abc'"}, "sign_offs[0].artifact: expected a SHA-256"),
        ({"artifact": f"'{DIGEST.upper()}'"}, "sign_offs[0].artifact: expected a SHA-256"),
        (
            {"box": "'monitoring/alrts'"},
            "sign_offs[0].box: there is no box monitoring/alrts → did you mean monitoring/alerts?",
        ),
        ({"evidence": "'/etc/passwd'"}, "sign_offs[0].evidence: this path is absolute"),
    ],
)
def test_a_sign_off_that_cannot_count_is_a_fault(changes: dict[str, str], words: str) -> None:
    (found,) = faults(sign_off(**changes))
    assert words in found


def test_one_mistake_in_a_sign_off_does_not_hide_another() -> None:
    assert len(faults(sign_off(reviewer="'Aoi'", artifact="'x'", expires="2026-01-01", box="'x'"))) == 4


def test_a_sound_sign_off_loads() -> None:
    for artifact in (DIGEST, f"sha256:{DIGEST}"):
        (statement,) = read_contract(sign_off(artifact=f"'{artifact}'").encode(), "f").sign_offs
        assert statement.artifact == artifact


def test_a_box_is_excused_once() -> None:
    waiver = "[[waivers]]\nbox = 'testing/unit'\nreason = 'r'\nowner = 'o'\nexpires = 2027-01-01\n"
    na = "[[not_applicable]]\nbox = 'testing/unit'\nreason = 'r'\nowner = 'o'\n"
    for text, place, first in (
        (waiver + na, "not_applicable[0].box", "waivers[0]"),
        (waiver + waiver, "waivers[1].box", "waivers[0]"),
    ):
        (found,) = faults(LEAST + text)
        assert f"{place}: testing/unit is excused already, by {first}" in found


def test_a_caller_may_know_more_boxes() -> None:
    text = f"{LEAST}[[not_applicable]]\nbox = 'quality/taste'\nreason = 'r'\nowner = 'o'\n".encode()
    with pytest.raises(ContractError):
        read_contract(text, "f")
    assert read_contract(text, "f", boxes=["quality/taste"]).not_applicable[0].box == "quality/taste"
