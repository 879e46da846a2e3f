"""The whole road on the employment data: lay, train and pack, publish, check, serve, ask, watch.

It tells what happens to a :class:`Narrator`, and leaves a normal deployment project behind.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from sekisho.artifact.registry.registry import Registry
from sekisho.contract.loader import load_project
from sekisho.contract.project import Project
from sekisho.documents.report import write_html
from sekisho.errors import SekishoError, ServiceError
from sekisho.examples import visitor
from sekisho.examples.employment import layout
from sekisho.gate.listener import Listener
from sekisho.gate.report import Report
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status
from sekisho.probes.resources.process import child, free_port, surroundings
from sekisho.shelf import units
from sekisho.targets.interface import Generator
from sekisho.targets.parts.generation import generate, plan_of
from sekisho.text import Language, Text, verbatim

START_SECONDS: Final = 60.0
DRIFT_SECONDS: Final = 45.0
"""How long the road waits until the watcher has seen the drift."""


class Narrator(Protocol):
    """Whoever tells the traveller what happens."""

    def step(self, title: Text) -> AbstractContextManager[Callable[[float], None]]:
        """Announce a step; the function it gives takes the fraction done, from 0 to 1."""
        ...

    def say(self, text: Text) -> None:
        """Tell one thing that was seen."""
        ...

    def listener(self) -> Listener:
        """Return who hears how far the checkpoint is."""
        ...


def walk(root: Path, narrator: Narrator, language: Language) -> Report:
    """Walk the whole road in ``root`` and return the report of the checkpoint.

    Raises:
        WrongUse: ``root`` holds something that the demo did not make.
        SekishoError: A part of the road could not be walked.

    """
    root = root.resolve()
    with narrator.step(Text(en="1/7 Lay the project", ja="1/7 プロジェクトを用意")):
        layout.lay(root, language)
    with narrator.step(Text(en="2/7 Train and pack the model", ja="2/7 モデルを学習し、成果物にまとめる")):
        _train(root)
    project = load_project(root)
    with narrator.step(
        Text(en="3/7 Publish it, and make it the champion", ja="3/7 レジストリに登録し、本番（champion）に指定")
    ):
        published = _publish(project)
    narrator.say(published)
    narrator.say(_write_deployment(project))
    narrator.say(Text(en="4/7 The checkpoint: forty boxes", ja="4/7 関所：40項目の判定"))
    report = run_gate(project, listener=narrator.listener())
    page = write_html(report, project.state / "report" / "index.html")
    _tell_verdict(report, narrator)
    with _service(project) as url:
        guest = visitor.Visitor(url=url, key=(root / layout.SECRET).read_text(encoding="utf-8").strip())
        with narrator.step(
            Text(en="5/7 Ask the service, well and badly", ja="5/7 サービスに正しい要求と誤った要求を送る")
        ):
            guest.wait_until_ready(START_SECONDS)
            answers = guest.ask_well_and_badly()
        for answer in answers:
            narrator.say(answer)
        with narrator.step(Text(en="6/7 A year of ordinary traffic", ja="6/7 通常のトラフィック（1年分）")) as done:
            usual = guest.send_ordinary(done)
        narrator.say(usual)
        with narrator.step(
            Text(en="7/7 The world changes: drifted traffic", ja="7/7 世界が変わる：ドリフトしたトラフィック")
        ) as done:
            seen = guest.send_drifted(done, patience=DRIFT_SECONDS)
        narrator.say(seen)
    for line in _next_steps(root, page):
        narrator.say(line)
    return report


def _train(root: Path) -> None:
    """Run the project's own training command, as the contract records it."""
    run = subprocess.run(
        [sys.executable, "train.py"], cwd=root, env=surroundings(), capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or [""])[-1]
        raise SekishoError(
            Text(en=f"training failed: {last}", ja=f"学習に失敗しました: {last}"),
            Text(
                en="run python train.py there to see more",
                ja="そのフォルダーで python train.py を実行して確認してください",
            ),
            where=root / "train.py",
        )


def _publish(project: Project) -> Text:
    """Publish the artifact in the project's registry, and tell what is live."""
    registry = Registry(project.path(project.contract.registry.location))
    version = registry.push(project.path(project.contract.model.artifact), reason="sekisho demo").version
    alias = project.contract.registry.alias
    registry.promote(f"{version.name}@{version.version}", alias=alias, reason="sekisho demo")
    return Text(
        en=f"{version.name}@{alias} is {version.version}, sha256:{version.digest[:12]}…",
        ja=f"{version.name}@{alias} は {version.version}（sha256:{version.digest[:12]}…）",
    )


def _write_deployment(project: Project) -> Text:
    """Write the Compose files that the contract names, as ``sekisho generate compose`` does, and tell where they are."""
    compose = units("sekisho.targets", Generator)["compose"]
    try:
        done = generate(compose, plan_of(project.root, compose.settings, {}), force=True)
    except SekishoError as error:  # the road goes on without them, and the box that reads them says what it lacks
        return Text(en=f"no deployment files: {error.what.en}", ja=f"デプロイ用ファイルなし: {error.what.ja}")
    folder = done.folder.relative_to(project.root)
    return Text(
        en=f"{folder}/ holds the deployment: the service, Prometheus and Grafana for Docker Compose",
        ja=f"{folder}/ にデプロイ用ファイル（Docker Compose のサービス・Prometheus・Grafana）を生成しました",
    )


@contextlib.contextmanager
def _service(project: Project) -> Iterator[str]:
    """Serve the champion of the project's registry as ``sekisho serve`` does, and yield where it listens."""
    port = free_port()
    champion = f"{project.contract.model.name}@{project.contract.registry.alias}"
    command = [sys.executable, "-m", "sekisho", "serve", champion, "-C", str(project.root), "--port", str(port)]
    command += ["--registry", str(project.path(project.contract.registry.location))]
    log = project.state / "demo-service.log"
    with child(command, folder=project.root, environment=surroundings(), log=log) as running:
        try:
            yield f"http://127.0.0.1:{port}"
        except ServiceError as error:
            if running.exit_code is None:
                raise
            said = running.last_line()
            raise ServiceError(
                Text(en=f"the service ended: {said}", ja=f"サービスが終了しました: {said}"), error.remedy, where=log
            ) from error


def _tell_verdict(report: Report, narrator: Narrator) -> None:
    count = {status: sum(item.verdict.status is status for item in report.items) for status in Status}
    passed, failed, unknown = count[Status.PASS], count[Status.FAIL], count[Status.UNKNOWN]
    narrator.say(
        Text(
            en=f"{passed} boxes passed, {failed} failed, {unknown} are unknown: what is not measured never counts as passed",
            ja=f"合格 {passed}、不合格 {failed}、未確認 {unknown}。測っていない項目は合格に数えません",
        )
    )
    for item in report.items:
        if item.verdict.status is Status.FAIL:
            narrator.say(
                Text(en=f"✗ {item.id}: {item.verdict.summary.en}", ja=f"✗ {item.id}: {item.verdict.summary.ja}")
            )


def _next_steps(root: Path, page: Path) -> Iterator[Text]:
    yield Text(en=f"The report: {page}", ja=f"レポート: {page}")
    yield Text(
        en=f"The project is a normal one. In {root} try:",
        ja=f"できあがったのは通常のプロジェクトです。{root} で次をお試しください:",
    )
    program = "sekisho" if shutil.which("sekisho") else shlex.join([sys.executable, "-m", "sekisho"])
    for verb in (
        "check",
        "explain security/rate-limiting",
        "serve employment@champion",
        "registry history employment",
        "drift data/training.csv data/production.csv",
        "generate dashboard",
    ):
        yield verbatim(f"    {program} {verb}")
