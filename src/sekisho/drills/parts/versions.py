"""Another version of an artifact, and the link by which a service knows which is live."""

from __future__ import annotations

import shutil
from pathlib import Path

from sekisho.artifact import bom, lock
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.folder import write_folder
from sekisho.artifact.manifest import Manifest, manifest_of
from sekisho.drills.parts.running import Running
from sekisho.probes.wire.message import Reply, post

NEXT = "drill"
"""What the version is called that takes over."""


class Versions:
    """The artifact as it is, and a copy that is called another version, behind one link.

    Args:
        artifact: The artifact.
        scratch: Where the copies go.

    """

    def __init__(self, artifact: Path, scratch: Path) -> None:
        loaded = ModelArtifact.load(artifact)
        self.link = scratch / "live"
        self.name, self.first = loaded.name, loaded.version
        self._folders = {self.first: scratch / "first", NEXT: scratch / "next"}
        shutil.copytree(artifact, self._folders[self.first])
        write_folder(self._folders[NEXT], *_renamed(loaded, artifact))
        self.point(self.first)

    def point(self, version: str) -> None:
        """Let the link lead to a version."""
        place = self.link.with_name("link")
        place.symlink_to(self._folders[version].name)
        place.replace(self.link)

    def damage(self, version: str) -> str:
        """Change one byte of a version; return the name of the file."""
        folder = self._folders[version]
        name = max(ModelArtifact.load(folder).manifest.files, key=lambda file: file.size).name
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        return name

    def reload(self, running: Running) -> Reply:
        """Tell the service to take what the link leads to now."""
        return running.ask(post(f"/models/{self.name}/reload", b"{}"), timeout=60.0)


def _renamed(artifact: ModelArtifact, folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and the files of the same artifact under the name of the next version."""
    written = artifact.manifest
    files = {file.name: (folder / file.name).read_bytes() for file in written.files}
    named = {"name": written.name, "version": NEXT, "runtime": written.runtime, "written_by": written.written_by}
    if files.pop(bom.NAME, None) is not None:  # it names the version too
        bare = manifest_of(files, **named)
        files[bom.NAME] = bom.bill_of(bare, artifact.signature, artifact.metadata, files.get(lock.NAME))
    return manifest_of(files, **named), files
