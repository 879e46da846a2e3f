"""Writing ``sekisho.toml``: every key with its words; what is set stands there, the rest as commented defaults.

The file is made from the sections and their words, so it cannot drift from what the loader accepts. A line that begins
with ``#`` and no blank is a key: taking the ``#`` away sets it.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from sekisho.contract.keys import Key, Table, choices, tables
from sekisho.contract.schema import SCHEMA_NAME
from sekisho.contract.words import EXAMPLES, KEY_WORDS, SECTION_WORDS
from sekisho.text import Language, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD: Final = Text(
    en="""\
What production requires of this model. `sekisho check` judges the project by this file.
A line that begins with # and no blank is a default or an example: take the # away to set it.
Paths are taken from the folder of this file.""",
    ja="""\
このモデルに本番環境が求めること。`sekisho check` はこのファイルに照らしてプロジェクトを判定します。
行頭の「#」の直後に空白のない行は、既定値または例です。「#」を外すと有効になります。
パスはこのファイルのあるフォルダーを起点とします。""",
)
EXAMPLE: Final = Text(en="example", ja="例")
ONE_OF: Final = Text(en="One of: {}.", ja="選択肢: {}。")


def render_contract(values: Mapping[str, Any], language: Language) -> str:
    """Return a commented ``sekisho.toml`` that says ``values`` and leaves the rest at its defaults.

    Args:
        values: What the contract says, section by section, as TOML would be read: a mapping for a section, a list of
            mappings for one that may stand more than once. A key whose value is ``None`` is not set.
        language: The language of the comments.

    Raises:
        ValueError: A section or key does not exist.
        TypeError: A value is none that TOML knows.

    """
    _refuse_unknown(values)
    lines = [f"#:schema ./{SCHEMA_NAME}", *(f"# {line}" for line in HEAD.of(language).splitlines())]
    for table in tables():
        lines += ["", *_table(table, values, language)]
    return "\n".join(lines) + "\n"


def toml_value(value: object) -> str:
    """Return ``value`` as TOML writes it.

    Raises:
        TypeError: It is none that TOML knows.

    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return repr(int(value))
        case float():
            return repr(float(value))
        case dt.date():
            return value.isoformat()
        case str():
            plain = '"' in value and value.isprintable() and "'" not in value
            return f"'{value}'" if plain else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(toml_value(each) for each in value)}]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _table(table: Table, values: Mapping[str, Any], language: Language) -> Iterator[str]:
    if not table.name:
        yield from _keys(table, values, language)
        return
    yield f"# ── {SECTION_WORDS[table.name].of(language)}"
    if not table.repeated:
        yield f"[{table.name}]"
        yield from _keys(table, _at(values, table.name) or {}, language)
        return
    entries = _at(values, table.name) or ()
    for entry in entries:
        yield f"[[{table.name}]]"
        yield from (f"{name} = {toml_value(value)}" for name, value in entry.items() if value is not None)
        yield ""
    if not entries:
        yield f"#[[{table.name}]]"
        yield from _keys(table, {}, language)


def _keys(table: Table, values: Mapping[str, Any], language: Language) -> Iterator[str]:
    for key in table.keys:
        yield f"# {_explained(key, language)}"
        value = values.get(key.short_name)
        if value is None and table.name:
            mark = f"  # {EXAMPLE.of(language)}" if key.name in EXAMPLES else ""
            yield f"#{key.short_name} = {toml_value(suggestion(key, language))}{mark}"
        else:
            yield f"{key.short_name} = {toml_value(key.default if value is None else value)}"


def _explained(key: Key, language: Language) -> str:
    words = KEY_WORDS[key.name].of(language)
    options = choices(key.type)
    if len(options) < 2:
        return words
    listed = ", ".join(toml_value(option) for option in options)
    return f"{words}{' ' if language == 'en' else ''}{ONE_OF.of(language).format(listed)}"


def suggestion(key: Key, language: Language) -> object:
    """Return what could stand as the value of ``key``: its default, or an example where the default is nothing."""
    example = EXAMPLES.get(key.name, key.default)
    return example.of(language) if isinstance(example, Text) else example


def _at(values: Mapping[str, Any], name: str) -> Any:
    here: Any = values
    for part in name.split("."):
        here = (here or {}).get(part)
    return here


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    known = {table.name: {key.short_name for key in table.keys} for table in tables()}
    for table in tables():
        below = {
            name.removeprefix(f"{table.name}.").partition(".")[0] for name in known if name.startswith(f"{table.name}.")
        }
        below = {name.partition(".")[0] for name in known if name} if not table.name else below
        said = _at(values, table.name) if table.name else values
        for each in said or () if table.repeated else (said or {},):
            strange = set(each) - known[table.name] - below
            if strange:
                raise ValueError(f"the contract has no {table.name}.{min(strange)}")
