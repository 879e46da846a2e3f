"""Filling in templates so that a value is always data, whatever it holds.

Each format has one way to write a value, and every ``{{ value }}`` of a template goes through it: no template can forget to
escape. A name that is missing is an error, not an empty string.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import jinja2

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def one_line(value: object) -> str:
    """Return ``value`` as text on one line: a run of line breaks and control characters becomes one blank."""
    return _CONTROL.sub(" ", str(value))


def dockerfile_string(value: object) -> str:
    """Return ``value`` as a quoted word of a Dockerfile, where ``$`` names a variable and no escape gives a line break.

    A backslash stands outside of the quotes: tools that read Dockerfiles disagree on one before a closing quote.
    """
    escaped = re.sub(r'["$]|\\', lambda match: '"\\\\"' if match[0] == "\\" else "\\" + match[0], one_line(value))
    return f'"{escaped}"'


def dockerfile_value(value: object) -> str:
    """Return ``value`` as an instruction's argument: a list in exec form, which nothing expands; a number as it is."""
    if isinstance(value, list | tuple):
        return json.dumps([one_line(each) for each in value], ensure_ascii=False)
    return str(value) if isinstance(value, int) else dockerfile_string(value)


def shell_words(value: object) -> str:
    """Return ``value`` as one word of a POSIX shell, or a list as several."""
    words = value if isinstance(value, list | tuple) else [value]
    return " ".join(shlex.quote(str(word).replace("\x00", "")) for word in words)


def python_literal(value: object) -> str:
    """Return ``value``, made of JSON values, as a Python expression in ASCII."""
    return ascii(value)


def json_value(value: object) -> str:
    """Return ``value`` as JSON that is also safe inside HTML."""
    encoded = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


FORMATS: Final[Mapping[str, Callable[[object], str]]] = {
    "dockerfile": dockerfile_value,
    "sh": shell_words,
    "py": python_literal,
}
"""How a value is written, by the last part of the template's name before ``.j2``."""


def fill(template: str, /, **values: object) -> str:
    """Return a template of ``targets/templates`` with every value written as its format has it.

    Args:
        template: Its file name, such as ``image.dockerfile.j2``.
        values: What it asks for; sequences and mappings may be walked, and what is printed is escaped.

    Raises:
        jinja2.UndefinedError: It asks for something that is not in ``values``.

    """
    return _environment(template.split(".")[-2]).get_template(template).render(values)


@cache
def _environment(format_name: str) -> jinja2.Environment:
    write = FORMATS[format_name]

    def finalize(value: Any) -> str:
        if isinstance(value, jinja2.Undefined):
            return str(value)  # raises: strict
        return value.text if isinstance(value, Comment) else write(value)

    return jinja2.Environment(
        loader=jinja2.PackageLoader("sekisho.targets", "templates"),
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        autoescape=False,  # noqa: S701 - finalize writes every value
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Comment:
    """Text for people that stands in a comment, each of its lines behind ``#``."""

    def __init__(self, words: object) -> None:
        self.text = "\n".join(f"# {_CONTROL.sub(' ', line)}".rstrip() for line in str(words).split("\n"))
