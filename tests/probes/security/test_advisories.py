"""Known holes are found in files and at a server; a source that says nothing proves nothing."""

from __future__ import annotations

import datetime as dt
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.contract.template import render_contract
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status
from sekisho.probes.files.advisories import KNOWN_HOLES, Advisory, holes, read_advisories

BOX = "security/vulnerabilities"
TODAY = dt.datetime.now(dt.UTC).date().isoformat()
HASH = "--hash=sha256:" + "ab" * 32
CLEAN = {"starlette": "0.49.1", "h11": "0.16.0", "example": "2.0.0"}


def record(name: str = "example", *, severity: str = "HIGH", fixed: str | None = "1.5", modified: str = TODAY) -> Any:
    events: list[dict[str, str]] = [{"introduced": "0"}]
    if fixed is not None:
        events.append({"fixed": fixed})
    return {
        "id": f"TEST-{name}",
        "modified": f"{modified}T00:00:00Z",
        "database_specific": {"severity": severity},
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ],
    }


class Server(BaseHTTPRequestHandler):
    """A small server with the interface of OSV."""

    known: dict[str, Any]
    answers = True

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        results: list[dict[str, Any]] = []
        for query in queries:
            name, token = query["package"]["name"], query.get("page_token")
            found = self.known.get(name)
            if found is None:
                results.append({})
            elif token is None:  # the hole stands on the second page
                results.append({"next_page_token": "more"})
            else:
                results.append({"vulns": [{"id": found["id"]}]})
        self._send({"results": results if self.answers else results[:-1]})

    def do_GET(self) -> None:
        self._send(next(each for each in self.known.values() if self.path.endswith(each["id"])))

    def _send(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Server.known, Server.answers = {}, True
    served = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def judge(root: Path, pins: dict[str, str], source: str | None, dockerfile: str | None = None) -> Item:
    (root / "requirements.lock").write_text("".join(f"{name}=={at} {HASH}\n" for name, at in pins.items()))
    if dockerfile is not None:
        (root / "Dockerfile").write_text(dockerfile)
    values: dict[str, Any] = {
        "model": {"name": "example"},
        "infrastructure": {"lock": "requirements.lock"},
        "security": {"advisories": source} if source else {},
    }
    (root / "sekisho.toml").write_text(render_contract(values, "en"), encoding="utf-8")
    (item,) = run_gate(Project(root=root, contract=msgspec.convert(values, Contract)), ids=[BOX]).items
    return item


def test_a_clean_lock_that_was_wholly_looked_up_passes(tmp_path: Path, server: str) -> None:
    item = judge(tmp_path, CLEAN, server)
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["audited"] == 3


def test_a_hole_on_a_later_page_is_found(tmp_path: Path, server: str) -> None:
    Server.known = {"example": record(fixed="3.0")}
    item = judge(tmp_path, CLEAN, server)
    assert item.status is Status.FAIL
    assert "TEST-example, 3.0" in item.verdict.summary.en


def test_a_server_that_leaves_one_out_proves_nothing(tmp_path: Path, server: str) -> None:
    Server.answers = False
    assert judge(tmp_path, CLEAN, server).status is Status.UNKNOWN


def test_f55a_a_server_that_cannot_be_reached_proves_nothing(tmp_path: Path) -> None:
    assert judge(tmp_path, CLEAN, "http://127.0.0.1:9").status is Status.UNKNOWN
    assert judge(tmp_path, CLEAN, None).status is Status.UNKNOWN


@pytest.mark.parametrize(("name", "version"), [("starlette", "0.48.0"), ("h11", "0.14.0"), ("bentoml", "1.4.2")])
def test_f55c_a_known_bad_version_fails_without_any_source(tmp_path: Path, name: str, version: str) -> None:
    item = judge(tmp_path, CLEAN | {name: version}, None)
    assert item.status is Status.FAIL
    assert f"{name} {version}" in item.verdict.summary.en


@pytest.mark.parametrize("form", ["folder", "list", "zip"])
def test_files_of_records(tmp_path: Path, form: str) -> None:
    records = [record(fixed="3.0"), record("other")]
    if form == "folder":
        (tmp_path / "osv").mkdir()
        for each in records:
            (tmp_path / "osv" / f"{each['id']}.json").write_text(json.dumps(each))
    elif form == "list":
        (tmp_path / "osv").write_text(json.dumps(records))
    else:
        with zipfile.ZipFile(tmp_path / "osv.zip", "w") as archive:
            for each in records:
                archive.writestr(f"{each['id']}.json", json.dumps(each))
    source = "osv.zip" if form == "zip" else "osv"
    assert judge(tmp_path, CLEAN, source).status is Status.FAIL
    assert judge(tmp_path, CLEAN | {"example": "3.0"}, source).status is Status.PASS


def test_old_records_and_broken_files_prove_nothing(tmp_path: Path) -> None:
    (tmp_path / "osv.json").write_text(json.dumps([record("other", modified="2020-01-01")]))
    item = judge(tmp_path, CLEAN, "osv.json")
    assert item.status is Status.UNKNOWN
    assert "days old" in item.verdict.summary.en
    for text in ("", "[]", "{", "[1]", '{"advisories": 3}'):
        (tmp_path / "osv.json").write_text(text)
        assert judge(tmp_path, CLEAN, "osv.json").status is Status.UNKNOWN


def test_open_requirements_cannot_be_looked_up(tmp_path: Path, server: str) -> None:
    judge(tmp_path, CLEAN, server)
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write("numpy>=1.20\n")
    (item,) = run_gate(
        Project(
            root=tmp_path,
            contract=msgspec.convert(
                {
                    "model": {"name": "example"},
                    "infrastructure": {"lock": "requirements.lock"},
                    "security": {"advisories": server},
                },
                Contract,
            ),
        ),
        ids=[BOX],
    ).items
    assert item.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("version", "speaks"), [("1.4.9", True), ("1.5", False), ("1.5.0rc1", True), ("2.0", False), ("odd!", False)]
)
def test_ranges_follow_pep_440(version: str, speaks: bool) -> None:
    advisory = msgspec.convert(record(), Advisory)
    assert bool(list(holes(advisory, "example", version))) is speaks


def test_what_is_withdrawn_or_of_another_ecosystem_does_not_count() -> None:
    withdrawn = msgspec.convert(record() | {"withdrawn": TODAY}, Advisory)
    other = record()
    other["affected"][0]["package"]["ecosystem"] = "npm"
    assert not list(holes(withdrawn, "example", "1.0"))
    assert not list(holes(msgspec.convert(other, Advisory), "example", "1.0"))


def test_the_list_that_ships_is_dated_and_readable() -> None:
    advisories, dated = read_advisories(KNOWN_HOLES)
    assert dated is not None
    assert len({each.id for each in advisories}) == len(advisories) > 30
    assert all(each.severity != "UNSTATED" for each in advisories)


@pytest.mark.parametrize(
    ("dockerfile", "rule"),
    [
        ("FROM python:3.11-slim\nCMD serve\n", "runs as root"),
        ("FROM python:3.11-slim\nUSER app\nUSER root\n", "runs as root"),
        ("FROM python\nUSER app\n", "base without a version"),
        ("FROM python:latest\nUSER app\n", "base without a version"),
        ("FROM python:3.11\nRUN curl -s https://x.example/i.sh \\\n  | sh\nUSER app\n", "fetched code is run"),
        ("FROM python:3.11\nCOPY .env /app/.env\nUSER app\n", "secret in the image"),
        ("FROM python:3.11\nCOPY . /app\nUSER app\n", "whole context copied"),
    ],
)
def test_a_dockerfile_against_the_rules(tmp_path: Path, server: str, dockerfile: str, rule: str) -> None:
    item = judge(tmp_path, CLEAN, server, dockerfile)
    assert item.status is Status.FAIL
    assert rule in item.verdict.summary.en


def test_a_dockerfile_that_keeps_the_rules(tmp_path: Path, server: str) -> None:
    good = (
        "ARG BASE=python:3.11-slim\nFROM ${BASE} AS build\nRUN true\nFROM build\nCOPY app.py /app/\nUSER 65534:65534\n"
    )
    assert judge(tmp_path, CLEAN, server, good).status is Status.PASS
