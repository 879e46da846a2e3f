"""Secrets that stand in the project's files, and keys that are compared in a way that their timing gives away."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.contract.project import Project
from sekisho.gate.probe import probe
from sekisho.probes.resources.files import project_files
from sekisho.text import Text

LARGEST_FILE: Final = 1024 * 1024
_SUFFIXES: Final = {
    *(
        ".py",
        ".toml",
        ".yml",
        ".yaml",
        ".json",
        ".sh",
        ".bash",
        ".ini",
        ".cfg",
        ".conf",
        ".properties",
        ".tf",
        ".tfvars",
    ),
    *(".env", ".md", ".txt", ".ipynb", ".pem", ".key", ".xml", ".js", ".ts"),
}
_NAMES: Final = re.compile(
    r"^(?:\.env|Dockerfile|Containerfile|docker-compose|compose|Makefile|\.netrc|\.pypirc)", re.IGNORECASE
)

_SECRET_FOLDERS: Final = {"secrets", ".secrets"}
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_\-.])(?:api[_-]?keys?|secret(?:[_-]?key)?|secrets|access[_-]?key|auth[_-]?key|private[_-]?key|token|tokens"
    r"|password|passwd|pwd|credentials?)$",
    re.IGNORECASE,
)
_NO_SECRET_NAME: Final = re.compile(
    r"(?:pad|eos|bos|cls|sep|mask|unk|special|max|num|next|page)[_-]?tokens?$|tokenizer", re.IGNORECASE
)
_ASSIGNED: Final = re.compile(
    r"""^\s*(?:-\s*)?(?:export\s+|ENV\s+|ARG\s+)?["']?(?P<name>[A-Za-z_][\w.\-]*)["']?\s*(?:=|:(?!//)|\s(?=\S+$))\s*(?P<value>\S.*?)\s*,?\s*$"""
)
_KNOWN_SHAPES: Final = re.compile(
    r"-----BEGIN (?:RSA |EC |OPENSSH |DSA |ENCRYPTED )?PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bxox[baprs]-[A-Za-z0-9-]{10,}|\bsk-(?:proj-|live-)?[A-Za-z0-9]{32,}\b|\bsk_[A-Za-z0-9_-]{40,}|\bglpat-[A-Za-z0-9_-]{20}\b"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretFinding:
    """One place. The secret itself is never kept.

    Attributes:
        file: The file, from the project's folder.
        line: The line, from 1.
        rule: ``secret in file``, ``private key or token``, ``plain comparison`` or ``default password``.
        name: The name of the setting or variable.

    """

    file: str
    line: int
    rule: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretScan:
    """What was found in the files that people wrote.

    Attributes:
        files: How many files were read.
        findings: By file and line.
        digest: SHA-256 of all that was read, in hexadecimal.

    """

    files: int
    findings: tuple[SecretFinding, ...]
    digest: str


@probe("security/secret-scan", title=Text(en="Look for secrets in files", ja="ファイル内の秘密情報を検索"), seconds=1)
def secret_scan(project: Project) -> SecretScan:
    """Read every file that people wrote, and look for secrets and for the way they are compared."""
    digest = hashlib.sha256()
    findings: list[SecretFinding] = []
    read = 0
    for path in project_files(project.root):
        if not _is_read(path):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        shown = path.relative_to(project.root).as_posix()
        digest.update(f"{shown}\n{text}".encode("utf-8", errors="replace"))
        findings += scan(shown, text)
        read += 1
    return SecretScan(files=read, findings=tuple(findings), digest=digest.hexdigest())


def _is_read(path: Path) -> bool:
    """Return whether a file is looked into; one in a folder of secrets that only its owner can read is where it should be."""
    status = path.stat()
    kept_well = path.parent.name in _SECRET_FOLDERS and not status.st_mode & 0o077
    named = path.suffix.lower() in _SUFFIXES or _NAMES.match(path.name) is not None
    return named and not kept_well and status.st_size <= LARGEST_FILE


def scan(file: str, text: str) -> list[SecretFinding]:
    """Return what is found in one file.

    Args:
        file: Its name, from the project's folder; its ending says how it is read.
        text: Its content.

    """
    found = {
        (number, "private key or token", "")
        for number, line in enumerate(text.splitlines(), start=1)
        if _KNOWN_SHAPES.search(line)
    }
    if file.endswith(".py"):
        found |= set(_in_python(text, is_test=_is_test(file)))
    elif not file.endswith((".md", ".txt", ".ipynb", ".js", ".ts")):
        found |= set(_in_settings(text))
        found |= set(_grafana(text))
    return [SecretFinding(file=file, line=line, rule=rule, name=name) for line, rule, name in sorted(found)]


def _is_test(file: str) -> bool:
    path = Path(file)
    return "tests" in path.parts or path.name.startswith(("test_", "conftest"))


def is_secret_name(name: str) -> bool:
    """Return whether a setting or variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None and _NO_SECRET_NAME.search(name) is None


def is_literal_secret(value: str) -> bool:
    """Return whether a value is the secret itself and not a place, a variable or a blank to fill."""
    value = value.strip().strip("\"'")
    if not value or value.lower() in {"null", "none", "true", "false", "~", "{}", "[]", "str", "string"}:
        return False
    filled_later = value.startswith(("$", "<", "{{", "%(", "/", "./", "~/", "!", "&", "*", "file:", "vault:", "arn:"))
    return not filled_later and not value.endswith(("(", "{", "[", "|", ">", "|-", ">-"))


# Settings: compose files, Dockerfiles, .env, TOML, YAML, JSON


def _in_settings(text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        match = None if line.lstrip().startswith(("#", ";")) else _ASSIGNED.match(line)
        if match is None:
            continue
        name, value = match["name"], re.sub(r"\s#.*$", "", match["value"])
        if is_secret_name(name) and is_literal_secret(value):
            rule = "default password" if value.strip("\"'").lower() in _DEFAULTS else "secret in file"
            yield number, rule, name


_DEFAULTS: Final = {
    "admin",
    "password",
    "changeme",
    "change-me",
    "secret",
    "root",
    "grafana",
    "test",
    "123456",
    "default",
}


def _grafana(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield a Grafana that nobody has given a password: it lets in admin with the password admin."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if re.match(r"\s*image:\s*[\"']?(?:[\w.\-/]+/)?grafana(?:-oss|-enterprise)?[:@\"'\s]", f"{line} "):
            depth = len(line) - len(line.lstrip())
            block = [line]
            for other in lines[number:]:
                if other.strip() and len(other) - len(other.lstrip()) < depth:
                    break
                block.append(other)
            if not re.search(r"GF_SECURITY_ADMIN_PASSWORD(?:__FILE)?", "\n".join(block)):
                yield number, "default password", "GF_SECURITY_ADMIN_PASSWORD"


# Python


def _in_python(text: str, *, is_test: bool) -> Iterator[tuple[int, str, str]]:
    try:
        tree = _parsed(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and not is_test:
            yield from _comparison(node)
        elif not is_test:
            yield from _literals(node)


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SystemError:  # CPython counts the depth of all threads together (its issue 106905): once more
        return ast.parse(text)


def _literals(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield literals given to names that hold secrets: variables, arguments, keys, and defaults of the environment."""
    pairs: list[tuple[str | None, ast.expr | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(_name(target), node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign):
        pairs = [(_name(node.target), node.value)]
    elif isinstance(node, ast.Dict):
        pairs = [(_text(key), value) for key, value in zip(node.keys, node.values, strict=True)]
    elif isinstance(node, ast.Call):
        pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        if _name(node.func).endswith(("getenv", "environ.get")) and len(node.args) == 2:
            pairs.append((_text(node.args[0]), node.args[1]))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = [*node.args.posonlyargs, *node.args.args]
        with_default = arguments[len(arguments) - len(node.args.defaults) :]
        pairs = [(argument.arg, value) for argument, value in zip(with_default, node.args.defaults, strict=True)]
    for name, value in pairs:
        text = _text(value)
        if name and value and text and is_secret_name(name) and is_literal_secret(text) and " " not in text:
            yield value.lineno, "secret in file", name


def _comparison(node: ast.Compare) -> Iterator[tuple[int, str, str]]:
    """Yield ``==``, ``!=`` and ``in`` on a secret: they end at the first byte that differs, and the time tells which."""
    membership = isinstance(node.ops[0], ast.In | ast.NotIn)
    if not membership and not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return
    sides = [node.left] if membership else [node.left, *node.comparators]
    secret = next((name for name in map(_name, sides) if is_secret_name(name)), None)
    harmless = any(isinstance(side, ast.Constant) and side.value in {None, "", 0} for side in node.comparators)
    if secret is not None and not harmless:
        yield node.lineno, "plain comparison", secret


def _name(node: ast.expr | None) -> str:
    """Return the dotted name of an expression; of a subscript or a lookup, the key: ``headers["x-api-key"]``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript):
        return _text(node.slice) or _name(node.value)
    if isinstance(node, ast.Call):
        asked = _text(node.args[0]) if node.args and _name(node.func).endswith(("get", "getenv")) else None
        return asked or _name(node.func)
    return ""


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
