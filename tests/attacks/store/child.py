"""A process of its own that works on a registry as it is told, one JSON object a line; what it is told to fork can be killed."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sekisho import Registry
from sekisho.artifact.registry.content import content_key
from sekisho.errors import SekishoError


def main() -> None:
    """Do what each line says, and answer each with a line."""
    opened = json.loads(sys.stdin.readline())
    registry = Registry(opened["location"], endpoint=opened["endpoint"], cache=Path(opened["cache"]))
    for line in sys.stdin:
        told = json.loads(line)
        deed: Callable[..., Any] = DEEDS[told.pop("deed")]
        try:
            answer = deed(registry, **told)
        except SekishoError as error:
            answer = {"error": type(error).__name__, "line": str(error)}
        print(json.dumps(answer), flush=True)


def push(registry: Registry, folder: str, at: float = 0.0) -> dict[str, Any]:
    """Publish at a moment that all processes share."""
    while time.monotonic() < at:
        pass
    return {"new": registry.push(folder).new}


def promote(registry: Registry, reference: str, expected: str | None = None, at: float = 0.0) -> dict[str, Any]:
    """Move an alias at a moment that all processes share."""
    while time.monotonic() < at:
        pass
    written = registry.promote(reference, expected=expected)
    return {"moved": written is not None}


def push_and_die(registry: Registry, folder: str, after: float) -> dict[str, Any]:
    """Publish in a process that is killed after some seconds."""
    publisher = os.fork()
    if publisher == 0:
        registry.push(folder)
        os._exit(0)
    time.sleep(after)
    os.kill(publisher, signal.SIGKILL)
    _, status = os.waitpid(publisher, 0)
    return {"killed": os.WIFSIGNALED(status)}


def read(registry: Registry, reference: str) -> dict[str, Any]:
    """Resolve an alias until the next line comes, and say what was seen."""
    seen: set[tuple[str, str]] = set()
    count = 0
    print(json.dumps("reading"), flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        found = registry.resolve(reference)
        seen.add((found.version, found.digest))
        count += 1
        time.sleep(0.02)
    return {"seen": sorted(seen), "count": count}


def hold(registry: Registry, lock: str) -> None:
    """Hold a lock until killed."""
    store = registry._store
    with store.collecting() if lock == "collecting" else store.publishing([content_key("0" * 64)]):
        print(json.dumps("holding"), flush=True)
        signal.pause()


def collect(registry: Registry) -> dict[str, Any]:
    """Collect garbage without grace."""
    return {"removed": len(registry.collect(grace_seconds=0.0).keys)}


def become_nobody(_: Registry) -> str:
    """Give up all rights."""
    os.setgroups([])
    os.setgid(65_534)
    os.setuid(65_534)
    return "nobody"


def fetch(registry: Registry, reference: str) -> str:
    """Fetch a version into the cache."""
    return str(registry.fetch(reference))


DEEDS: dict[str, Callable[..., Any]] = {
    deed.__name__: deed for deed in (push, promote, push_and_die, read, hold, collect, become_nobody, fetch)
}

if __name__ == "__main__":
    main()
