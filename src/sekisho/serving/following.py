"""Following the aliases of a registry: where one moves, the version that it stands for now is asked to take over.

A version that was refused is not asked for again until the alias moves once more. What somebody has activated by hand stays until then.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sekisho.errors import SekishoError
from sekisho.serving.layout import Wish
from sekisho.serving.sources import registry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.artifact.registry.registry import Registry
    from sekisho.serving.changing import Changes
    from sekisho.serving.layout import Outcome
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.sources import Source


class Follower:
    """Looks at the aliases every few seconds, in a thread of its own.

    Args:
        sources: Where the versions of each model come from, by name; those that come from a folder are left alone.
        changes: Asked for changes.
        settings: How the service runs.
        say: Writes a line to the log.

    """

    def __init__(
        self, sources: Mapping[str, Source], changes: Changes, settings: ServingSettings, say: Callable[..., None]
    ) -> None:
        references = {name: source.reference for name, source in sources.items()}
        self._references = {name: reference for name, reference in references.items() if reference is not None}
        self._seen: dict[str, str] = {name: changes.lineup.live(name).digest for name in self._references}
        self._changes = changes
        self._settings = settings
        self._say = say
        self._trouble = ""
        self._registry: Registry | None = None
        self._pause = threading.Event()

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def _follow(self) -> None:
        while not self._pause.wait(self._settings.follow_seconds):
            try:
                self.look()
            except SekishoError as error:
                self._complain(error.what.en)
            except Exception as error:  # whatever is wrong with the registry, the service goes on
                self._complain(type(error).__name__)
            else:
                self._trouble = ""

    def look(self) -> None:
        """Look at all aliases once.

        Raises:
            SekishoError: The registry cannot be read.

        """
        if self._registry is None:
            self._registry = registry_of(self._settings)
        for name, reference in self._references.items():
            digest = self._registry.resolve(reference).digest
            if digest != self._seen[name]:
                self._seen[name] = digest
                self._changes.ask(Wish(name=name, deed="reload", by="registry"), self._taker(name))

    def _taker(self, name: str) -> Callable[[Outcome], None]:
        def take(outcome: Outcome) -> None:
            if outcome.code == "interrupted":
                self._seen[name] = ""  # it is asked for again at the next look

        return take

    def _complain(self, why: str) -> None:
        if why != self._trouble:
            self._trouble = why
            self._say("error", "the registry cannot be read; what is served stays as it is", why=why)
