"""The checkpoint speaks to a running service by the Open Inference Protocol: it finds the model by itself, and reads its answers."""

from __future__ import annotations

import json

from tests.serving.conftest import Running
from tests.serving.open_inference.conftest import Offline

from sekisho.contract.sections import Mapping, Serving
from sekisho.probes.adapters.oip import adapt, settle
from sekisho.probes.wire.client import exchange
from sekisho.probes.wire.message import Reply, Request


def test_the_checkpoint_reads_what_the_service_answers(spoken: Running, offline: Offline) -> None:
    def ask(requests: list[Request]) -> list[Reply]:
        signed = [request.with_headers(("X-API-Key", spoken.key or "")) for request in requests]
        return list(exchange(spoken.url, signed, timeout=10.0))

    rows = json.loads(offline.frame.head(50).to_json(orient="records"))
    given = adapt(Serving(protocol="oip", mapping=Mapping(predict="/v2/models/churn/infer")), tuple(rows[0]))
    adapter = settle(given, ask, rows[0])  # type: ignore[arg-type] # a list is a sequence
    (reply,) = ask([adapter.many(rows)])  # type: ignore[list-item] # there is one
    answers = adapter.read_many(reply)
    assert [one.label for one in answers] == offline.labels[:50]
    assert answers[0].probabilities.keys() == {"stays", "leaves"}
    (single,) = ask([adapter.one({**rows[0], "age": 200.0})])
    told = adapter.read_one(single)
    assert (told.version, told.flags) == ("1.2.3", ("out_of_range:age",))
    assert told.probability == told.probabilities[str(told.label)]
