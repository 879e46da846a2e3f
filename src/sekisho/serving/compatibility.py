"""Whether one version of a model can take the place of another without its callers noticing: it takes what they send, and answers what they read.

Ranges and categories may differ, since they follow from the data; what must not is which columns there are, in which order, of which kind,
and what the answer is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.errors import ArtifactError
from sekisho.text import Text, join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Output, Signature


def check_compatible(before: Signature, after: Signature) -> None:
    """Refuse a version that needs something else than callers send, or answers something else than they read.

    Args:
        before: Of the version that is live.
        after: Of the one that shall be.

    Raises:
        ArtifactError: It does.

    """
    found = [*_columns(before, after), *_answers(before.output, after.output)]
    if found:
        raise ArtifactError(
            join(found),
            Text(
                en="change the callers first, and say that the signature may change; or serve it under another name",
                ja="先に呼び出し側を変更し、入出力の変更を許可して切り替えるか、別の名前で提供してください",
            ),
        )


def _columns(before: Signature, after: Signature) -> Iterator[Text]:
    old, new = list(before.names), list(after.names)
    more, fewer = [name for name in new if name not in old], [name for name in old if name not in new]
    if more:
        yield Text(
            en=f"it needs columns that nobody sends: {_shown(more)}", ja=f"誰も送っていない列が必要です: {_shown(more)}"
        )
    if fewer:
        yield Text(
            en=f"it refuses columns that are sent: {_shown(fewer)}",
            ja=f"送られている列を受け付けません: {_shown(fewer)}",
        )
    if not more and not fewer and old != new:
        yield Text(en="it takes the columns in another order", ja="列の順序が違います")
    for name in new:
        if name not in old:
            continue
        one, other = before.feature(name), after.feature(name)
        are_texts = name in before.texts and name in after.texts
        if one.kind != other.kind and (one.kind, other.kind) != ("integer", "float") and not are_texts:
            yield Text(
                en=f"it takes {name!r} as {other.kind}, not as {one.kind}",
                ja=f"{name!r} の型が {one.kind} から {other.kind} に変わっています",
            )
        elif one.takes_null and not other.takes_null:
            yield Text(en=f"it takes no null in {name!r}", ja=f"{name!r} の欠損を受け付けません")


def _answers(before: Output, after: Output) -> Iterator[Text]:
    if _told(before) != _told(after):
        yield Text(
            en="it answers something else (another task, other classes or names, or with and without probabilities)",
            ja="答えの形が違います（タスク、クラス、名前、確率の有無のいずれか）",
        )


def _told(output: Output) -> tuple[object, ...]:
    """Return what callers see of an answer; the name of a single one is not told."""
    several = tuple((one.name, *_told(one)) for one in output.outputs)
    return output.task, output.classes, output.probabilities, several


def _shown(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
