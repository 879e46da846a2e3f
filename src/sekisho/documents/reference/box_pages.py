"""A page for every box of the checklist: why it is there, what measures it, how it looks, what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sekisho.documents.reference.markdown import head, page_name, table
from sekisho.gate.check import SECTIONS
from sekisho.gate.explaining import Explanation, explain
from sekisho.gate.graph import Units
from sekisho.gate.selection import in_order
from sekisho.gate.verdict import STATUS_WORDS
from sekisho.text import LANGUAGES, Language, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER: Final = "boxes"
INDEX: Final = "README"
TITLE: Final = Text(en="The boxes of the checklist", ja="チェックリストの項目")
LEAD: Final = Text(
    en="Each box is a program: probes measure the real artifact, service and files, and a check judges what they found. "
    "`sekisho check ID` proves one box, `sekisho explain ID` prints its page.",
    ja="各項目はプログラムです。プローブが実際の成果物・サービス・ファイルを測り、その結果をチェックが判定します。"
    "1項目だけ判定するには `sekisho check ID`、説明を読むには `sekisho explain ID` を使います。",
)
BOX: Final = Text(en="Box", ja="項目")
ID: Final = Text(en="Id", ja="ID")
WHY: Final = Text(en="Why", ja="なぜ必要か")
MEASURED: Final = Text(en="How it is measured", ja="測り方")
NOT_MEASURED: Final = Text(
    en="Nothing measures this box yet, so its verdict is unknown.",
    ja="この項目を測る手段はまだありません。判定は「未測定」になります。",
)
SECONDS: Final = Text(en="about {:g} s", ja="約 {:g} 秒")
ALONE: Final = Text(en="about {:g} s, alone so that nothing disturbs it", ja="約 {:g} 秒、他の測定と重ねず単独で実行")
REMEDY: Final = Text(en="What to do when it fails", ja="不合格のときの対処")
EXAMPLES: Final = Text(en="How it looks", ja="判定の例")
FULL_STOPS: Final[dict[Language, str]] = {"en": ".", "ja": "。"}
AGAIN: Final = Text(en="Prove it", ja="判定する")


def box_pages() -> dict[str, str]:
    """Return the page of every box and their index, in both languages, by path."""
    units = Units.installed()
    boxes = [explain(units, box) for box in in_order(units.checks)]
    pages: dict[str, str] = {}
    for language in LANGUAGES:
        pages[f"{FOLDER}/{page_name(INDEX, language)}"] = _index(boxes, language)
        for box in boxes:
            pages[f"{FOLDER}/{page_name(box.id, language)}"] = _page(box, language)
    return pages


def _index(boxes: Sequence[Explanation], language: Language) -> str:
    lines = [*head(TITLE, INDEX, language), LEAD.of(language), ""]
    for section, words in SECTIONS.items():
        inside = [box for box in boxes if box.id.startswith(f"{section}/")]
        rows = ((f"[{box.title.of(language)}]({page_name(box.id, language)})", f"`{box.id}`") for box in inside)
        lines += [f"## {words.of(language)}", "", *table((BOX, ID), rows, language), ""]
    return "\n".join(lines)


def _page(box: Explanation, language: Language) -> str:
    lines = [*head(box.title, box.id.partition("/")[2], language), f"`{box.id}`", ""]
    for heading, body in (
        (WHY, [_sentence(box.why, language)]),
        (MEASURED, list(_measured(box, language))),
        (
            EXAMPLES,
            [f"- **{STATUS_WORDS[status].of(language)}**: {said.of(language)}" for status, said in box.examples],
        ),
        (REMEDY, [_sentence(box.remedy, language)]),
        (AGAIN, ["```console", f"$ sekisho check {box.id}", "```"]),
    ):
        if body:
            lines += [f"## {heading.of(language)}", "", *body, ""]
    return "\n".join(lines)


def _measured(box: Explanation, language: Language) -> Iterator[str]:
    for probe in box.probes:
        cost = (ALONE if probe.exclusive else SECONDS).of(language).format(probe.seconds)
        yield f"- {probe.title.of(language)} (`{probe.id}`; {cost})"
    if not box.probes:
        yield NOT_MEASURED.of(language)


def _sentence(words: Text, language: Language) -> str:
    """Return words that stand alone as a paragraph: with a capital, unless they begin with a name, and a full stop."""
    said = words.of(language)
    if language == "en" and re.match(r"[a-z]+[ ,]", said):
        said = said[0].upper() + said[1:]
    return said if said.endswith((".", "?", "。", "？")) else f"{said}{FULL_STOPS[language]}"
