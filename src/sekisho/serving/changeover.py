"""How one worker goes over to another lineup: it prepares beside its work, and commits in one turn of the event loop."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import SekishoError, ServiceError
from sekisho.serving.layout import Word, failure
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.serving.hosted import Hosted
    from sekisho.serving.hosting import Hosting
    from sekisho.serving.layout import Order
    from sekisho.serving.lineup import Lineup

GARBAGE_THRESHOLDS: Final = (20_000, 20, 50)
SECONDS_TO_RETIRE: Final = 600.0
"""How long a version that is served no more may take for what it has taken: as long as any request may take."""


@dataclass(kw_only=True, eq=False, slots=True)
class _Prepared:
    """A lineup that is not served yet.

    Attributes:
        number: Its change.
        lineup: The lineup.
        more: The versions of it that are not served yet.
        abandoned: Whether nobody wants it any more.
        ready: Whether all of them are loaded.

    """

    number: int
    lineup: Lineup
    more: list[Hosted] = field(default_factory=list)
    abandoned: bool = False
    ready: bool = False


class Changing:
    """Goes over to other lineups.

    Args:
        hosting: The models of the worker.
        say: Tells the supervisor a word.
        switched: Called when what is served is another.

    """

    def __init__(self, hosting: Hosting, *, say: Callable[[Word], None], switched: Callable[[], None]) -> None:
        self._hosting = hosting
        self._say = say
        self._switched = switched
        self._prepared: _Prepared | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def obey(self, order: Order) -> None:
        """Prepare, commit or abandon."""
        if order.do == "prepare" and order.lineup is not None:
            self._drop()
            prepared = self._prepared = _Prepared(number=order.number, lineup=order.lineup)
            self._spawn(self._prepare(prepared))
        elif order.do == "commit" and self._prepared is not None and self._prepared.number == order.number:
            self._commit(self._prepared)
        elif order.do == "abandon" and self._prepared is not None and self._prepared.number == order.number:
            self._drop()

    async def _prepare(self, prepared: _Prepared) -> None:
        loop = asyncio.get_running_loop()
        try:
            for served in prepared.lineup.models:
                if self._hosting.find(served) is None:
                    hosted = await loop.run_in_executor(None, self._hosting.host, served)
                    prepared.more.append(hosted)
                    await loop.run_in_executor(None, hosted.load)
        except Exception as error:  # whatever is wrong with it, what is served stays as it is
            prepared.abandoned = True
            self._say(failure(_reason(error), "refused", prepared.number))
        if prepared.abandoned:
            await self._retire(prepared.more)
        else:
            prepared.ready = True
            self._say(Word(state="prepared", number=prepared.number))

    def _commit(self, prepared: _Prepared) -> None:
        self._prepared = None
        loop = asyncio.get_running_loop()
        for hosted in prepared.more:
            hosted.open(loop)
            self._hosting.take_in(hosted)
        gone = self._hosting.switch(prepared.lineup)
        self._switched()
        self._say(Word(state="committed", number=prepared.number))
        self._spawn(self._retire(gone))

    def _drop(self) -> None:
        """Let go of what was prepared; what is still loading is let go of when it is there."""
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.abandoned:
            return
        prepared.abandoned = True
        if prepared.ready:
            self._spawn(self._retire(prepared.more))

    async def _retire(self, gone: list[Hosted]) -> None:
        for hosted in gone:
            await hosted.finish(SECONDS_TO_RETIRE)
            await hosted.close()
        if gone:
            gone.clear()
            settle_memory()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def settle_memory() -> None:
    """Free what nobody uses, and take the rest out of sight of the garbage collector, which would look through all of it again and again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _reason(error: Exception) -> SekishoError:
    if isinstance(error, SekishoError):
        return error
    return ServiceError(
        Text(en=f"it cannot be served ({type(error).__name__})", ja=f"提供できません（{type(error).__name__}）"),
        Text(en="look at the log", ja="ログを確認してください"),
    )
