"""What is wrong with what somebody wrote about a model: words that say nothing, values of another kind, another model's figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sekisho.artifact.signature import Signature
from sekisho.probes.resources.written import SYNONYMS, Value, Written

PLACEHOLDER: Final = re.compile(
    r"""^[\s\W_]*(
        to[\s_-]?do | tbd | tba | fix[\s_-]?me | n[/.]?a\.? | none | null | nil | nan | undefined | unknown | unspecified
        | not[\s_-]?(set|available|known|specified|recorded|applicable) | missing | place[\s_-]?holder | change[\s_-]?me | replace[\s_-]?me
        | insert.* | fill[\s_-]?(in|me).* | your[\s_-].* | example | sample | dummy | test | foo | bar | baz | x{2,} | a?sdf\w* | lorem(\s+ipsum.*)?
        | string | value | 0+ | 1970-01-01.* | 0001-01-01.* | yyyy.* | <.*> | \{\{?.*\}\}? | \$\{?\w+\}? | 未定 | 不明 | 未設定 | 未記入 | なし
    )[\s\W_]*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words that stand where something should be said."""
MAY_BE: Final = {"seed": ("0", "00"), "version": ("0", "0.0.0"), "name": ("test", "example", "sample")}
"""What is none of these in a field of this name."""
_NOTHING: Final = re.compile(r"^[\s\W_]*$")
_COMMIT: Final = re.compile(r"^[0-9a-fA-F]{7,64}$")
_DIGEST: Final = re.compile(r"^([A-Za-z0-9_-]+[:=])?[0-9a-fA-F]{8,128}$|^([A-Za-z0-9_-]+[:=])?[A-Za-z0-9+/]{43}=$")
_NUMBER: Final = re.compile(r"^-?\d+$")
_VERSIONED: Final = re.compile(r"(^|[\s=v])\d+(\.\w+)+")
_COUNTS: Final = (
    "n_features",
    "num_features",
    "feature_count",
    "number_of_features",
    "n_features_in",
    "n_features_in_",
)
_NAMES: Final = ("feature_names", "features", "input_features", "feature_names_in", "columns")
_CLASSES: Final = ("classes", "class_names", "target_names", "labels")


def is_placeholder(field: str, value: Value) -> bool:
    """Return whether a value says nothing."""
    if not isinstance(value, str):
        return False
    words = value.strip()
    if words.lower() in MAY_BE.get(field, ()):
        return False
    return (
        bool(_NOTHING.match(words) or PLACEHOLDER.match(words))
        or len(set(re.sub(r"\W", "", words))) == 1 < len(words) > 7
    )


def malformed(written: Written) -> Iterator[str]:
    """Yield the names of fields whose value is of another kind than it must be."""
    commit, data = written.find("code"), written.find("data")
    if commit is not None and not is_placeholder("code", commit) and not _COMMIT.match(str(commit).strip()):
        yield "code"
    if data is not None and not is_placeholder("data", data) and not _is_digest(written, data):
        yield "data"
    seeds = [written.entries.get(name) for name in SYNONYMS["seed"]]
    seeds += [value for name in SYNONYMS["seed"] for value in written.group(name).values()]
    if any(seed is not None and (isinstance(seed, bool) or not _NUMBER.match(str(seed).strip())) for seed in seeds):
        yield "seed"
    libraries = written.find("libraries")
    if libraries is not None and not is_placeholder("libraries", libraries) and not _VERSIONED.search(str(libraries)):
        yield "libraries"
    for field in ("name", "version"):
        if isinstance(written.find(field), bool):
            yield field


def _is_digest(written: Written, data: Value) -> bool:
    """Return whether what is written of the data tells which they are: a digest, or the version of a store of data."""
    versions = [written.entries.get(name) for name in SYNONYMS["data"] if name.endswith("_version")]
    if data in versions:
        return True
    return any(_DIGEST.match(word) for word in re.split(r"[\s,]+", str(data)))


def of_another_model(written: Written, signature: Signature | None) -> Iterator[str]:
    """Yield the entries that cannot be said of a model with this signature: a count of features, their names, the classes."""
    if signature is None:
        return
    names, classes = set(signature.names), signature.output.classes
    for path, value in written.entries.items():
        last = path.rpartition(".")[2]
        counted = last in _COUNTS or (last == "features" and isinstance(value, int))
        if counted and isinstance(value, int) and not isinstance(value, bool) and value != len(names):
            yield path
    for group in _NAMES:
        stated = _listed(written, group)
        if stated and stated != names:
            yield group
    for group in _CLASSES:
        stated = _listed(written, group)
        if stated and classes and len(stated) != len(classes):
            yield group


def _listed(written: Written, name: str) -> set[str]:
    """Return the values of a list that stands under a name; empty when it is no list of plain values."""
    found = written.group(name)
    if not found or not all(key.isdecimal() for key in found):
        return set()
    return {str(value) for value in found.values()}
