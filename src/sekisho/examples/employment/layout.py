"""Lay a deployment project for the employment model: its tables, its training script, its contract, its keys."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sekisho.contract.project import STATE_FOLDER
from sekisho.contract.writing import write_contract
from sekisho.errors import MissingExtra, WrongUse
from sekisho.examples.employment import IDENTIFIER, SENSITIVE, TABLE, TARGET, TIME
from sekisho.serving.guards.keys import new_key
from sekisho.text import Language, Text

if TYPE_CHECKING:
    import pandas as pd

YEARS: Final[dict[str, tuple[int, ...]]] = {"training": (2015, 2016), "test": (2017,), "production": (2018,)}
"""Which years of the survey each table holds: the model is judged on people it met later than those it learned from."""

MARK: Final = "demo"
"""A file in the project's state folder that says that this project was laid by the demo and may be laid again."""

REGISTRY: Final = "registry"
"""Where the demo publishes its model."""

COMPOSE: Final = "deploy/compose.yaml"
"""Where the demo has its deployment written."""

KEYS: Final = "secrets/keys"
SECRET: Final = "secrets/client.key"  # noqa: S105


def lay(root: Path, language: Language) -> None:
    """Write the project into ``root``, or write it anew when it is one of the demo's own.

    Raises:
        WrongUse: ``root`` holds something else.
        MissingExtra: pandas is not installed.

    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())) and not (root / STATE_FOLDER / MARK).exists():
        raise WrongUse(
            Text(
                en="this is not an empty folder, nor an earlier demo", ja="空のフォルダーでも、以前のデモでもありません"
            ),
            Text(en="name a new folder: sekisho demo DIR", ja="新しいフォルダーを指定してください: sekisho demo DIR"),
            where=root,
        )
    (root / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
    (root / STATE_FOLDER / MARK).write_text("sekisho demo\n", encoding="utf-8")
    shutil.rmtree(root / REGISTRY, ignore_errors=True)  # that of an earlier demo: its version 1.0.0 is another model
    _write_tables(root / "data")
    shutil.copyfile(Path(__file__).with_name("train.py"), root / "train.py")
    shutil.copyfile(Path(__file__).with_name("SOURCE.md"), root / "data" / "SOURCE.md")
    (root / ".gitignore").write_text(f"{STATE_FOLDER}/\nartifact/\n{REGISTRY}/\ndeploy/\nsecrets/\n", encoding="utf-8")
    _write_keys(root)
    write_contract(root, contract_values(language), language, replace=True)
    _commit(root)


def read_table() -> pd.DataFrame:
    """Return the whole table that ships with the package, one row a person.

    Raises:
        MissingExtra: pandas is not installed.

    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtra("pandas", "check") from error
    return pd.read_csv(TABLE)


def contract_values(language: Language) -> dict[str, Any]:
    """Return what the contract of the demo says, by section; the sentences in it are in ``language``."""
    cost = Text(
        en="Missing people with a job and counting people without one cost the survey the same",
        ja="就業者の見落としと非就業者の誤判定は、調査にとって同じだけの損失になるため",
    )
    fair = Text(
        en="The figures go into regional statistics by sex: neither may be found less often than the other",
        ja="男女別の地域統計に使うため、一方の就業者だけを見落としてはならない",
    )
    window = Text(
        en="Everybody of the survey's sample in 2018, the year after the test set; the demo plays at the end of that year",
        ja="テストデータの翌年にあたる2018年の調査標本の全員。デモでは同年末を現在とみなす",
    )
    return {
        "model": {
            "name": "employment",
            "artifact": "artifact",
            "training_command": ["python", "train.py"],
        },
        "registry": {"location": REGISTRY},
        "data": {
            **{name: f"data/{name}.csv" for name in YEARS},
            "target": TARGET,
            "positive": 1,
            "identifier": IDENTIFIER,
            "time": TIME,
            "production_window": window.of(language),
            "as_of": dt.date(YEARS["production"][-1], 12, 31),
        },
        "quality": {"metric": "balanced_accuracy", "threshold": 0.78, "reason": cost.of(language)},
        "fairness": {
            "attributes": [SENSITIVE[0]],
            "notions": ["true_positive_rate"],
            "reason": fair.of(language),
        },
        "serving": {
            "latency_p99_ms": 100.0,
            "rate_per_second": 100.0,
            "load_seconds": 6.0,
            "workers": 2,
            "mode": "real-time",
            "freshness_seconds": 1.0,
        },
        "infrastructure": {"compose": COMPOSE},
        "security": {"key_file": KEYS, "rate_limit": 500.0},
        "monitoring": {"window_rows": 1000},
    }


def _write_tables(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    table = read_table()
    for name, years in YEARS.items():
        table[table[TIME].isin(years)].to_csv(folder / f"{name}.csv", index=False)


def _write_keys(root: Path) -> None:
    """Make one key for the demo's own client; the service keeps its hash alone."""
    secret, line = new_key("demo", ("predict", "metrics"))
    (root / "secrets").mkdir(mode=0o700, exist_ok=True)
    for name, content in ((KEYS, line), (SECRET, secret)):
        path = root / name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(content + "\n", encoding="utf-8")


def _commit(root: Path) -> None:
    """Put the project under version control, where git is installed, so that the artifact can name the code it came from."""
    git = shutil.which("git")
    if git is None:
        return
    author = ("-c", "user.name=sekisho demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")
    for words in (
        ("init", "--quiet"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--allow-empty", "--message", "The demo's project"),
    ):
        subprocess.run([git, *words], cwd=root, check=True, capture_output=True)
