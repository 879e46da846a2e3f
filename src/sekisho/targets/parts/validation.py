"""Proving generated files with the tools of their own ecosystem, where these are installed."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sekisho.targets.interface import Validator

SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What one tool said.

    Attributes:
        command: What was run, as words.
        result: ``valid``, ``invalid``, or ``unknown`` when the tool is not installed or gave no answer.
        words: What it printed, when it did not find the files valid.

    """

    command: tuple[str, ...]
    result: Literal["valid", "invalid", "unknown"]
    words: str = ""


def validate(folder: Path, validators: Iterable[Validator]) -> tuple[Validation, ...]:
    """Run every tool in ``folder``; one that is not installed leaves its part unknown."""
    return tuple(_run(folder, validator) for validator in validators)


def _run(folder: Path, validator: Validator) -> Validation:
    command = (validator.tool, *validator.arguments)
    program = shutil.which(validator.tool) or shutil.which(validator.tool, path=sysconfig.get_path("scripts"))
    if program is None:
        return Validation(command=command, result="unknown")
    try:
        done = subprocess.run(
            [program, *validator.arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Validation(command=command, result="unknown", words=type(error).__name__)
    if done.returncode == 0:
        return Validation(command=command, result="valid")
    return Validation(command=command, result="invalid", words=(done.stdout + done.stderr).strip())
