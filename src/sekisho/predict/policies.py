"""What is done with values that the model does not know, as a contract states it over what the artifact says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.artifact.signature import Feature, Policy, Signature
    from sekisho.contract.sections import FeatureTerms


def apply_policies(
    signature: Signature,
    *,
    out_of_range: Policy | None,
    unseen_category: Policy | None,
    terms: Sequence[FeatureTerms],
) -> Signature:
    """Return a signature whose features follow the policies that are stated.

    Args:
        signature: As it was packed.
        out_of_range: For every feature; ``None`` leaves what each has.
        unseen_category: The same.
        terms: For single features, by name; they come last.

    Raises:
        WrongUse: One speaks of a feature that the model has not, or lets a null through that the model cannot take.

    """
    given = {"out_of_range": out_of_range, "unseen_category": unseen_category}
    stated = {name: policy for name, policy in given.items() if policy is not None}
    by_name = {each.name: each for each in terms}
    for name in by_name.keys() - set(signature.names):
        raise _no_feature(name, signature.names)
    if not stated and not by_name:
        return signature
    features = tuple(
        _by_terms(msgspec.structs.replace(feature, **stated), by_name.get(feature.name))
        for feature in signature.features
    )
    return msgspec.structs.replace(signature, features=features)


def _by_terms(feature: Feature, terms: FeatureTerms | None) -> Feature:
    """Return a feature as the contract describes it; a mark that the artifact bears stays."""
    if terms is None:
        return feature
    if terms.null in {"accept", "flag"} and not feature.nullable:
        raise WrongUse(
            Text(
                en=f"the model takes no missing value of {feature.name!r}, and the contract lets one through",
                ja=f"モデルは {feature.name!r} の欠損を扱えませんが、契約では受け付けることになっています",
            ),
            Text(
                en=f'pack the model again with notes={{"{feature.name}": Note(null="{terms.null}")}}, or set null = "reject"',
                ja=f'notes={{"{feature.name}": Note(null="{terms.null}")}} を付けて梱包し直すか、null = "reject" にしてください',
            ),
        )
    return msgspec.structs.replace(
        feature,
        unit=terms.unit or feature.unit,
        description=terms.description or feature.description,
        personal=feature.personal or bool(terms.personal),
        sensitive=feature.sensitive or bool(terms.sensitive),
        out_of_range=terms.out_of_range or feature.out_of_range,
        unseen_category=terms.unseen_category or feature.unseen_category,
        null=terms.null or feature.null,
    )


def _no_feature(name: str, known: tuple[str, ...]) -> WrongUse:
    shown = ", ".join(known[:20])
    return WrongUse(
        Text(
            en=f"the contract speaks of a feature {name!r} that the model has not",
            ja=f"モデルに特徴量 {name!r} はありません",
        ),
        Text(en=f"name one of: {shown}", ja=f"次から指定してください: {shown}"),
    )
