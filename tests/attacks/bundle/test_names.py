"""Names, labels and descriptions that would be code or page content elsewhere: they stay data in all that is made of an artifact."""

from __future__ import annotations

import ast
import html.parser
import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.attacks.bundle.hostile import one_line

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import pack
from sekisho.artifact.signature import Note
from sekisho.cli.main import run
from sekisho.contract.project import Project
from sekisho.documents.drift_report import page
from sekisho.errors import SekishoError, WrongUse
from sekisho.gate.testing import example_contract
from sekisho.shelf import units
from sekisho.targets.interface import Generator, Plan
from sekisho.watch.drift.detector import DriftDetector

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "sekisho-was-here"
WORDS = {
    "shell": f"\"; touch {MARK}; $(touch {MARK}) `touch {MARK}` ${{IFS}} '",
    "lines": f"one\nRUN touch {MARK}\r\nUSER root\x85\u2028last",
    "templates": "{{7*7}} {% include 'x' %} ${{7*7}} #{7*7} <%= 7*7 %> {{ $labels.instance }} __$value__",
    "pages": "<script>alert(1)</script><img src=x onerror=alert(1)> </title> --> ]]> &lt;",
    "Markdown": "[x](javascript:alert(1)) ![x](http://example.com/x.png) `` ` `` | --- | # x",
    "YAML": "- a: &x *x !!python/object/apply:os.system ['id'] # : {",
    "queries": '"} or vector(1) # \\" \\n',
    "addresses": "%0a%0d%00 ../../etc/passwd javascript:alert(1) data:text/html,x",
    "controls": "\x1b[31m\x07\x08\u202e\u2066\ufeff",
    "formula": "=cmd|'/c calc'!A1",
}
ALL = "".join(WORDS.values())


@pytest.mark.parametrize(
    "words", [*WORDS.values(), "", "..", ".", "-rf", "a/b", "a\\b", "a b", "日本語", "a" * 101, "con\n"]
)
@pytest.mark.parametrize("which", ["name", "version"])
def test_a24_a_name_or_version_that_is_code_is_not_packed(
    which: str, words: str, table: pd.DataFrame, model: Any, tmp_path: Path
) -> None:
    named: dict[str, Any] = {"name": "churn", "version": "1.0.0"} | {which: words}
    with pytest.raises(WrongUse) as caught:
        pack(model, table, "churn", folder=tmp_path / "out", lock=False, **named)
    one_line(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    """An artifact whose description, owner, features, categories and labels all try to be code."""
    random = np.random.default_rng(0)
    names = list(WORDS.values())[:4]
    rows = pd.DataFrame({name: random.choice(list(WORDS.values()), 200) for name in names})
    answers = pd.Series(
        np.where(rows[names[0]] < rows[names[1]], WORDS["pages"], WORDS["queries"]), name=WORDS["lines"]
    )
    fitted = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(rows, answers)
    return pack(
        fitted,
        rows,
        answers,
        folder=tmp_path_factory.mktemp("hostile") / "artifact",
        name="hostile",
        version="1.0.0+local",
        metadata={"description": ALL, "owner": ALL, "notes": {"x": ALL}},
        notes={names[0]: Note(unit=WORDS["pages"], description=ALL), names[1]: Note(sensitive=True)},
        lock=False,
    )


def generated(hostile: ModelArtifact, root: Path) -> Iterator[tuple[str, str]]:
    project = Project(
        root=root,
        contract=example_contract(
            model={"name": "hostile", "owner": ALL}, monitoring={"on_call": ALL}, quality={"reason": ALL}
        ),
    )
    settings = {
        "bucket": "models",
        "prefix": "sekisho",
        "role": "arn:aws:iam::123456789012:role/endpoint",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/model:1.0.0",
        "instance-type": "ml.m5.large",
    }
    plan = Plan(project=project, artifact=hostile, settings=settings)
    for id_, generator in units("sekisho.targets", Generator).items():
        if id_ in {"docker", "compose"} and hostile.lock is None:
            continue  # images are made of locked artifacts; tests/targets makes them
        for file in generator.render(plan):
            if not file.path.endswith(".whl") and "/artifact/" not in file.path:
                content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
                yield file.path, content.decode()


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (str(key), *leaves(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield value


def test_a24_a25_generated_files_hold_it_as_data(hostile: ModelArtifact, tmp_path: Path) -> None:
    seen = 0
    for path, text in generated(hostile, tmp_path):
        seen += 1
        if path.endswith((".yml", ".yaml")):
            parsed = yaml.safe_load(text)
            assert parsed
            assert not any(isinstance(each, str) and each.startswith(f"RUN touch {MARK}") for each in leaves(parsed))
        elif path.endswith(".json"):
            json.loads(text)
        elif path.endswith(".py"):
            ast.parse(text)
        elif path.endswith((".sh", "serve")):
            subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True)
            run_without_tools(text, tmp_path)
    assert seen >= 3


def run_without_tools(script: str, root: Path) -> None:
    """Run a script where every tool but ``touch`` does nothing: what it holds as data must not be run, wherever it stands."""
    tools, place = root / "tools", root / "place"
    tools.mkdir(exist_ok=True)
    place.mkdir(exist_ok=True)
    for name in ("curl", "sekisho", "ls"):
        (tools / name).write_text("#!/bin/sh\nexit 0\n")
        (tools / name).chmod(0o755)
    (tools / "touch").write_text('#!/bin/sh\n: > "$1"\n')
    (tools / "touch").chmod(0o755)
    subprocess.run(["/bin/sh"], input=script, text=True, check=True, cwd=place, env={"PATH": str(tools)})
    assert list(place.iterdir()) == []


def test_a24_alert_rules_are_what_prometheus_reads(hostile: ModelArtifact, tmp_path: Path) -> None:
    for path, text in generated(hostile, tmp_path):
        if not path.endswith("rules.yml"):
            continue
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                assert "vector(1)" not in rule["expr"].replace('\\"', "").split("#")[0] or '"' in rule["expr"]
                assert balanced(rule["expr"])


def balanced(query: str) -> bool:
    """Return whether the quotes and brackets of a query close: no label has ended early."""
    depth, quoted, skip = 0, False, False
    for each in query:
        if skip:
            skip = False
        elif quoted and each == "\\":
            skip = True
        elif each == '"':
            quoted = not quoted
        elif not quoted:
            depth += (each in "({[") - (each in ")}]")
            if depth < 0:
                return False
    return depth == 0 and not quoted


class Page(html.parser.HTMLParser):
    """Collects what could run or be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.harm: list[str] = []
        self.text = ""
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        for name, value in attributes:
            if name.startswith("on") or (value or "").strip().lower().startswith(("javascript:", "data:text")):
                self.harm.append(f"{tag} {name}={value}")
        if tag in {"img", "iframe", "object", "embed", "base"}:
            self.harm.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script" and "alert(1)" in data and "\\u003c" not in data.lower() and "<script>" in data:
            self.harm.append("script")
        if self.inside not in {"script", "style"}:
            self.text += data


def test_a25_the_drift_report_shows_it_as_words(hostile: ModelArtifact) -> None:
    random = np.random.default_rng(1)
    rows = pd.DataFrame({name: random.choice([WORDS["pages"], "new"], 300) for name in hostile.signature.names})
    report = DriftDetector(hostile).detect_drift(rows)
    shown = Page(page(report, reference=ALL, current=ALL))
    assert shown.harm == []
    assert "<script>alert(1)</script>" in shown.text  # as words


def test_a25_inspect_prints_one_line_a_fact(hostile: ModelArtifact, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(hostile.folder)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert not any(line.startswith("RUN touch") for line in out.splitlines())
    assert run(["inspect", str(hostile.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["description"] == ALL


@pytest.mark.slow
def test_a24_a25_the_service_says_it_as_data(hostile: ModelArtifact) -> None:
    command = [sys.executable, "-m", "sekisho", "serve", str(hostile.folder), "--port", "0", "--no-watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        ends = threading.Timer(60, service.kill)
        ends.start()
        try:
            assert service.stdout is not None
            ready = next(line for line in map(json.loads, service.stdout) if line["event"] == "ready")
            row = dict(hostile.golden.rows[0])
            said, _ = ask(f"{ready['url']}/predict", json.dumps({"features": row}).encode())
            assert json.loads(said)["prediction"] in (hostile.signature.output.classes or ())
            docs, headers = ask(f"{ready['url']}/docs")
            assert Page(docs.decode()).harm == []
            assert (
                "script-src" in headers["content-security-policy"]
                or "default-src" in headers["content-security-policy"]
            )
            document = json.loads(ask(f"{ready['url']}/openapi.json")[0])
            assert set(WORDS.values()) & set(leaves(document))
            json.loads(ask(f"{ready['url']}/model/info")[0])
            families = list(text_string_to_metric_families(ask(f"{ready['url']}/metrics")[0].decode()))
            assert families
        finally:
            service.terminate()
            log, _ = service.communicate(timeout=30)
            ends.cancel()
    assert all(json.loads(line) for line in log.splitlines())


def ask(url: str, body: bytes | None = None) -> tuple[bytes, dict[str, str]]:
    headers = {"content-type": "application/json"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=20) as answer:
        return answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def test_a24_an_error_is_one_plain_line_whatever_the_path(tmp_path: Path) -> None:
    for words in WORDS.values():
        folder = tmp_path / words.replace("/", "_").replace("\0", "_")[:80]
        with pytest.raises(SekishoError) as caught:
            ModelArtifact.load(folder)
        one_line(caught.value)
