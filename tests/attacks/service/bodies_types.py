"""Bodies that are not what they say, or say what nobody takes."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.moves import (
    MIB,
    check_refusal,
    timed,
    told,
)
from tests.attacks.service.target import Question, Target

KINDS = bodies = Chapter("bodies")


def written_in(charset: str) -> Callable[[Question], bytes]:
    """Return what makes the good body in another character set."""
    return lambda question: json.dumps(question.good).encode(charset)


B06 = bodies(
    "B06",
    ("Wrong media type", "誤ったメディアタイプ"),
    ("415, though the body is good JSON", "中身が正しい JSON でも 415"),
)

B07 = bodies(
    "B07",
    ("Media type spelled oddly", "変わった書き方のメディアタイプ"),
    (
        "415, or JSON in UTF-8 strictly; never another decoder",
        "415、または厳密に UTF-8 の JSON として読む。別の文字コードでは読まない",
    ),
)


def typed(
    media_type: str,
    statuses: tuple[int, ...] = (415,),
    *,
    body: Callable[[Question], bytes] = lambda q: q.body,
    headers: dict[str, str] | None = None,
    limit: float = 0.0,
    skip: str | None = None,
) -> Callable[[Target], Outcome]:
    """Send a body under a media type to every route that does not take it."""
    name = media_type.partition(";")[0].strip().lower() if skip is None else skip

    def run(target: Target) -> Outcome:
        asked = [one for one in target.questions.values() if name not in one.takes]
        if not asked:
            raise NotApplicable("every route takes such a body")
        before = target.predicted()
        seen: dict[str, None] = {}
        longest = 0.0
        for question in asked:
            given = {"content-type": media_type, **(headers or {})}
            answer = timed(target, question, body(question), limit=limit or 1e9, headers=given)
            expect(answer.status in statuses, f"{question.name}: {answer.status}, not one of {statuses}")
            if answer.status >= 400:
                check_refusal(answer, target)
            if answer.status == 415 and target.ours:
                expect("accept-post" in answer.headers, "415 without Accept-Post")
            seen[f"{answer.status} {answer.code}".strip()] = None
            longest = max(longest, answer.milliseconds)
        expect(200 in statuses or target.predicted() == before, "something was predicted")
        figures = {"ms": within(longest, limit, "the answer")} if limit else {}
        return Outcome(seen=", ".join(seen), figures={"routes": len(asked), **figures})

    return run


for name, media_type in {
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "octets": "application/octet-stream",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "msgpack": "application/msgpack",
    "protobuf": "application/x-protobuf",
    "numpy": "application/x-npy",
    "json-lines": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}.items():
    B06.add(name, typed(media_type), needs=("body",))
for name, media_type in {
    "utf-16": "application/json;charset=utf-16",
    "utf-7": "application/json; charset=utf-7",
    "latin-1": "application/json; charset=iso-8859-1",
    "shift-jis": "application/json; charset=shift_jis",
    "two-charsets": "application/json; charset=utf-8; charset=utf-16",
    "problem": "application/problem+json",
    "suffix": "application/vnd.api+json",
    "text-json": "text/json",
    "list": "application/json, text/plain",
    "blank-inside": "application/ json",
    "longer": "application/jsonx",
    "no-type": "json",
    "star": "*/*",
    "slash": "/",
    "bare": "application",
}.items():
    B07.add(name, typed(media_type), needs=("body",))
for name, media_type in {
    "upper-case": "application/JSON",
    "quoted": 'application/json;charset="UTF-8"',
    "utf-8": "application/json; charset=utf-8",
    "no-dash": "application/json; charset=UTF8",
    "semicolon": "application/json;",
    "boundary": "application/json; boundary=x",
}.items():
    B07.add(name, typed(media_type, (200, 415), skip="application/json"), needs=("body",))
    if name in {"upper-case", "quoted", "utf-8"}:  # which the standard allows
        B07.add(f"{name}-is-read", typed(media_type, (200,), skip="application/json"), needs=("body", "ours"))
B07.add("none", typed("", (415, 400, 422)), needs=("body",))
for name, charset in {"utf-16": "utf-16", "utf-32": "utf-32", "utf-16-le": "utf-16-le"}.items():
    B07.add(
        f"{name}-body",
        typed(f"application/json;charset={charset}", (415, 400), body=written_in(charset)),
        needs=("body",),
    )
    B07.add(
        f"{name}-body-unsaid",
        typed(
            "application/json",
            (415, 400, 422),
            body=written_in(charset),
            skip="application/json",
        ),
        needs=("body",),
    )


@B07.attack("two-headers", needs=("body",))
def _two_types(target: Target) -> Outcome:
    for types in ((b"application/json", b"text/plain"), (b"text/plain", b"application/json")):
        head = target.head(length=len(target.question.body)).replace(
            b"Content-Type: application/json", b"\r\n".join(b"Content-Type: " + one for one in types)
        )
        received = target.raw(head + target.question.body, half_close=True)
        expect(received.statuses in ([400], [415]), f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


B08 = bodies(
    "B08",
    ("Multipart boundary bomb", "マルチパートの境界文字列爆弾"),
    ("415 in under 50 ms", "50 ms 以内に 415"),
)
B08.add(
    "dashes",
    typed("multipart/form-data; boundary=" + "-" * 70, body=lambda q: b"--" + b"-" * MIB, limit=50.0),
    needs=("body",),
)
B08.add(
    "long-boundary",
    typed("multipart/form-data; boundary=" + "-" * 8000, body=lambda q: b"-" * MIB, limit=50.0),
    needs=("body",),
)
B08.add(
    "many-parts",
    typed(
        "multipart/form-data; boundary=x",
        body=lambda q: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 10_000,
        limit=50.0,
    ),
    needs=("body",),
)
B08.add(
    "many-parameters", typed("application/json" + "; a=b" * 2000, (415, 431), limit=50.0, skip="-"), needs=("body",)
)
B08.add(
    "form-fields",
    typed("application/x-www-form-urlencoded", body=lambda q: b"a&" * 500_000, limit=50.0),
    needs=("body",),
)


class Marker:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (_touch, (self._path, "w"))


_touch = open

B09 = bodies(
    "B09",
    ("Pickle offered as a body", "本文として送られた pickle"),
    (
        "415 (400 where octets are taken); a file that it would make is never made",
        "415（バイナリを受けるルートでは 400）。作られるはずのファイルは作られない",
    ),
)


def _pickled(
    media_type: str, headers: dict[str, str] | None = None, dress: Callable[[bytes], bytes] = bytes
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            mark = Path(folder) / "made"
            body = dress(pickle.dumps(Marker(str(mark))))
            seen: dict[str, None] = {}
            for question in target.questions.values():
                for path in (question.path, f"{question.path}?content-type=pickle"):
                    answer = target.ask(path, body, headers={"content-type": media_type, **(headers or {})})
                    wanted = (
                        {415, 400, 422}
                        if media_type in question.takes or media_type == "application/json"
                        else {415, 400}
                    )
                    expect(answer.status in wanted, f"{question.name}: {answer.status}")
                    check_refusal(answer, target)
                    seen[f"{answer.status} {answer.code}".strip()] = None
            expect(not mark.exists(), "the pickle was opened: the file is there")
        return Outcome(seen=", ".join(seen))

    return run


for name, (media_type, more) in {
    "bentoml": (
        "application/vnd.bentoml+pickle",
        {"Payload-Container": "NdarrayContainer", "Payload-Meta": "{}", "Batch-Size": "-1"},
    ),
    "bentoml-frame": (
        "application/vnd.bentoml+pickle",
        {"Payload-Container": "PandasDataFrameContainer", "Payload-Meta": '{"format":"default"}'},
    ),
    "python": ("application/python-pickle", {}),
    "x-pickle": ("application/x-pickle", {}),
    "octets": ("application/octet-stream", {}),
    "joblib": ("application/x-joblib", {}),
    "numpy": ("application/x-npy", {}),
    "json": ("application/json", {"Payload-Container": "NdarrayContainer"}),
    "parquet": ("application/vnd.apache.parquet", {}),
    "arrow": ("application/vnd.apache.arrow.stream", {}),
}.items():
    B09.add(name, _pickled(media_type, more), needs=("body",))


@B09.attack("arrow-extension", needs=("ours", "route:batch"))
def _extension(target: Target) -> Outcome:
    """A column whose type wants to be unpickled, as old readers of Arrow did (CVE-2023-47248)."""
    import io

    import pyarrow as pa
    from pyarrow import ipc, parquet

    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "made"
        evil = {
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(Marker(str(mark))),
        }
        schema = pa.schema(
            [pa.field("age", pa.float64(), metadata=evil)], metadata={b"pandas": pickle.dumps(Marker(str(mark)))}
        )
        table = pa.table([pa.array([1.0])], schema=schema)
        stream, file = pa.BufferOutputStream(), io.BytesIO()
        with ipc.new_stream(stream, schema) as writer:
            writer.write_table(table)
        parquet.write_table(table, file)
        for name, body in {"stream": bytes(stream.getvalue()), "parquet": file.getvalue()}.items():
            media_type = "application/vnd.apache.arrow.stream" if name == "stream" else "application/vnd.apache.parquet"
            answer = target.send(target.questions["batch"], body, headers={"content-type": media_type})
            expect(400 <= answer.status < 500, f"{name}: {answer.status}")
        expect(not mark.exists(), "the pickle was opened: the file is there")
    return Outcome(seen=f"{answer.status} {answer.code}")
