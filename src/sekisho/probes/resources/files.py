"""The files of a project that people wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sekisho.contract.project import STATE_FOLDER

COMPOSE_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Where a Compose file stands when the contract names none."""
_NOT_WRITTEN: Final = {".git", ".venv", "venv", "env", "node_modules", "__pycache__", "site-packages", STATE_FOLDER}


def project_files(root: Path) -> list[Path]:
    """Return the files under ``root`` in order, without environments, caches, links and Sekisho's own state."""
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_WRITTEN and not name.endswith("_cache"))
        found += (Path(folder) / name for name in sorted(names) if not name.endswith((".pyc", ".log")))
    return [path for path in found if path.is_file() and not path.is_symlink()]
