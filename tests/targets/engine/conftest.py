"""A private Docker Engine with a stand-in for each public image, for tests where no registry can be reached.

The engine lives in a folder of its own and is ended by its process id. What stands in: a minimal Debian with Python for
``python:3.11-slim``, Debian's Prometheus for ``prom/prometheus``, and for Grafana, which no package archive has, a small server that
reads all that Grafana is given (password, data source, dashboards) and is healthy only when all of it is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.targets.parts.composition import GRAFANA_IMAGE, PROMETHEUS_IMAGE

BASE_IMAGE = "python:3.11-slim"
TOOLS = ("dockerd", "docker", "mmdebstrap", "prometheus", "promtool")
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
START_SECONDS = 60

GRAFANA = '''\
import json, os, pathlib, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

def complaints():
    """Read what Grafana would read; return what is wrong."""
    password = pathlib.Path(os.environ["GF_SECURITY_ADMIN_PASSWORD__FILE"]).read_text()
    if len(password) < 16:
        yield "the password is short"
    sources = pathlib.Path("/etc/grafana/provisioning/datasources/prometheus.yaml").read_text()
    if "http://prometheus:9090" not in sources:
        yield "the data source is missing"
    provider = pathlib.Path("/etc/grafana/provisioning/dashboards/sekisho.yaml").read_text()
    if "/etc/grafana/dashboards" not in provider:
        yield "the dashboards are not provided"
    dashboard = json.loads(pathlib.Path("/etc/grafana/dashboards/model.json").read_text())
    if not dashboard["panels"] or not pathlib.Path(os.environ["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).exists():
        yield "the dashboard is missing"
    pathlib.Path("/var/lib/grafana/grafana.db").write_text("")

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        found = list(complaints())
        self.send_response(500 if found else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
HTTPServer(("", 3000), Health).serve_forever()
'''
WGET = "#!/usr/bin/python3\nimport sys, urllib.request\nurllib.request.urlopen(sys.argv[-1], timeout=4).close()\n"


@dataclass(frozen=True)
class Engine:
    """A running engine.

    Attributes:
        host: Where it listens, as ``DOCKER_HOST``.

    """

    host: str

    def docker(self, *words: str) -> str:
        """Run ``docker`` and return what it prints on standard output."""
        return self.run(("docker", *words))

    def run(
        self, command: tuple[str, ...], folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run a program against this engine and return its standard output; a failure shows what it said."""
        surroundings = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", **(environment or {})}
        done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def build(self, folder: Path, tag: str) -> None:
        """Build an image; its steps reach the package index as this machine does."""
        proxies = [name for name in ("http_proxy", "https_proxy", "no_proxy") if os.environ.get(name)]
        arguments = [word for name in proxies for word in ("--build-arg", name)]
        self.docker("build", "--quiet", "--network", "host", *arguments, "--tag", tag, str(folder))

    def compose(self, file: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """Run Docker Compose on one file."""
        program = shutil.which("docker-compose", path=sysconfig.get_path("scripts"))
        assert program is not None
        return self.run((program, "--file", str(file), *words), environment=environment)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker Engine of our own, with the stand-ins."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing or TOOLS)}: tests/install-test-tools.sh")
    folder = Path(tempfile.mkdtemp(prefix="sekisho-engine-"))  # short: the path of a socket has few characters
    try:
        with running_engine(folder) as found:
            make_base_image(found, folder)
            make_prometheus_image(found, folder)
            make_grafana_image(found, folder)
            yield found
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """Start an engine whose every trace is in ``folder``, and end it with everything that it started."""
    host = f"unix://{folder}/d.sock"
    command = [
        *("dockerd", "--host", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--pidfile", f"{folder}/pid", "--iptables=false", "--ip6tables=false"),
        *("--bip", "172.30.0.1/24", "--default-address-pool", "base=172.31.0.0/16,size=24"),
        *("--default-ulimit", "nofile=4096:4096", "--default-ulimit", "nproc=4096:4096"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    found = Engine(host)
    try:
        ends = time.monotonic() + START_SECONDS
        while subprocess.run(["docker", "--host", host, "info"], capture_output=True, check=False).returncode != 0:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < ends, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield found
        containers = found.docker("ps", "--all", "--quiet").split()
        if containers:
            found.docker("rm", "--force", "--volumes", *containers)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        for line in Path("/proc/mounts").read_text().splitlines():
            place = line.split()[1]
            if place.startswith(f"{folder}/"):
                subprocess.run(["umount", place], check=False)


def make_base_image(engine: Engine, folder: Path) -> None:
    """Import a minimal Debian with Python and the certificates that this machine trusts."""
    hook = folder / "trust.sh"
    hook.write_text(
        "#!/bin/sh\nset -eu\n"
        'mkdir -p "$1/usr/local/share/ca-certificates"\n'
        'cp -r /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/"\n'
        'chroot "$1" update-ca-certificates\n'
    )
    hook.chmod(0o755)
    archive = folder / "base.tar"
    engine.run(
        (
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={PACKAGES}",
            f"--customize-hook={hook}",
            "bookworm",
            str(archive),
        )
    )
    engine.docker("import", str(archive), BASE_IMAGE)
    archive.unlink()


def make_prometheus_image(engine: Engine, folder: Path) -> None:
    """Put Debian's Prometheus where the public image has it, with the owners that it has there."""
    context = folder / "prometheus"
    context.mkdir()
    for tool in ("prometheus", "promtool"):
        shutil.copy(shutil.which(tool) or "", context / tool)
    (context / "Dockerfile").write_text(
        f"FROM {BASE_IMAGE}\n"
        "COPY prometheus promtool /bin/\n"
        "RUN mkdir /prometheus && chown 65534:65534 /prometheus && chmod g+w /prometheus\n"
        'USER 65534\nVOLUME ["/prometheus"]\nWORKDIR /prometheus\nENTRYPOINT ["/bin/prometheus"]\n'
    )
    engine.build(context, PROMETHEUS_IMAGE)


def make_grafana_image(engine: Engine, folder: Path) -> None:
    """Make the server that reads what Grafana would read."""
    context = folder / "grafana"
    context.mkdir()
    (context / "grafana.py").write_text(GRAFANA)
    (context / "wget").write_text(WGET)
    (context / "Dockerfile").write_text(
        f"FROM {BASE_IMAGE}\n"
        "COPY grafana.py /grafana.py\nCOPY wget /usr/bin/wget\n"
        "RUN chmod 755 /usr/bin/wget && mkdir --mode=777 /var/lib/grafana && chmod 777 /var/lib/grafana\n"
        'USER 472:0\nENTRYPOINT ["python3", "/grafana.py"]\n'
    )
    engine.build(context, GRAFANA_IMAGE)


@pytest.fixture(scope="session")
def shipped_artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    """A forest on real data, with a real lock."""
    data = load_breast_cancer(as_frame=True)
    rows = data.data.iloc[:, :6]
    answers = data.target.map({0: "malignant", 1: "benign"})
    model = RandomForestClassifier(20, random_state=0).fit(rows, answers)
    folder = tmp_path_factory.mktemp("shipped") / "artifact"
    words = "\"q\" 'n' $(id) `id` ${HOME}\n{{7*7}} <script>alert(1)</script> %0a \\"
    return sekisho.pack(model, rows, answers, folder=folder, name="breast-cancer", metadata={"description": words})
