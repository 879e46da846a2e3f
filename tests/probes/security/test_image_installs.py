"""What a Dockerfile installs: lists by name, and packages that nobody has fixed."""

from __future__ import annotations

import pytest

from sekisho.probes.security.image_rules import rules_of


@pytest.mark.parametrize(
    ("command", "installs"),
    [
        ("pip install --no-cache-dir --require-hashes -r requirements.lock", ("requirements.lock",)),
        ("pip install --upgrade pip && pip install -r app/requirements.txt", ("app/requirements.txt",)),
        ("pip install --requirement=requirements.lock", ("requirements.lock",)),
        ("python -m pip install fastapi uvicorn[standard]", ("fastapi", "uvicorn[standard]")),
        ("uv pip install --system -c constraints.txt 'numpy>=1.20'", ("'numpy>=1.20'",)),
        ("pip install fastapi==0.115.0", ()),
        ("pip install --no-deps . dist/service-1.0-py3-none-any.whl", ()),
        ("apt-get install --yes curl", ()),
    ],
)
def test_what_an_image_installs(command: str, installs: tuple[str, ...]) -> None:
    text = f"FROM python:3.11@sha256:{'0' * 64}\nRUN {command}\nUSER app\n"
    assert rules_of(text, file="Dockerfile", ignores=True).installs == installs
