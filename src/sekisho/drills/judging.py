"""From what became of every request to the result of a drill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sekisho.drills.interface import Result
from sekisho.drills.parts.traffic import Shot
from sekisho.text import Text


def judged(
    shots: Sequence[Shot],
    *,
    rule_kept: bool = True,
    broken: Text | None = None,
    excuses: Callable[[Shot], bool] = lambda shot: False,  # noqa: ARG005
    may_refuse: Callable[[Shot], bool] = lambda shot: False,  # noqa: ARG005
    most_excused: int | None = None,
    recovered: float | None = None,
    must_recover: bool = True,
    said: tuple[str, ...] = (),
    figures: Mapping[str, float] | None = None,
) -> Result:
    """Count, and say whether the rule was kept: nothing is lost, the service is as before, and whatever else the drill found.

    Args:
        shots: Every request.
        rule_kept: Whether everything else was as it must be.
        broken: What was not, if not.
        excuses: Whether the rule excuses the failure of a request.
        may_refuse: Whether a request may be turned away in order.
        most_excused: How many may be excused; ``None``: any number.
        recovered: Seconds until the service was as before; ``None``: it never was.
        must_recover: Whether there is anything to recover from.
        said: What the log said.
        figures: What else was measured.

    """
    failed = [shot for shot in shots if not shot.ok]
    refused = [shot for shot in failed if shot.refused and may_refuse(shot)]
    excused = [shot for shot in failed if shot not in refused and excuses(shot)]
    lost = len(failed) - len(refused) - len(excused)
    why = _why(lost, len(excused), most_excused, recovered, must_recover=must_recover)
    if why is None and not rule_kept:
        why = broken or Text(en="the rule was not kept", ja="規則が守られませんでした")
    return Result(
        passed=why is None,
        why=why or Text(en="as it must be", ja="規則どおり"),
        sent=len(shots),
        succeeded=len(shots) - len(failed),
        refused=len(refused),
        excused=len(excused),
        lost=lost,
        seconds_to_recover=None if recovered is None else round(recovered, 3),
        said=said,
        figures=dict(figures or {}),
    )


def _why(
    lost: int, excused: int, most_excused: int | None, recovered: float | None, *, must_recover: bool
) -> Text | None:
    if lost:
        return Text(en=f"{lost} requests were lost", ja=f"リクエスト {lost} 件が失われました")
    if most_excused is not None and excused > most_excused:
        return Text(
            en=f"{excused} requests failed, more than the {most_excused} that were under way",
            ja=f"失敗は {excused} 件で、処理中だった {most_excused} 件を超えました",
        )
    if must_recover and recovered is None:
        return Text(en="the service did not become as before", ja="サービスが元の状態に戻りませんでした")
    return None
