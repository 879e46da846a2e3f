"""A table is answered as the service answers its rows: bit for bit, with the same flags and refusals, whatever kind of model it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.scoring.conftest import NAMES, lines_of, read, write
from tests.serving.conftest import HERE, pack_troubled, serving
from tests.serving.troubled import DIE, IMPOSSIBLE, NAN, RAISE

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import SekishoError
from sekisho.predict.fence import Fence
from sekisho.scoring.running import UnansweredRow
from sekisho.scoring.score import score_file


def test_the_same_bits_flags_and_refusals(tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame) -> None:
    rows = frame[list(NAMES)].head(900).copy()
    rows.loc[::7, "age"] = 200.0
    rows.loc[::11, "city"] = "Atlantis"
    rows.loc[[100, 500], "children"] = 99
    source = write(rows, tmp_path / "rows.parquet")
    bad = tmp_path / "bad.jsonl"
    score_file(artifact, source, tmp_path / "out.jsonl", bad_rows=bad)
    score_file(artifact, write(rows, tmp_path / "rows.csv"), tmp_path / "csv.jsonl", bad_rows=tmp_path / "bad2.jsonl")
    found = read(tmp_path / "out.jsonl")
    assert found.equals(read(tmp_path / "csv.jsonl"))
    bodies = [{"features": json.loads(line)} for line in lines_of(rows).splitlines()]
    assert artifact.folder is not None
    with serving(artifact.folder) as service:
        refused = service.ask("/predict/batch", bodies)
        assert (refused.status, refused.json()["code"]) == (422, "out_of_range")
        good = [body for number, body in enumerate(bodies) if number not in {100, 500}]
        told = service.ask("/predict/batch", good).json()["predictions"]
    assert [(line["row"], line["code"]) for line in map(json.loads, bad.read_text().splitlines())] == [
        (101, "out_of_range"), (501, "out_of_range"),
    ]  # fmt: skip
    assert found["prediction"].tolist() == [one["prediction"] for one in told]
    assert found["probability"].tolist() == [one["probability"] for one in told]
    for label in ("leaves", "stays"):
        assert found[f"probability_{label}"].tolist() == [one["probabilities"][label] for one in told]
    assert found["flags"].tolist() == [",".join(one["flags"]) for one in told]


@pytest.mark.slow
def test_a_native_model_that_fails_at_some_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    trusted: Any = {"trusted_types": ("troubled.Troubled",)}
    folder = pack_troubled(tmp_path / "troubled")
    artifact = ModelArtifact.load(folder, **trusted)
    frame = pd.DataFrame({"what": np.full(400, 1.0), "value": np.linspace(-3, 3, 400)})
    frame.loc[[17, 18, 200, 399], "what"] = [RAISE, DIE, NAN, IMPOSSIBLE]
    source = write(frame, tmp_path / "rows.csv")
    fence = Fence(memory=0, **trusted)
    done = score_file(artifact, source, tmp_path / "out.csv", bad_rows=tmp_path / "bad", workers=2, fence=fence)
    told = [json.loads(line) for line in (tmp_path / "bad").read_text().splitlines()]
    assert [(line["row"], line["code"]) for line in told] == [
        (18, "model_failed"), (19, "model_died"), (201, "invalid_output"), (400, "invalid_output"),
    ]  # fmt: skip
    assert "hunter2" not in (tmp_path / "bad").read_text()
    assert done.answered == 396
    expected = frame["value"].drop([17, 18, 200, 399]) > 0
    assert read(tmp_path / "out.csv")["prediction"].tolist() == [str(value).lower() for value in expected]
    with pytest.raises(UnansweredRow, match=r"row 18: the model raised .* → look at the values"):
        score_file(artifact, source, tmp_path / "other.csv", workers=1, fence=fence)
    assert not (tmp_path / "other.csv.partial").exists()


def test_a_model_that_is_not_what_it_was_is_not_asked(
    tmp_path: Path, artifact: ModelArtifact, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(frame, tmp_path / "rows.csv")
    again = ModelArtifact.load(artifact.folder or "")
    runtime = again.runtime()
    run = runtime.run

    def otherwise(columns: Any) -> Any:
        outputs = run(columns)
        outputs.probabilities[:] = outputs.probabilities[:, ::-1]  # type: ignore[index]
        return outputs

    monkeypatch.setattr(runtime, "run", otherwise)
    with pytest.raises(SekishoError, match="otherwise than when"):
        score_file(again, source, tmp_path / "out.csv", ignore_others=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]
