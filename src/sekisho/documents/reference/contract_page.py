"""The page of every section and key of ``sekisho.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.contract.keys import Key, Table, expected, tables
from sekisho.contract.template import toml_value
from sekisho.contract.words import EXAMPLES, KEY_WORDS, SECTION_WORDS
from sekisho.documents.reference.markdown import code, head, page_name, table
from sekisho.text import LANGUAGES, Language, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

STEM: Final = "contract"
TITLE: Final = Text(en="The contract: sekisho.toml", ja="契約ファイル sekisho.toml")
LEAD: Final = Text(
    en="The contract says what production requires of the model, and `sekisho check` judges the project by it. "
    "`sekisho init` writes one with every key and its words. Paths are taken from the folder of the file. "
    "A key without a default is not set until somebody states it, and the boxes that need it say so.",
    ja="契約ファイルには、本番環境がモデルに求めることを書きます。`sekisho check` はこのファイルに照らして判定します。"
    "すべてのキーと説明が入った雛形は `sekisho init` で作れます。パスは契約ファイルのあるフォルダーを起点とします。"
    "既定値のないキーは誰かが書くまで未設定で、それを必要とする項目は「未設定」と報告します。",
)
ABOVE: Final = Text(en="Above all sections", ja="セクションの前")
REPEATED: Final = Text(en="May stand more than once.", ja="複数書けます。")
HEADINGS: Final = (
    Text(en="Key", ja="キー"),
    Text(en="Accepts", ja="書ける値"),
    Text(en="Default", ja="既定値"),
    Text(en="Meaning", ja="意味"),
)
REQUIRED: Final = Text(en="required", ja="必須")
FOR_EXAMPLE: Final = Text(en="such as {}", ja="例: {}")


def contract_pages() -> dict[str, str]:
    """Return the page in both languages, by file name."""
    return {page_name(STEM, language): _page(language) for language in LANGUAGES}


def _page(language: Language) -> str:
    lines = [*head(TITLE, STEM, language), LEAD.of(language), ""]
    for section in tables():
        lines += [*_section(section, language), ""]
    return "\n".join(lines)


def _section(section: Table, language: Language) -> Iterator[str]:
    if section.name:
        header = f"[[{section.name}]]" if section.repeated else f"[{section.name}]"
        yield f"## `{header}`"
        yield ""
        yield SECTION_WORDS[section.name].of(language) + (f" {REPEATED.of(language)}" if section.repeated else "")
    else:
        yield f"## {ABOVE.of(language)}"
    yield ""
    yield from table(HEADINGS, (_row(key, language) for key in section.keys), language)


def _row(key: Key, language: Language) -> tuple[str, str, str, str]:
    return (
        code(key.short_name),
        expected(key.type).of(language),
        _default(key, language),
        KEY_WORDS[key.name].of(language),
    )


def _default(key: Key, language: Language) -> str:
    example = EXAMPLES.get(key.name)
    if example is None:
        return code(toml_value(key.default))
    shown = code(toml_value(example.of(language) if isinstance(example, Text) else example))
    said = FOR_EXAMPLE.of(language).format(shown)
    return f"{REQUIRED.of(language) if key.required else '—'} ({said})"
