"""Attack a service: ``python -m tests.attacks.service URL --path /predict --body '{"features": [1, 2]}'``.

Whatever needs nothing but the URL is done, one attack after the other, each within its time. Without a URL our own service is started
in every configuration and attacked; ``--pages`` then makes ``docs/attacks.md`` and its twin anew.

Exit code: 0 when the service held, 1 when it fell somewhere, 2 when it could not be asked at all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from tests.attacks.service.attack import AREAS, Attack, Result, judge
from tests.attacks.service.own import Targets, Workshop
from tests.attacks.service.table import attacks
from tests.attacks.service.target import Question, Target, find_alive, find_roles

_SIGNS = {"held": "held", "fell": "FELL", "not-applicable": "-"}


def main(arguments: list[str]) -> int:
    """Attack what the arguments say; return the exit code."""
    options = _parser().parse_args(arguments)
    chosen = [
        one
        for one in attacks()
        if (not options.area or one.kind.area in options.area)
        and (not options.only or any(one.id.startswith(prefix) for prefix in options.only))
        and (options.slow or not one.slow)
    ]
    if options.url:
        target = _foreign(options)
        if target is None:
            print(f"{options.url} does not answer", file=sys.stderr)
            return 2
        results = [_shown(judge(attack, target)) for attack in chosen]
    else:
        results = _own(chosen)
    _sum_up(results)
    if options.json:
        from tests.attacks.service.page import kept

        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept(results, options.url)), indent=1) + b"\n")
    if options.pages and not options.url:
        from tests.attacks.service.page import write

        write(results)
    return 1 if any(result.verdict == "fell" for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.attacks.service", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("url", nargs="?", default="", help="the service; without it our own is started")
    parser.add_argument("--path", default="/predict", help="the route that predicts")
    parser.add_argument("--body", default="", help="a good body for it: JSON, or a file that holds it")
    parser.add_argument(
        "--header", action="append", default=[], help="a field of every request, such as 'X-API-Key: ...'"
    )
    parser.add_argument("--tls", default="", help="where the same service speaks TLS, such as https://127.0.0.1:8443")
    parser.add_argument("--guarded", default="", help="a route that asks for a key")
    parser.add_argument("--area", action="append", choices=AREAS, help="only these areas")
    parser.add_argument("--only", action="append", help="only ids that begin so, such as H05")
    parser.add_argument("--slow", action="store_true", help="also those that take long")
    parser.add_argument("--json", type=Path, help="keep the results in a file")
    parser.add_argument("--pages", action="store_true", help="make the pages of the results anew")
    return parser


def _foreign(options: argparse.Namespace) -> Target | None:
    """Return the service at a URL; ``None`` if nobody answers there."""
    headers = dict(line.split(": ", 1) for line in options.header)
    target = Target(url=options.url.rstrip("/"), headers=headers, tls=options.tls, guarded=options.guarded)
    try:
        target.connect(3).close()
    except OSError:
        return None
    target.alive = find_alive(target)
    if options.body:
        text = options.body if options.body.lstrip()[:1] in {"{", "["} else Path(options.body).read_text()
        good = msgspec.json.decode(text)
        question = Question(name="predict", path=options.path, good=good, roles=find_roles(good))
        if target.send(question).status == 200:
            target.questions = {"predict": question}
        else:
            print("the good body is not answered with 200: nothing that needs one is tried", file=sys.stderr)
    return target


def _own(chosen: list[Attack]) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory() as folder, Targets(Workshop(Path(folder))) as targets:
        for attack in chosen:
            try:
                with targets.of(attack.on) as target:
                    results.append(_shown(judge(attack, target)))
            except (AssertionError, OSError) as error:  # it did not start, or did not end
                results.append(_shown(Result(attack=attack, verdict="fell", why=str(error).partition("\n")[0])))
    return results


def _shown(result: Result) -> Result:
    figures = " ".join(f"{name}={value:g}" for name, value in result.outcome.figures.items())
    said = result.why or " ".join(part for part in (result.outcome.seen, figures) if part)
    print(f"{_SIGNS[result.verdict]:5} {result.attack.id:32} {result.seconds:7.2f} s  {said[:160]}", flush=True)
    return result


def _sum_up(results: list[Result]) -> None:
    print()
    for area in AREAS:
        counts = Counter(result.verdict for result in results if result.attack.kind.area == area)
        if counts:
            print(
                f"{area:14} held {counts['held']:4}   fell {counts['fell']:4}   not applicable {counts['not-applicable']:4}"
            )
    counts = Counter(result.verdict for result in results)
    print(f"{'all':14} held {counts['held']:4}   fell {counts['fell']:4}   not applicable {counts['not-applicable']:4}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
