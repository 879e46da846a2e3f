"""The service: started when it is first asked, told what it needs, and gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.testing import example_contract
from sekisho.probes.adapters.interface import Answer
from sekisho.probes.adapters.native import Native, settle
from sekisho.probes.resources.instance import Caller
from sekisho.probes.resources.launch import ForeignServer
from sekisho.probes.resources.questions import Questions
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.client import exchange
from sekisho.probes.wire.message import Request


def service_of(contract: Contract, asked: Questions, folder: Path, *, remote: bool = False) -> Service:
    launcher = None if remote else ForeignServer(contract)
    return Service(contract, asked, adapter=Native(("age",)), launcher=launcher, root=folder, state=folder / ".sekisho")


@pytest.fixture
def contract(script: tuple[str, ...]) -> Contract:
    return example_contract(serving={"command": script, "start_seconds": 20})


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_PROBE_KEY", "first")
    monkeypatch.setenv("SEKISHO_PROBE_KEY_2", "second")
    monkeypatch.delenv("SEKISHO_PROBE_KEY_OTHER", raising=False)


def test_nothing_starts_before_it_is_asked(contract: Contract, asked: Questions, tmp_path: Path) -> None:
    service = service_of(contract, asked, tmp_path)
    service.close()
    assert not (tmp_path / ".sekisho").exists()


@pytest.mark.usefixtures("keys")
def test_it_answers_with_the_key_of_whoever_asks(contract: Contract, asked: Questions, tmp_path: Path) -> None:
    service = service_of(contract, asked, tmp_path)
    try:
        assert [answer.label for answer in service.predict(asked.rows) if isinstance(answer, Answer)] == [40, 60, 80]
        heard = {}
        for caller in Caller:
            (reply,) = service.main.ask([service.adapter.one(asked.rows[0])], caller=caller)
            body = reply.json()
            assert isinstance(body, dict)
            heard[caller.value] = body["key"]
        assert heard == {"full": "first", "second": "second", "other": None, "nobody": None}
        assert service.main.start_seconds is not None
        assert service.main.first_reply is not None
        assert service.main.first_reply.ok
        assert "listening" in (tmp_path / ".sekisho/service.log").read_text()
    finally:
        service.close()
    (gone,) = exchange(service.main.url, [Request(target="/health")])
    assert gone.fault == "refused"


@pytest.mark.usefixtures("keys")
def test_it_is_told_its_port_and_workers_and_not_the_keys(contract: Contract, asked: Questions, tmp_path: Path) -> None:
    service = service_of(contract, asked, tmp_path)
    try:
        with service.another(workers=3) as instance:
            (reply,) = instance.ask([service.adapter.one(asked.rows[0])])
            body = reply.json()
            assert isinstance(body, dict)
            assert instance.url.endswith(f":{body['PORT']}")
            assert body["WEB_CONCURRENCY"] == "3"
            assert body["SEKISHO_PROBE_KEY"] is None
        (gone,) = exchange(instance.url, [Request(target="/health")])
        assert gone.fault == "refused"
    finally:
        service.close()


@pytest.mark.usefixtures("keys")
def test_two_at_once_have_a_log_each(contract: Contract, asked: Questions, tmp_path: Path) -> None:
    service = service_of(contract, asked, tmp_path)
    with service.another() as one, service.another() as two:
        assert one.log is not None
        assert two.log is not None
        assert one.log != two.log
        assert all("listening" in each.read_text() for each in (one.log, two.log))
    service.close()


def test_readiness_is_waited_for(script: tuple[str, ...], asked: Questions, tmp_path: Path) -> None:
    contract = example_contract(serving={"command": (*script[:-1], "0.4"), "start_seconds": 20})
    service = service_of(contract, asked, tmp_path)
    try:
        assert (service.main.start_seconds or 0) > 0.4
    finally:
        service.close()


@pytest.mark.parametrize(
    ("command", "seconds", "said"),
    [
        (("python", "-c", "print('no model here'); raise SystemExit(4)"), 20, "exit code 4): no model here"),
        (("no-such-program",), 20, "exit code 127"),
        (("python", "service.py", "{port}", "60"), 0.6, "not ready within 0.6 s"),
    ],
)
def test_one_that_does_not_start_is_not_measured_and_says_why(
    script: tuple[str, ...], asked: Questions, tmp_path: Path, command: tuple[str, ...], seconds: float, said: str
) -> None:
    contract = example_contract(serving={"command": command, "start_seconds": seconds})
    service = service_of(contract, asked, tmp_path)
    for _ in range(2):  # the second probe hears the same, without another start
        with pytest.raises(NotMeasured) as raised:
            service.predict(asked.rows)
        assert said in raised.value.what.en
        assert ".sekisho/service.log" in raised.value.remedy.en
    service.close()


def test_one_given_by_address_is_not_started(contract: Contract, asked: Questions, tmp_path: Path) -> None:
    started = service_of(contract, asked, tmp_path)
    try:
        there = example_contract(serving={"url": started.main.url, "start_seconds": 5})
        given = service_of(there, asked, tmp_path / "other", remote=True)
        assert len(given.predict(asked.rows)) == 3
        with given.another(workers=4) as instance:
            assert instance is given.main
        assert given.main.start_seconds is None
        given.close()
        assert len(started.predict(asked.rows)) == 3
    finally:
        started.close()


def test_an_address_where_nobody_answers_is_not_measured(asked: Questions, tmp_path: Path) -> None:
    contract = example_contract(serving={"url": "http://127.0.0.1:1", "start_seconds": 0.3})
    with pytest.raises(NotMeasured, match="not ready within"):
        service_of(contract, asked, tmp_path, remote=True).predict(asked.rows)


def test_a_command_in_one_string_is_split(asked: Questions) -> None:
    contract = example_contract(serving={"command": ("serve --bind '{host}:{port}' -w {workers}",)})
    plan = ForeignServer(contract).plan(Path(), 8123, 2, None, watched=False)
    assert plan.command == ("serve", "--bind", "127.0.0.1:8123", "-w", "2")


def test_the_protocol_is_fitted_to_what_a_foreign_service_offers(
    script: tuple[str, ...], asked: Questions, tmp_path: Path
) -> None:
    contract = example_contract(serving={"command": script, "start_seconds": 20})
    listed = example_contract(serving={"command": (*script, "listed"), "start_seconds": 20})
    for each, answers, routes in (
        (contract, [40, 60, 80], ("/predict/batch", "/invocations")),
        (listed, [60, 90, 120], (None, None)),
    ):
        launcher = ForeignServer(each)
        service = Service(
            each,
            asked,
            adapter=Native(("age",)),
            settle=lambda ask: settle(Native(("age",)), ask, asked.rows[0]),
            launcher=launcher,
            root=tmp_path,
            state=tmp_path / ".sekisho",
        )
        try:
            assert [answer.label for answer in service.predict(asked.rows) if isinstance(answer, Answer)] == answers
            assert (service.adapter.routes.batch, service.adapter.routes.invocations) == routes
            assert service.adapter.routes.info is None
            assert service.adapter.named is (each is contract)
            with service.another() as instance:
                assert instance.first_reply is not None
                assert instance.first_reply.ok
        finally:
            service.close()


@pytest.mark.parametrize("remote", [False, True])
def test_a_key_that_nobody_gave_is_asked_for(
    script: tuple[str, ...], asked: Questions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, remote: bool
) -> None:
    locked = example_contract(serving={"command": (*script, "locked"), "start_seconds": 20})
    monkeypatch.setenv("SEKISHO_PROBE_KEY", "first")
    service = service_of(locked, asked, tmp_path)
    try:
        assert len(service.predict(asked.rows)) == 3
        monkeypatch.delenv("SEKISHO_PROBE_KEY")
        contract = example_contract(serving={"url": service.main.url}) if remote else locked
        other = service_of(contract, asked, tmp_path / "other" if remote else tmp_path, remote=remote)
        with pytest.raises(NotMeasured, match="asks for a key"):
            _ = other.main
        other.close()
    finally:
        service.close()
