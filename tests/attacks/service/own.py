"""Our own service, started in the ways that the attacks want it: a configuration each, made when it is first asked for.

An area that wants another one adds it: ``@configuration("rotating")`` above a function that takes the :class:`Workshop` and yields the
target. Those whose attacks end the service, or change it for good, are ``fresh``: started anew for every attack.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tests.attacks.service.target import Question, Target

from sekisho.ledger.predictions import PredictionBook

if TYPE_CHECKING:
    from tests.serving.conftest import Running

PERSON: dict[str, Any] = {
    "age": 40.0,
    "income": None,
    "children": 2,
    "city": "Kyoto",
    "employed": True,
    "plan": "basic",
}
FLOWER = [5.0, 3.0, 1.5, 0.2]
SECONDS_OF_BOOK = 0.7
"""After which everything that was answered stands in the book."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """The process of a service of ours."""

    running: Running

    def pids(self) -> list[int]:
        return self.running.workers()

    def rss(self) -> int:
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in self.pids())

    def descriptors(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids())

    def threads(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.pids())

    def cpu(self) -> float:
        return sum(
            int(task.read_text().split()[0]) / 1e9
            for pid in self.pids()
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
        )

    def lines(self) -> list[str]:
        return list(self.running.lines)

    def metric(self, name: str, **labels: str) -> float:
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = (
            line
            for line in self.running.ask("/metrics").body.decode().splitlines()
            if line.startswith((name + "{", name + " "))
        )
        return sum(float(line.rpartition(" ")[2]) for line in found if all(one in line for one in wanted))

    def booked(self) -> int:
        assert self.running.ledger is not None
        wait_for_book()
        with PredictionBook(self.running.ledger) as book:
            return book.count()


class Workshop:
    """Where services are made: a folder, and one artifact of each kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def people(self) -> Path:
        """A model of people, every kind of column, as an ONNX graph."""
        from tests.serving.conftest import pack_people

        return pack_people(self.folder / "people")

    @cached_property
    def iris(self) -> Path:
        """A forest for flowers, as an ONNX graph."""
        from tests.serving.conftest import pack_iris

        return pack_iris(self.folder / "iris")

    @cached_property
    def troubled(self) -> Path:
        """A model that does what models do at the worst moment; the number in its first feature says what."""
        from tests.serving.conftest import pack_troubled

        return pack_troubled(self.folder / "troubled")

    @cached_property
    def dates(self) -> Path:
        """A model of moments in time."""
        import numpy as np
        import pandas as pd
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder

        import sekisho

        frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=300, freq="D")})
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        model = make_pipeline(encoder, LinearRegression()).fit(frame, np.arange(300.0))
        sekisho.pack(model, frame, np.arange(300.0), folder=self.folder / "dates", name="dates", lock=False)
        return self.folder / "dates"

    def place(self, name: str) -> Path:
        """Return a new folder."""
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.folder))


Starter = Callable[[Workshop], AbstractContextManager[Target]]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A way to start our service.

    Attributes:
        name: Its name.
        start: Starts it; the target is gone after the block.
        fresh: Whether every attack gets one of its own.

    """

    name: str
    start: Starter
    fresh: bool = False


CONFIGURATIONS: dict[str, Configuration] = {}


def configuration(name: str, *, fresh: bool = False) -> Callable[[Callable[[Workshop], Iterator[Target]]], Starter]:
    """Keep the function below, which yields one target, as a configuration."""

    def keep(start: Callable[[Workshop], Iterator[Target]]) -> Starter:
        if name in CONFIGURATIONS:
            raise ValueError(f"two configurations are called {name}")
        made = contextlib.contextmanager(start)
        CONFIGURATIONS[name] = Configuration(name=name, start=made, fresh=fresh)
        return made

    return keep


@dataclass
class Targets:
    """The services that run, by configuration; each is started once, and all end with the block."""

    workshop: Workshop
    running: dict[str, Target] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[Target]:
        """Give a target of a configuration, for one attack."""
        wanted = CONFIGURATIONS[name]
        if wanted.fresh:
            with wanted.start(self.workshop) as target:
                yield target
            return
        if name not in self.running:
            self.running[name] = self.stack.enter_context(wanted.start(self.workshop))
        yield self.running[name]


def wait_for_book() -> None:
    """Wait until everything that was answered stands in the book."""
    time.sleep(SECONDS_OF_BOOK)


def target_of(running: Running, questions: dict[str, Question], *, key: str = "", **more: Any) -> Target:
    """Return the target of a service that runs."""
    return Target(
        url=running.url,
        headers={"X-API-Key": key} if key else {},
        questions=questions,
        ours=True,
        process=Own(running=running),
        alive="/health",
        book=running.ledger is not None,
        **more,
    )


def questions_about_people(name: str = "churn") -> dict[str, Question]:
    """Return every route of a service for the model of people, with a good body each."""
    roles = {
        "number": "age",
        "nullable": "income",
        "integer": "children",
        "ranged": "children",
        "word": "city",
        "boolean": "employed",
        "closed": "plan",
    }
    columns = list(PERSON)
    places = {role: columns.index(column) for role, column in roles.items()}

    def under(*path: str | int) -> dict[str, tuple[str | int, ...]]:
        return {role: (*path, column) for role, column in roles.items()}

    tables = (
        "text/csv",
        "application/jsonlines",
        "application/x-ndjson",
        "application/vnd.apache.parquet",
        "application/vnd.apache.arrow.stream",
    )
    bulk: dict[str, Any] = {"takes": tables, "codings": ("gzip", "deflate", "zstd")}
    lines: dict[str, Any] = {
        "headers": {"Content-Type": "application/jsonlines"},
        "takes": ("application/json", *tables),
        "codings": ("gzip", "deflate", "zstd"),
    }
    split = {"columns": columns, "data": [list(PERSON.values())]}
    types = {float: "FP64", type(None): "FP64", int: "INT64", str: "BYTES", bool: "BOOL"}
    tensors = [
        {"name": column, "shape": [1], "datatype": types[type(value)], "data": [value]}
        for column, value in PERSON.items()
    ]
    questions = [
        Question(name="predict", path="/predict", good={"features": PERSON}, roles=under("features")),
        Question(
            name="batch",
            path="/predict/batch",
            good=[{"features": PERSON}],
            roles=under(0, "features"),
            row=(0,),
            **bulk,
        ),
        Question(
            name="invocations",
            path="/invocations",
            good={"dataframe_split": split},
            roles={role: ("dataframe_split", "data", 0, place) for role, place in places.items()},
            row=("dataframe_split", "data", 0),
            **bulk,
        ),
        Question(
            name="records",
            path="/invocations",
            good={"dataframe_records": [PERSON]},
            roles=under("dataframe_records", 0),
            row=("dataframe_records", 0),
            **bulk,
        ),
        Question(name="lines", path="/predict/batch", good=PERSON, roles=under(), **lines),
        Question(
            name="infer",
            path=f"/v2/models/{name}/infer",
            good={"inputs": tensors},
            roles={role: ("inputs", place, "data", 0) for role, place in places.items()},
            takes=("", "application/octet-stream"),
            codings=("gzip", "deflate", "zstd"),
        ),
        Question(
            name="feedback",
            path="/feedback",
            good={"request_id": "an-attack", "outcome": "stays"},
            predicts=False,
        ),
    ]
    return {one.name: one for one in questions}


def questions_about_flowers(name: str = "iris") -> dict[str, Question]:
    """Return every route of a service for the model of flowers, with a good body each."""
    tensor = {"name": "features", "shape": [1, 4], "datatype": "FP64", "data": FLOWER}
    questions = [
        Question(name="predict", path="/predict", good={"features": FLOWER}, roles={"number": ("features", 0)}),
        Question(
            name="batch",
            path="/predict/batch",
            good=[{"features": FLOWER}],
            roles={"number": (0, "features", 0)},
            row=(0,),
        ),
        Question(
            name="invocations",
            path="/invocations",
            good={"instances": [FLOWER]},
            roles={"number": ("instances", 0, 0)},
            row=("instances", 0),
        ),
        Question(
            name="infer",
            path=f"/v2/models/{name}/infer",
            good={"inputs": [tensor]},
            roles={"number": ("inputs", 0, "data", 0)},
            takes=("", "application/octet-stream"),
            codings=("gzip", "deflate", "zstd"),
        ),
    ]
    return {one.name: one for one in questions}


LIMITS = {
    "head_seconds": 10.0,
    "body_seconds": 30.0,
    "idle_seconds": 75.0,
    "write_seconds": 30.0,
    "body_bytes": 8 * 2**20,
    "rows": 10_000,
    "workers": 1,
    "connections": 4_096,
}
"""As they are when nothing is said."""
TIGHT = {
    "head_seconds": 1.0,
    "body_seconds": 1.0,
    "idle_seconds": 1.5,
    "write_seconds": 1.0,
    "body_bytes": 65_536,
    "rows": 50,
}


@configuration("usual")
def _usual(workshop: Workshop) -> Iterator[Target]:
    """Keys of every scope, a book of predictions, one worker; every limit as it is when nothing is said."""
    from tests.serving.conftest import serving

    from sekisho.serving.guards.keys import new_key

    folder = workshop.place("usual")
    keys = {scope: new_key(scope, (scope,)) for scope in ("predict", "metrics", "admin")}
    (folder / "keys").write_text("\n".join(line for _, line in keys.values()) + "\n")
    ledger = folder / "predictions.sqlite"
    with serving(workshop.people, key_file=folder / "keys", ledger=ledger, access_log_per_second=100_000) as running:
        secrets = {scope: secret for scope, (secret, _) in keys.items()}
        running.key, running.ledger = secrets["admin"], ledger
        target = target_of(
            running,
            questions_about_people(),
            key=secrets["admin"],
            keys=secrets,
            limits=LIMITS,
            guarded="/model/info",
        )
        _warm(target)
        # Outcomes are taken of what was answered, so there must be such an answer.
        told = target.ask("/predict", target.question.body, headers={"x-request-id": "an-attack"})
        assert told.status == 200
        wait_for_book()
        yield target


def _warm(target: Target) -> None:
    """Have the service load what it loads when it is first needed, so that memory that grows later is the attack's."""
    question = target.questions["batch"]
    for kind in ("vnd.apache.arrow.stream", "vnd.apache.parquet"):
        target.send(question, b"no table", headers={"content-type": f"application/{kind}"})
    target.send(question, b"no frame", headers={"content-encoding": "zstd"})
    for _ in range(3):
        target.send(question, json.dumps(question.good * 1000).encode())


@configuration("tight")
def _tight(workshop: Workshop) -> Iterator[Target]:
    """No keys, short time-outs and small limits: what takes seconds elsewhere takes one here."""
    from tests.serving.conftest import serving

    with serving(workshop.iris, limits=TIGHT) as running:
        yield target_of(running, questions_about_flowers(), limits={**LIMITS, **TIGHT})


@configuration("secured")
def _secured(workshop: Workshop) -> Iterator[Target]:
    """TLS with a certificate of an authority that nobody knows."""
    import trustme
    from tests.serving.conftest import serving

    folder = workshop.place("secured")
    issued = trustme.CA().issue_cert("127.0.0.1", "localhost")
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(private))
    with serving(workshop.iris, certificate=chain, private_key=private, limits=TIGHT) as running:
        yield target_of(running, questions_about_flowers(), limits={**LIMITS, **TIGHT}, tls=running.url)


@configuration("few")
def _few(workshop: Workshop) -> Iterator[Target]:
    """Twenty connections and no more."""
    from tests.serving.conftest import serving

    with serving(workshop.iris, limits={"connections": 20}) as running:
        yield target_of(running, questions_about_flowers(), limits={**LIMITS, "few": 20})


@configuration("slow-model")
def _slow_model(workshop: Workshop) -> Iterator[Target]:
    """A model that takes a third of a second for some rows, in a process of its own, and a book of predictions."""
    from tests.serving.conftest import serving
    from tests.serving.troubled import SLOW

    ledger = workshop.place("slow-model") / "predictions.sqlite"
    settings = {"trusted_types": ["troubled.Troubled"], "ledger": ledger, "model_processes": 2}
    with serving(workshop.troubled, **settings) as running:
        running.ledger = ledger
        question = Question(
            name="predict", path="/predict", good={"features": [1.0, 2.0]}, roles={"number": ("features", 1)}
        )
        target = target_of(running, {"predict": question}, limits=LIMITS)
        target.more["slow-body"] = question.replaced(("features", 0), SLOW)
        yield target


@configuration("dates")
def _dates(workshop: Workshop) -> Iterator[Target]:
    """A model of moments in time."""
    from tests.serving.conftest import serving

    when = "2024-01-31T00:00:00Z"
    with serving(workshop.dates) as running:
        split = {"columns": ["when"], "data": [[when]]}
        tensor = {"name": "when", "shape": [1], "datatype": "BYTES", "data": [when]}
        questions = [
            Question(
                name="predict",
                path="/predict",
                good={"features": {"when": when}},
                roles={"moment": ("features", "when")},
            ),
            Question(
                name="invocations",
                path="/invocations",
                good={"dataframe_split": split},
                roles={"moment": ("dataframe_split", "data", 0, 0)},
            ),
            Question(
                name="infer",
                path="/v2/models/dates/infer",
                good={"inputs": [tensor]},
                roles={"moment": ("inputs", 0, "data", 0)},
            ),
        ]
        yield target_of(running, {one.name: one for one in questions}, limits=LIMITS)


@configuration("grpc")
def _grpc(workshop: Workshop) -> Iterator[Target]:
    """The Open Inference Protocol over gRPC besides."""
    import socket

    from tests.serving.conftest import serving

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with serving(workshop.iris, grpc_port=port) as running:
        target = target_of(running, questions_about_flowers(), limits=LIMITS)
        target.more["grpc"] = port
        yield target
