"""Services of ours that an attack starts itself, and those that must not start at all."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import expect
from tests.attacks.service.own import LIMITS, questions_about_people, target_of
from tests.attacks.service.target import Target
from tests.serving.conftest import SERVE, serving

SECONDS_TO_START = 60.0


def refused_start(
    artifact: Path, *, says: str = "", never: str = "", folder: Path | None = None, **settings: Any
) -> str:
    """Say that our service does not start with these settings: it ends soon, not with 0, and says why in one line; return the line.

    Args:
        artifact: What it would serve.
        says: What the line must hold.
        never: What nothing may hold that it says.
        folder: Where modules are that the model needs.
        settings: How it would run.

    """
    given = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    command = [sys.executable, "-c", COMMAND, str(artifact), json.dumps({"port": 0, **given})]
    paths = [str(path) for path in (folder, os.environ.get("PYTHONPATH")) if path]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_TO_START,
        env={**os.environ, "PYTHONPATH": ":".join(paths)},
    )
    expect(ended.returncode not in {0, -6, -9, -11}, f"the exit code is {ended.returncode}")
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    expect(len(lines) == 1, f"it says {len(lines)} lines: {ended.stderr[:500]}")
    expect('"event":"ready"' not in ended.stdout, "it was ready")
    expect(says in lines[0], f"the line is {lines[0][:300]}")
    expect(not never or never not in ended.stdout + ended.stderr, "it says what it must not")
    return lines[0]


COMMAND = SERVE.replace(
    "sekisho.serve(sys.argv[1], **json.loads(sys.argv[2]))",
    """
try:
    sekisho.serve(sys.argv[1], **json.loads(sys.argv[2]))
except sekisho.errors.SekishoError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
""",
)


@contextlib.contextmanager
def another(artifact: Path, **settings: Any) -> Iterator[Target]:
    """Start a service of its own for one attack, and give it as a target; questions are those about people."""
    with serving(artifact, **settings) as running:
        yield target_of(running, questions_about_people(), limits=LIMITS)
