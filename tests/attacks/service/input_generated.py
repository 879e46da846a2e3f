"""Bodies that chance makes: every answer is one that the service documents, in the shape that it documents."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import Answer, one_answer
from tests.attacks.service.target import Question, Target

KINDS = judged = Chapter("input")
SEED = 29
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 0.1, -0.0, 1e308, 5e-324, 3.5e38),
    *("", "nan", "1", "\u0000", "\ud83d\ude00", "é", "x" * 300, "__class__", "2024-01-31T00:00:00Z", "' OR 1=1 --"),
    *([], {}, [[]], [None], {"a": {}}, [1, 2, 3, 4], {"features": []}),
)
TOKENS = (
    b"NaN",
    b"Infinity",
    b"1e400",
    b"01",
    b"-",
    b"0x1",
    b"'x'",
    b"\xff",
    b'"\\ud800"',
    b"[" * 50,
    b"{",
    b"}",
    b",",
    b"//",
    b"\0",
)
TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "text/csv",
    "application/jsonlines",
    "text/plain",
    "application/octet-stream",
    "",
)

J29 = judged(
    "J29",
    ("Generated inputs", "自動生成した入力"),
    ("no answer of 5xx, none that does not match what is documented", "5xx はなし。文書と異なる応答もなし"),
)


class Chance:
    """Makes bodies out of good ones, always the same for one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def body(self, question: Question) -> bytes:
        """Return a body: the good one with something changed, in its values or in its bytes."""
        chance = self._random
        value = json.loads(question.body)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            value = self._changed(value)
        body = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        if chance.random() < 0.3:
            body = self._spoiled(body)
        return body

    def media_type(self, question: Question) -> str:
        """Return a media type, most often the right one."""
        usual = question.headers.get("Content-Type", "application/json")
        return usual if self._random.random() < 0.9 else self._random.choice(TYPES)

    def _strange(self) -> Any:
        return copy.deepcopy(self._random.choice(STRANGE))

    def _changed(self, value: Any) -> Any:
        chance = self._random
        if chance.random() < 0.25 or not isinstance(value, dict | list) or not value:
            return self._strange()
        if isinstance(value, dict):
            name = chance.choice(list(value))
            match chance.randrange(5):
                case 0:
                    del value[name]
                case 1:
                    value[chance.choice(("x", name + "x", name.upper(), ""))] = self._strange()
                case _:
                    value[name] = self._changed(value[name])
            return value
        place = chance.randrange(len(value))
        match chance.randrange(6):
            case 0:
                del value[place]
            case 1:
                value.insert(place, self._strange())
            case 2:
                value = value * chance.choice((2, 3, 20))
            case _:
                value[place] = self._changed(value[place])
        return value

    def _spoiled(self, body: bytes) -> bytes:
        chance = self._random
        place = chance.randrange(len(body) + 1)
        after = min(len(body), place + chance.choice((0, 1, 1, 4)))
        return body[:place] + chance.choice((b"", bytes([chance.randrange(256)]), *TOKENS)) + body[after:]


class Documented:
    """What a service says of its answers, in its OpenAPI document."""

    def __init__(self, document: Any) -> None:
        import jsonschema_rs

        self._answers: dict[tuple[str, str], dict[str, Any]] = {}
        for path, operations in document["paths"].items():
            for status, answer in operations.get("post", {}).get("responses", {}).items():
                self._answers[path, status] = {
                    media_type: jsonschema_rs.validator_for(
                        {"components": document.get("components", {}), **content["schema"]}
                    )
                    if "schema" in content and "json" in media_type
                    else None
                    for media_type, content in answer.get("content", {}).items()
                }

    def check(self, path: str, answer: Answer) -> None:
        """Say that an answer is documented."""
        answers = self._answers.get((path, str(answer.status)), self._answers.get((path, "default")))
        expect(answers is not None, f"{path}: {answer.status} is not documented")
        assert answers is not None
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        expect(media_type in answers, f"{path}: {answer.status} of {media_type} is not documented")
        validator = answers[media_type]
        if validator is not None:
            problem = next(validator.iter_errors(answer.json()), None)
            expect(problem is None, f"{path}: {answer.status} is not as documented: {problem}")


def generated(count: int) -> Callable[[Target], Outcome]:
    """Send so many bodies, over all routes, on connections that stay open."""

    def run(target: Target) -> Outcome:
        described = target.ask("/openapi.json")
        documented = Documented(described.json()) if described.status == 200 else None
        chance = Chance(SEED)
        questions = list(target.questions.values())
        counts: Counter[int] = Counter()
        connection = None
        for number in range(count):
            question = questions[number % len(questions)]
            body, media_type = chance.body(question), chance.media_type(question)
            connection = connection or target.connect()
            head = target.head(question=question, length=len(body))
            head = re.sub(rb"Content-Type: [^\r]*", b"Content-Type: " + media_type.encode(), head)
            connection.sendall(head + body)
            answer = one_answer(connection)
            counts[answer.status] += 1
            said = f"case {number}, {question.name}, {media_type or 'no type'}: {body[:300]!r}"
            expect(answer.status < 500, f"{answer.status} to {said}")
            if documented is not None:
                documented.check(question.path, answer)
            if answer.headers.get("connection", "").lower() == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()
        seen = ", ".join(f"{number} × {status}" for status, number in sorted(counts.items()))
        return Outcome(seen=seen, figures={"cases": float(count)})

    return run


J29.add("1000", generated(1_000), needs=("body",), seconds=60.0)
J29.add("20000", generated(20_000), needs=("body",), slow=True, seconds=280.0)


@J29.attack("schemathesis", needs=("ours", "key"), slow=True, seconds=1_500.0)
def _schemathesis(target: Target) -> Outcome:
    """Ten thousand cases and more, made from the document by Schemathesis."""
    from tests.serving.test_schemathesis import SETTINGS

    serving = Path(__file__).parents[2] / "serving"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(SETTINGS)
        arguments = [
            *("run", f"{target.url}/openapi.json", "--header", f"X-API-Key: {target.headers['X-API-Key']}"),
            *(
                "--exclude-checks",
                "ignored_auth",
                "--phases",
                "coverage,fuzzing",
                "--max-examples",
                "600",
                "--seed",
                "29",
            ),
            *("--continue-on-failure", "--no-color", "--request-timeout", "20", "--generation-database", "none"),
        ]
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
                "PYTHONPATH": str(serving),
                "HYPOTHESIS_STORAGE_DIRECTORY": folder,
            },
            check=False,
        )
    found = re.search(r"([0-9,]+) generated", ended.stdout)
    cases = float(found[1].replace(",", "")) if found else 0.0
    failures = ended.stdout.partition("FAILURES")[2]
    expect(ended.returncode == 0, failures[:4_000] or ended.stdout[-2_000:] + ended.stderr[-2_000:])
    expect(cases >= 10_000, f"only {cases:.0f} cases: {ended.stdout[-500:]}")
    return Outcome(seen="no finding", figures={"cases": cases})
