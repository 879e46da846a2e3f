"""The examples of the documents run: what the service's own page shows, and what the guide shows."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving.conftest import Running

GUIDES = [Path(__file__).parents[2] / "docs" / name for name in ("service.md", "service.ja.md")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_command_on_the_page_of_the_service_works(service: Running, language: str) -> None:
    page = service.ask(f"/docs?lang={language}").body.decode()
    (command,) = re.findall(r"<pre[^>]*>(?:<code>)?(curl .*?)(?:</code>)?</pre>", page, re.DOTALL)
    command = html.unescape(command).replace(":8000", f":{service.port}").replace(":0/", f":{service.port}/")
    ended = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={"KEY": service.key or "", "PATH": "/usr/bin:/bin"},
    )
    assert json.loads(ended.stdout)["prediction"] in {"stays", "leaves"}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_python_of_the_guide_works(open_service: Running, guide: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("localhost:8000", f"localhost:{open_service.port}")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[0 2]"
