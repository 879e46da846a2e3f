"""gRPC over several workers: calls under way are answered when the service ends, deadlines hold, and a port that is taken is refused."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from tests.serving.conftest import serving, start

from sekisho.errors import ServiceError
from sekisho.serving.grpc.messages import messages
from sekisho.serving.listener import check_free
from sekisho.serving.settings import settings_of

INFER = "/inference.GRPCInferenceService/ModelInfer"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def request(model: str, **cells: float) -> bytes:
    made = messages()["ModelInferRequest"](model_name=model)
    for name, value in cells.items():
        one = made.inputs.add(name=name, datatype="INT64" if isinstance(value, int) else "FP64", shape=[1, 1])
        getattr(one.contents, "int64_contents" if isinstance(value, int) else "fp64_contents").append(value)
    data: bytes = made.SerializeToString()
    return data


def test_what_was_accepted_is_answered_when_the_service_ends(price_artifact: Path) -> None:
    port = free_port()
    running = start(price_artifact, grpc_port=port, workers=2, access_log_per_second=100_000)
    asked = request("price", size=100.0, rooms=3)
    answered, failed = [0] * 6, []
    ended = threading.Event()

    def ask(number: int) -> None:
        # A subchannel of its own, so that the system may give it to either worker.
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            infer = channel.unary_unary(INFER)
            while not ended.is_set():
                try:
                    infer(asked, timeout=10)
                except grpc.RpcError as error:
                    failed.append((error.code(), ended.is_set()))
                    return
                answered[number] += 1

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for asker in askers:
        asker.start()
    while min(answered) < 20:
        assert not failed
    assert running.end() == 0
    ended.set()
    for asker in askers:
        asker.join(20)
    # A call either was answered, or was never taken: as many were logged as clients have answers to.
    assert {code for code, _ in failed} <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert len([line for line in running.lines if INFER in line and '"status":200' in line]) == sum(answered)
    lines = [line for line in running.lines if "internal error" in line or "Traceback" in line]
    assert not lines


@pytest.mark.slow
def test_both_workers_are_counted_together(price_artifact: Path) -> None:
    port = free_port()
    with serving(price_artifact, grpc_port=port, workers=2) as running:
        for _ in range(20):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                channel.unary_unary(INFER)(request("price", size=100.0, rooms=3), timeout=10)
        assert running.metric("ml_predictions_total", status="success") == 20
        assert running.metric("ml_http_requests_total", route=INFER, status="200") == 20


def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    found: grpc.StatusCode = caught.value.code()
    return found


@pytest.mark.slow
def test_deadlines_hold(troubled_artifact: Path) -> None:
    port = free_port()
    with (
        serving(
            troubled_artifact, trusted_types=["troubled.Troubled"], grpc_port=port, deadline_ms=1_500, model_processes=1
        ) as running,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        infer = channel.unary_unary(INFER)
        hanging = request("troubled", what=601.0, value=0.0)
        assert code_of(lambda: infer(hanging)) == grpc.StatusCode.DEADLINE_EXCEEDED
        assert running.metric("ml_problems_total", code="deadline_exceeded") == 1
        assert code_of(lambda: infer(hanging, timeout=0.1)) == grpc.StatusCode.DEADLINE_EXCEEDED
        raising = request("troubled", what=604.0, value=0.0)
        assert code_of(lambda: infer(raising)) == grpc.StatusCode.INTERNAL


@pytest.mark.slow
def test_a_service_with_a_certificate_speaks_tls_here_as_well(price_artifact: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    ours, theirs = authority.issue_cert("localhost"), authority.issue_cert("somebody@example.org")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "service.pem")
    port, asked = free_port(), request("price", size=100.0, rooms=3)
    files = {"certificate": tmp_path / "service.pem", "client_authority": tmp_path / "authority.pem"}
    with serving(price_artifact, grpc_port=port, **files):
        root, key = authority.cert_pem.bytes(), theirs.private_key_pem.bytes()
        known = grpc.ssl_channel_credentials(root, key, theirs.cert_chain_pems[0].bytes())
        with grpc.secure_channel(f"localhost:{port}", known) as channel:
            assert channel.unary_unary(INFER)(asked, timeout=10)
        with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(root)) as channel:
            assert code_of(lambda: channel.unary_unary(INFER)(asked, timeout=3)) == grpc.StatusCode.UNAVAILABLE
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            assert code_of(lambda: channel.unary_unary(INFER)(asked, timeout=3)) == grpc.StatusCode.UNAVAILABLE


def test_a_port_that_somebody_has_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServiceError, match="in use"):
            check_free(settings_of(grpc_port=taken.getsockname()[1]))
