"""Every kind of file set, for many contracts: it parses, it keeps to the rules, and hostile words stay words."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sekisho.artifact import lock
from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import TargetError
from sekisho.shelf import units
from sekisho.targets.interface import GeneratedFile, Generator, Plan
from sekisho.targets.parts.files import write_files
from sekisho.text import LANGUAGES, Language, use_language

PlanMaker = Callable[..., Plan]

GENERATORS = units("sekisho.targets", Generator)
HOSTILE = (
    "\"q\" 'n' $(id) `id` ${HOME} {{7*7}} {{ $labels.x }} {% raw %} <script>alert(1)</script> %0a \\ # - : 日本語 😀"
)

CONTRACTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "name with dots": {"model": {"name": "A.Model_with-every.kind_of-name.0"}},
    "longest name": {"model": {"name": "n" * 100}},
    "name of a YAML word": {"model": {"name": "yes"}},
    "name of a number": {"model": {"name": "0123"}},
    "hostile words": {
        "model": {"name": "example", "owner": HOSTILE},
        "monitoring": {"on_call": HOSTILE},
        "documents": {"troubleshooting": "docs/" + HOSTILE},
        "quality": {"reason": HOSTILE},
        "data": {"target": HOSTILE},
    },
    "no authentication": {"security": {"authentication": "none"}},
    "another key header": {"security": {"key_header": "X-Other", "probe_key_variable": "OTHER_KEY"}},
    "rate limit": {"security": {"rate_limit": 0.5, "burst": 7}},
    "policies": {"security": {"out_of_range": "reject", "unseen_category": "accept"}},
    "many workers": {"serving": {"workers": 8}},
    "any port": {"serving": {"port": 0}},
    "another port": {"serving": {"port": 65535}},
    "short deadline": {"serving": {"deadline_ms": 1}},
    "longest deadline": {"serving": {"deadline_ms": 600_000}},
    "tight objective": {"serving": {"latency_p99_ms": 0.3}},
    "objective on a bucket": {"serving": {"latency_p99_ms": 50.0}},
    "objective between buckets": {"serving": {"latency_p99_ms": 60.0}},
    "loose objective": {"serving": {"latency_p99_ms": 20_000.0}},
    "many replicas": {"infrastructure": {"replicas": 12}},
    "little logging": {"monitoring": {"log_predictions": 0.0, "redacted": ["other", HOSTILE]}},
}


def render(generator: Generator, plan: Plan) -> dict[str, GeneratedFile]:
    """Return the files by path; no two share one."""
    files = generator.render(plan)
    named = {file.path: file for file in files}
    assert len(named) == len(files)
    return named


def text_of(file: GeneratedFile) -> str:
    content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
    return content.decode()


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("kind", GENERATORS)
def test_renders_the_same_every_time_and_parses(plan_of: PlanMaker, kind: str, contract: str) -> None:
    plan = plan_of(**CONTRACTS[contract])
    files = render(GENERATORS[kind], plan)
    assert files == render(GENERATORS[kind], plan)
    for path, file in files.items():
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        if path.endswith((".yaml", ".yml")):
            assert yaml.safe_load(text_of(file))
        elif path.endswith(".json") and "/artifact/" not in path:
            assert json.loads(text_of(file))
        elif path.endswith(".py"):
            ast.parse(text_of(file))


@pytest.mark.parametrize("kind", GENERATORS)
def test_is_told_apart_by_artifact(plan_of: PlanMaker, regression_artifact: ModelArtifact, kind: str) -> None:
    """Whoever reads a file can see which artifact it speaks for."""
    for plan in (plan_of(), plan_of(artifact=regression_artifact)):
        for path, file in render(GENERATORS[kind], plan).items():
            if path.endswith((".whl", ".json")) or "/artifact/" in path:
                continue
            lines = text_of(file).splitlines()
            assert f"sha256:{plan.artifact.digest}" in lines[1 if lines[0].startswith("#!") else 0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", GENERATORS)
def test_speaks_the_language_of_the_caller(plan_of: PlanMaker, kind: str, language: Language) -> None:
    with use_language(language):
        files = render(GENERATORS[kind], plan_of())
    words = "".join(
        text_of(file)
        for path, file in files.items()
        if path.endswith((".yml", ".py", "dashboards/model.json", "Dockerfile"))
    )
    if words:
        assert ("が成果物" in words) == (language == "ja")


@pytest.mark.parametrize("contract", CONTRACTS)
def test_dockerfile_is_clean(plan_of: PlanMaker, tmp_path: Path, contract: str) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(text_of(render(GENERATORS["docker"], plan_of(**CONTRACTS[contract]))["docker/Dockerfile"]))
    hadolint = program("hadolint")
    assert hadolint is not None
    done = subprocess.run([hadolint, "--no-color", str(dockerfile)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "hadolint ignore" not in dockerfile.read_text()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_compose_file_is_what_compose_reads(plan_of: PlanMaker, tmp_path: Path, contract: str) -> None:
    plan = plan_of(**CONTRACTS[contract])
    write_files(tmp_path, "compose", plan.artifact.digest, GENERATORS["compose"].render(plan), force=False)
    compose = program("docker-compose")
    assert compose is not None
    command = [compose, "--file", "compose.yaml", "config", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "WARN" not in done.stderr.upper(), done.stderr
    _is_guarded(json.loads(done.stdout))


def _is_guarded(read: dict[str, Any]) -> None:
    for name, service in read["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["user"].startswith(("0:", "root"))
        assert service["healthcheck"]["test"][0] == "CMD"
        assert {"memory", "cpus", "pids"} <= set(service["deploy"]["resources"]["limits"])
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
        assert all(port["host_ip"] == "127.0.0.1" for port in service["ports"])
        assert re.fullmatch(r"[a-z0-9./-]+:v?[0-9][A-Za-z0-9.-]+", service["image"]), service["image"]
        assert not service.get("privileged")
        assert not re.search(
            "password|key|secret|token", json.dumps(_values(service.get("environment", {}))), re.IGNORECASE
        ), name
    assert all(set(secret) == {"name", "file"} for secret in read["secrets"].values())


def _values(environment: dict[str, str]) -> list[str]:
    """Return what the environment says, without where it says to read from."""
    return [value for name, value in environment.items() if not name.endswith("__FILE")]


def test_tokens_are_asked_for_in_the_container_too(plan_of: PlanMaker) -> None:
    tokens = {"token_keys": "https://issuer.example/keys", "token_issuer": "i", "token_audience": "a"}
    files = render(GENERATORS["docker"], plan_of(security={"authentication": "token", **tokens}))
    contract = tomllib.loads(text_of(files["docker/sekisho.toml"]))["security"]
    assert {name: contract[name] for name in tokens} == tokens
    assert contract["authentication"] == "token"
    assert "--open" not in text_of(files["docker/Dockerfile"])
    with pytest.raises(TargetError):
        render(GENERATORS["docker"], plan_of(security={"authentication": "token", **tokens, "token_keys": "keys.json"}))


def test_what_is_said_of_people_in_the_book_holds_in_the_container_too(plan_of: PlanMaker) -> None:
    said = {"personal": "hash", "subject_header": "X-Customer", "durability": "durable", "down": "refuse"}
    files = render(GENERATORS["compose"], plan_of(ledger={**said, "key_file": "/somewhere/keys"}))
    contract = tomllib.loads(text_of(files["docker/sekisho.toml"]))["ledger"]
    assert contract == {**said, "key_file": "/run/secrets/ledger_keys"}
    compose = yaml.safe_load(text_of(files["compose.yaml"]))
    assert "ledger_keys" in compose["services"]["model"]["secrets"]
    assert compose["secrets"]["ledger_keys"] == {"file": "./secrets/ledger_keys"}


def test_without_authentication_no_key_is_asked_for(plan_of: PlanMaker) -> None:
    files = render(GENERATORS["compose"], plan_of(security={"authentication": "none"}))
    compose, scraping = (yaml.safe_load(text_of(files[path])) for path in ("compose.yaml", "prometheus/prometheus.yml"))
    assert list(compose["secrets"]) == ["grafana_admin_password"]
    assert "secrets" not in compose["services"]["model"]
    assert "authorization" not in scraping["scrape_configs"][0]


def test_prometheus_scrapes_the_service_with_its_own_key(plan_of: PlanMaker) -> None:
    files = render(GENERATORS["compose"], plan_of())
    compose, scraping = (yaml.safe_load(text_of(files[path])) for path in ("compose.yaml", "prometheus/prometheus.yml"))
    (job,) = scraping["scrape_configs"]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "/run/secrets/metrics_key"}
    assert "metrics_key" in compose["services"]["prometheus"]["secrets"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert compose["services"][host]["ports"][0]["target"] == int(port)


def test_every_file_that_compose_mounts_is_there(plan_of: PlanMaker) -> None:
    files = render(GENERATORS["compose"], plan_of())
    compose = yaml.safe_load(text_of(files["compose.yaml"]))
    mounts = [volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]]
    for source in mounts:
        if source.startswith("./"):
            assert any(path.startswith(source.removeprefix("./") + "/") for path in files), source
        else:
            assert source in compose["volumes"]
    assert f"{compose['services']['model']['build']['context'].removeprefix('./')}/Dockerfile" in files


def test_grafana_finds_its_data_source_and_dashboards(plan_of: PlanMaker) -> None:
    files = render(GENERATORS["compose"], plan_of())
    (source,) = yaml.safe_load(text_of(files["grafana/provisioning/datasources/prometheus.yaml"]))["datasources"]
    (provider,) = yaml.safe_load(text_of(files["grafana/provisioning/dashboards/sekisho.yaml"]))["providers"]
    compose = yaml.safe_load(text_of(files["compose.yaml"]))
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert compose["services"][host]["ports"][0]["target"] == int(port)
    dashboard = json.loads(text_of(files["grafana/dashboards/model.json"]))
    assert dashboard["templating"]["list"][0]["current"]["value"] == source["uid"]
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/model.json"


def test_the_build_context_holds_only_what_the_image_needs(plan_of: PlanMaker) -> None:
    plan = plan_of()
    files = render(GENERATORS["docker"], plan)
    listed = {f"docker/artifact/{file.name}" for file in plan.artifact.manifest.files} | {
        "docker/artifact/manifest.json"
    }
    assert {path for path in files if path.startswith("docker/artifact/")} == listed
    others = {path.removeprefix("docker/") for path in set(files) - listed - {".gitignore"}}
    assert text_of(files[".gitignore"]).splitlines()[-2:] == ["/.env", "/secrets/"]
    wheel = next(name for name in others if name.endswith(".whl"))
    assert others == {"Dockerfile", ".dockerignore", "sekisho.toml", "serve", "sekisho.lock", wheel}
    ignore = [line for line in text_of(files["docker/.dockerignore"]).splitlines() if line and not line.startswith("#")]
    assert ignore == ["*", "!artifact", "!sekisho.toml", "!serve", "!sekisho.lock", f"!{wheel}"]
    assert files["docker/serve"].mode & 0o111


TOKENS = {
    "authentication": "token",
    "token_keys": "https://login.example.com/keys",
    "token_issuer": "https://login.example.com/",
    "token_audience": "https://model.example.com",
    "rate_limit": 100.0,
    "rate_store": "rediss://limits.example.com:6379/0",
}


def test_what_the_contract_asks_for_is_installed_as_well(plan_of: PlanMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    pinned = b"pyjwt==2.10.1 \\\n    --hash=sha256:" + b"1" * 64 + b"\n"

    def made(extras: tuple[str, ...], base: bytes) -> bytes:
        asked.append(extras)
        return pinned

    monkeypatch.setattr(lock, "write_lock_of_extras", made)
    plain = render(GENERATORS["docker"], plan_of())
    assert asked == []
    assert "docker/extras.lock" not in plain
    files = render(GENERATORS["docker"], plan_of(security=TOKENS, serving={"grpc_port": 8_001}))
    assert asked == [("jwt", "redis", "grpc")]
    assert pinned in files["docker/extras.lock"].content  # type: ignore[operator]
    dockerfile = text_of(files["docker/Dockerfile"])
    assert re.search(
        r"--require-hashes --only-binary :all: --requirement requirements.lock --requirement .?extras.lock", dockerfile
    )
    assert '"extras.lock"' in next(line for line in dockerfile.splitlines() if line.startswith('COPY ["artifact'))
    assert "!extras.lock" in text_of(files["docker/.dockerignore"]).splitlines()


def test_the_image_keeps_to_the_rules(plan_of: PlanMaker) -> None:
    dockerfile = text_of(render(GENERATORS["docker"], plan_of())["docker/Dockerfile"])
    instructions = [line for line in dockerfile.splitlines() if re.match(r"[A-Z]+ ", line)]
    last = {line.split()[0]: line for line in instructions}
    assert last["USER"] == "USER 65534:65534"
    assert last["CMD"].startswith('CMD ["')
    assert last["STOPSIGNAL"] == "STOPSIGNAL SIGTERM"
    assert "curl" not in dockerfile
    assert "ADD" not in last
    assert dockerfile.count("--require-hashes") == 2
    assert not re.search(r"(?i)\b(password|secret|token|api_key)=", dockerfile)
    assert [line for line in instructions if line.startswith("COPY")] == [
        line
        for line in instructions
        if line.startswith(
            (
                "COPY --from=build",
                'COPY ["artifact/requirements.lock"',
                "COPY serve ",
                "COPY sekisho.toml ",
                "COPY artifact ",
            )
        )
    ]


@pytest.mark.parametrize("base", ["python:3.12-slim", "registry.example:5000/python@sha256:" + "0" * 64])
def test_the_base_image_can_be_chosen(plan_of: PlanMaker, base: str) -> None:
    files = render(GENERATORS["docker"], plan_of(settings={"base-image": base}))
    assert f'ARG BASE_IMAGE="{base}"' in text_of(files["docker/Dockerfile"])
