"""Secrets in files, and how they are compared: found where they are, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract
from sekisho.probes.security.secret_scan import scan, secret_scan

IN_FILE, PLAIN, DEFAULT, KNOWN = "secret in file", "plain comparison", "default password", "private key or token"


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        ("docker-compose.yml", "    environment:\n      API_KEY: 5up3rs3cret", IN_FILE),
        ("docker-compose.yml", "      - API_KEY=5up3rs3cret", IN_FILE),
        ("compose.yaml", "      GF_SECURITY_ADMIN_PASSWORD: admin", DEFAULT),
        ("docker-compose.yml", '      - "DB_PASSWORD=changeme"', DEFAULT),
        (
            "docker-compose.yml",
            "services:\n  grafana:\n    image: grafana/grafana:12.0\n    ports: ['3000:3000']\n",
            DEFAULT,
        ),
        ("Dockerfile", "ENV SECRET_KEY abc123def", IN_FILE),
        ("Dockerfile", "ARG TOKEN=abc123def", IN_FILE),
        (".env", "API_KEY=abc123def", IN_FILE),
        ("config.toml", 'api_key = "abc123def"', IN_FILE),
        ("settings.json", '{\n  "password": "abc123def",\n  "user": "x"\n}', IN_FILE),
        ("app.py", 'API_KEY = "abc123def"', IN_FILE),
        ("app.py", 'key = os.environ.get("API_KEY", "abc123def")', IN_FILE),
        ("app.py", 'connect(password="abc123def")', IN_FILE),
        ("app.py", 'HEADERS = {"api_key": "abc123def"}', IN_FILE),
        ("app.py", "def f(token: str = 'abc123def'): ...", IN_FILE),
        ("app.py", "def f(x_api_key):\n    if x_api_key != API_KEY:\n        raise E", PLAIN),
        ("app.py", 'ok = request.headers["X-API-Key"] == settings.api_key', PLAIN),
        ("app.py", 'if os.environ["API_KEY"] == given: ...', PLAIN),
        ("app.py", "if api_key not in VALID_KEYS: ...", PLAIN),
        ("app.py", "if token == expected: ...", PLAIN),
        ("deploy.sh", "export AUTH_TOKEN=abc123def", IN_FILE),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nMIIE", KNOWN),
        ("notes.md", "use AKIAIOSFODNN7EXAMPLE", KNOWN),
        ("notes.md", "curl -H 'X-API-Key: sk_0123456789abcdefghijABCDEFGHIJ0123456789xyz'", KNOWN),
    ],
)
def test_a_secret_is_found(file: str, text: str, rule: str) -> None:
    assert [each.rule for each in scan(file, text)] == [rule]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("docker-compose.yml", "      API_KEY: ${API_KEY}"),
        ("docker-compose.yml", "      - API_KEY=${API_KEY:?set it}"),
        ("docker-compose.yml", "      API_KEY_FILE: /run/secrets/api_key"),
        ("docker-compose.yml", "      POSTGRES_PASSWORD: /run/secrets/pg"),
        ("docker-compose.yml", "secrets:\n  api_key:\n    file: ./secrets/api_key"),
        (
            "compose.yml",
            "services:\n  grafana:\n    image: grafana/grafana:12.0\n    environment:\n      GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/g\n",
        ),
        ("docker-compose.yml", "      # API_KEY: abc"),
        ("Dockerfile", "RUN pip install tokenizers==0.20"),
        (".env", "API_KEY="),
        ("app.py", 'API_KEY = os.environ["API_KEY"]'),
        ("app.py", 'API_KEY_HEADER = "X-API-Key"'),
        ("app.py", "if api_key is None or api_key == '': ..."),
        ("app.py", "ok = hmac.compare_digest(api_key, expected)"),
        ("app.py", "if tokenizer.pad_token == other: ..."),
        ("app.py", "max_tokens = '512'"),
        ("app.py", 'parser.add_argument("--token", help="the token to use")'),
        ("app.py", "class Settings:\n    api_key: str\n    password: str | None = None"),
        ("app.py", "for secret in secrets:\n    if name in secrets: ..."),
        ("tests/test_app.py", 'API_KEY = "test-key-123"\nassert api_key == API_KEY'),
        ("broken.py", "def ("),
        ("README.md", "set API_KEY=abc123def"),
        ("sekisho.toml", 'probe_key_variable = "SEKISHO_PROBE_KEY"\nkey_file = "keys"\nkey_header = "X-API-Key"'),
    ],
)
def test_what_is_no_secret_is_left_alone(file: str, text: str) -> None:
    assert scan(file, text) == []


def test_the_place_is_told_and_the_secret_is_not() -> None:
    (found,) = scan("compose.yml", "services:\n  api:\n    environment:\n      API_KEY: 5up3rs3cret")
    assert (found.file, found.line, found.name) == ("compose.yml", 4, "API_KEY")
    assert "5up3rs3cret" not in repr(found)


def test_only_what_people_wrote_is_read(tmp_path: Path) -> None:
    secret = "API_KEY=abc123def\n"
    for name in (".env", "deploy/.env", ".venv/lib/.env", ".git/.env", ".sekisho/.env", "node_modules/x/.env"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(secret)
    (tmp_path / "model.bin").write_bytes(secret.encode())
    (tmp_path / "large.json").write_text(f'{{"api_key": "abc123def"}}{" " * 2**20}')
    (tmp_path / "link.env").symlink_to(tmp_path / ".env")
    for name, mode in (("kept.env", 0o600), ("open.env", 0o644)):
        file = tmp_path / "secrets" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(secret)
        file.chmod(mode)
    found = secret_scan.measure(Project(root=tmp_path, contract=example_contract()))
    assert found.files == 3  # type: ignore[attr-defined]
    assert sorted(each.file for each in found.findings) == [".env", "deploy/.env", "secrets/open.env"]  # type: ignore[attr-defined]
