"""The git repository that a project lies in, asked and never changed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

SECONDS: Final = 60.0
_QUIET: Final = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


def git(folder: Path, *words: str, seconds: float = SECONDS) -> str | None:
    """Return what git says in ``folder``; ``None`` when there is no git, or it refuses."""
    try:
        done = subprocess.run(
            ["git", *_QUIET, "-C", str(folder), *words],  # noqa: S607 - whatever git the user has
            capture_output=True,
            timeout=seconds,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def commit_of(folder: Path, name: str) -> str | None:
    """Return the full name of a commit; ``None`` when this repository has none of that name."""
    return git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def has_commit(folder: Path, name: str) -> bool:
    """Return whether the repository holds the commit."""
    return commit_of(folder, name) is not None


def tracked(folder: Path, commit: str) -> bool:
    """Return whether a commit holds anything of ``folder``."""
    return bool(git(folder, "ls-tree", "--name-only", commit, "--", "."))


def top_of(folder: Path) -> Path:
    """Return the top folder of the repository; ``folder`` itself where there is none."""
    top = git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else folder


def check_out(folder: Path, commit: str, target: Path) -> bool:
    """Make ``target`` a repository of its own with this one commit checked out; return whether that could be done."""
    target.mkdir(parents=True)
    source = top_of(folder).resolve().as_uri()
    give = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
    steps = (
        ("init", "--quiet", "--template="),
        ("-c", "protocol.file.allow=always", "fetch", "--quiet", "--depth", "1", "--upload-pack", give, source, commit),
        ("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit),
    )
    return all(git(target, *step, seconds=600) is not None for step in steps)
