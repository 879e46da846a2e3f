"""Every peer has an environment of its own, outside the repository, with the versions that ``peers/NAME.txt`` pins.

python -m benchmarks.serving.environments [--environments FOLDER] [NAME ...]

``peers/NAME.in`` names what is wanted; ``uv pip compile --python-version 3.11 NAME.in -o NAME.txt`` pins it anew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
NAMES = ("vetiver", "bentoml", "mlserver", "mlflow", "litserve", "ray")
"""In the order in which they are installed and measured; the heaviest is the last."""
TOLD = {
    "python",
    "vetiver",
    "bentoml",
    "mlserver",
    "mlflow",
    "litserve",
    "ray",
    "scikit-learn",
    "numpy",
    "pandas",
    "fastapi",
    "uvicorn",
    "starlette",
    "uvloop",
    "pydantic",
}


def usual_folder() -> Path:
    """Return where environments are kept unless somebody says otherwise: the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sekisho-benchmarks"


def python_of(folder: Path, name: str) -> Path | None:
    """Return the interpreter of a peer's environment; ``None`` where it has not been made."""
    python = folder / name / "bin" / "python"
    return python if python.exists() else None


def make(folder: Path, name: str) -> None:
    """Make the environment of one peer.

    Raises:
        SystemExit: uv is not there, or cannot install what is pinned.

    """
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is not installed → pip install uv / uv がありません → pip install uv")
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / name / "bin" / "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    commands = (
        [uv, "venv", "--quiet", "--allow-existing", "--python", version, str(folder / name)],
        [uv, "pip", "sync", "--quiet", "--python", str(python), str(PEERS / f"{name}.txt")],
    )
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"{name}: {' '.join(command)} failed")


def versions_in(folder: Path, name: str) -> dict[str, str]:
    """Return the versions in a peer's environment that can change a figure."""
    found: dict[str, str] = {}
    for packages in sorted((folder / name / "lib").glob("python*/site-packages")):
        found["python"] = packages.parent.name.removeprefix("python")
        for each in distributions(path=[str(packages)]):
            if each.name.lower() in TOLD:
                found[each.name.lower()] = each.version
    return dict(sorted(found.items()))


def main() -> None:
    """Make the environments that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.environments", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--environments", type=Path, default=usual_folder(), metavar="FOLDER")
    options = parser.parse_args()
    for name in options.names:
        make(options.environments, name)
        print(f"{name}: {versions_in(options.environments, name)}")


if __name__ == "__main__":
    main()
