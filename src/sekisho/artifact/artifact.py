"""The artifact: an immutable folder that holds a model in a safe format, known by its digest."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.artifact import folder as folders
from sekisho.artifact import lock as locks
from sekisho.artifact.assembly import Parts, Wishes, assemble, formats
from sekisho.artifact.bounds import sized_by_rows
from sekisho.artifact.fitting import fit_table
from sekisho.artifact.golden import Golden, same_answers
from sekisho.artifact.libraries import Mismatch, Policy, check_libraries, mismatches
from sekisho.artifact.manifest import check_named
from sekisho.artifact.metadata import Metadata, metadata_of, model_type
from sekisho.artifact.parity import Parity
from sekisho.artifact.reading import check_digest, read_parts, read_trusted_pickle
from sekisho.artifact.reference import DriftReference
from sekisho.artifact.rehearsal import rehearse
from sekisho.artifact.signature import Note, Signature
from sekisho.artifact.subject import subject_of
from sekisho.artifact.table import Table
from sekisho.errors import ArtifactError, IntegrityError, InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.assembly import Listener
    from sekisho.artifact.formats.interface import Outputs, Runtime
    from sekisho.artifact.keys import TrustedKeys
    from sekisho.artifact.manifest import Manifest


class ModelArtifact:
    """A model with its signature, metadata, golden rows, drift reference and lock.

    ::

        ModelArtifact(model, metadata).save("artifact")
        ModelArtifact.load("artifact").predict(rows)

    Args:
        model: A fitted estimator, or an ONNX model (``onnx.ModelProto`` or its bytes).
        metadata: What is known of it: :class:`~sekisho.artifact.metadata.Metadata`, or a mapping of its fields.
        reference: The reference set, the rows that it was trained on. Without it there are no ranges, golden rows or drift reference, and
            nothing to prove a compiled model equal on.
        target: The name of the answer's column in ``reference``, or the answers themselves; several as in
            :func:`~sekisho.artifact.packing.pack`.
        name: Its name; else ``name`` or ``model_name`` of the metadata, else that of its class.
        version: Its version; else ``version`` or ``model_version`` of the metadata, else 1.0.0.
        notes: What people know of features, by name.
        trusted_types: Types that skops may hold beyond the curated list.
        lock: Whether to lock the requirements.
        listener: Told of progress.

    Raises:
        CannotPack: The model cannot be saved safely, or does not fit its reference set.

    """

    def __init__(
        self,
        model: Any,
        metadata: Metadata | Mapping[str, Any] | None = None,
        *,
        reference: object = None,
        target: object = None,
        name: str | None = None,
        version: str | None = None,
        notes: Mapping[str, Note] | None = None,
        trusted_types: tuple[str, ...] = (),
        lock: bool = True,
        listener: Listener | None = None,
    ) -> None:
        known = metadata_of(metadata)
        subject = subject_of(model, reference, target, names=_stated_names(metadata))
        graph = formats()["onnx"]
        if graph.keeps(subject.model):
            rehearse(graph.write(subject.model, trusted=frozenset()), where=None)
        if name is None:
            name = _noted(known, "name", "model_name") or model_type(subject.model).lower()
        if version is None:
            version = _noted(known, "version", "model_version") or "1.0.0"
        check_named(name, version)  # before anything that takes time
        wishes = Wishes(
            name=name,
            version=version,
            metadata=known,
            notes=notes or {},
            trusted_types=frozenset(trusted_types),
            lock=lock,
            listener=listener or _silent,
        )
        parts, files = assemble(subject, wishes)
        self._stand(parts, trusted=frozenset(trusted_types), files=files)

    def _stand(
        self,
        parts: Parts,
        *,
        trusted: frozenset[str],
        folder: Path | None = None,
        files: Mapping[str, bytes] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self._parts = parts
        self._trusted = trusted
        self._folder = folder
        self._policy: Policy = "refuse"
        self._files = dict(files or {})
        self._runtimes: dict[str, Runtime] = {} if runtime is None else {parts.manifest.runtime: runtime}
        self._loading = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        trust: bool = False,
        trusted_types: tuple[str, ...] = (),
        keys: TrustedKeys | None = None,
        require_signature: bool = False,
        library_mismatch: Policy = "refuse",
        digest: str | None = None,
    ) -> ModelArtifact:
        """Return the artifact in ``folder``, once every file has been found to be what the manifest says.

        The model itself is read when it is first asked for; the bytes that are then read are verified once more.

        Args:
            folder: Where it is.
            trust: Whether a folder without a manifest that holds a pickle may be read, which runs its code. It is logged.
            trusted_types: Types that skops may hold beyond the curated list.
            keys: The public keys that the deployer trusts. A signature that one of them is said to have made must be its own.
            require_signature: Whether one of them must have signed the artifact.
            library_mismatch: Whether a model that was saved with other versions of its libraries is refused, or loaded with a warning in the
                log.
            digest: The artifact that must be in the folder, if only one will do.

        Raises:
            NotFound: There is no such folder.
            IntegrityError: A file is missing, added, changed, cut off, or no plain file; or its contents contradict each other; or the
                signature is invalid, or missing where it is required.
            UntrustedFormat: It is a pickle, and nobody has said that it may be read.

        """
        folder = Path(folder)
        artifact = cls.__new__(cls)
        trusted = frozenset(trusted_types)
        if trust and not require_signature and folder.is_dir() and not (folder / "manifest.json").exists():
            parts, runtime = read_trusted_pickle(folder)
            check_digest(folder, parts.manifest, digest)
            artifact._stand(parts, trusted=trusted, folder=folder, runtime=runtime)
        else:
            parts = read_parts(folder, keys, require_signature=require_signature, digest=digest)
            artifact._stand(parts, trusted=trusted, folder=folder)
        artifact._policy = library_mismatch
        return artifact

    def save(self, folder: Path | str, *, overwrite: bool = False) -> ModelArtifact:
        """Write the artifact to ``folder``: all of it at once, or nothing.

        Args:
            folder: Where. The same artifact there is left as it is.
            overwrite: Whether another artifact there may be replaced.

        Raises:
            WrongUse: Something else is there.
            ArtifactError: The disk is full, or the place cannot be written.

        """
        files = {file.name: self._bytes(file.name) for file in self.manifest.files}
        folders.write_folder(Path(folder), self.manifest, files, envelope=self._parts.envelope, overwrite=overwrite)
        self._folder, self._files = Path(folder), {}
        return self

    @property
    def folder(self) -> Path | None:
        """Where it lies; ``None`` before it is saved."""
        return self._folder

    @property
    def manifest(self) -> Manifest:
        """Every file with its size and digest."""
        return self._parts.manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical manifest, in hexadecimal: what the artifact is known by."""
        return self.manifest.digest

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The model's version."""
        return self.manifest.version

    @property
    def signature(self) -> Signature:
        """What goes in and what comes out."""
        return self._parts.signature

    @property
    def metadata(self) -> Metadata:
        """When, from what, by what and on what it was made."""
        return self._parts.metadata

    @property
    def golden(self) -> Golden:
        """A few rows with their answers."""
        return self._parts.golden

    @property
    def reference(self) -> DriftReference | None:
        """What the reference set looks like; ``None`` if it was packed without one."""
        return self._parts.reference

    @property
    def parity(self) -> Parity:
        """The proof that the compiled model gives the same answers, or why it does not serve."""
        return self._parts.parity

    @property
    def lock(self) -> Path | None:
        """The file of locked requirements; ``None`` if there is none, or it is not saved yet."""
        if self._folder is None or self.manifest.file(locks.NAME) is None:
            return None
        return self._folder / locks.NAME

    @property
    def signers(self) -> tuple[str, ...]:
        """The ids of the trusted keys that have signed it, as far as keys were given when it was loaded."""
        return self._parts.signers

    @property
    def signatures(self) -> tuple[str, ...]:
        """The ids of the keys that are said to have signed it; :attr:`signers` have."""
        return () if self._parts.envelope is None else tuple(each.keyid for each in self._parts.envelope.signatures)

    def library_mismatches(self) -> tuple[Mismatch, ...]:
        """Return the libraries that its runtime needs and that are here in other versions than those that saved the model."""
        unit = formats().get(self.runtime_name)
        return () if unit is None else mismatches(unit, self.metadata)

    @property
    def runtime_name(self) -> str:
        """The id of the format that answers: ``onnx`` or ``skops``."""
        return self.manifest.runtime

    def runtime(self, format_id: str | None = None) -> Runtime:
        """Return the loaded model; it is loaded once.

        Args:
            format_id: Which of its formats answers; the one of the manifest if not given.

        Raises:
            IntegrityError: The bytes are not what the manifest says.
            UntrustedFormat: It holds a type that nobody trusts.
            ArtifactError: It does not fit its signature or the libraries here, or is not kept in that format.

        """
        wanted = format_id or self.runtime_name
        with self._loading:
            if wanted not in self._runtimes:
                self._runtimes[wanted] = self._load(wanted)
            return self._runtimes[wanted]

    def sized_by_rows(self) -> tuple[str, ...]:
        """Return the operators of its graph whose work depends on the values of the rows: a caller could make it run without end.

        Raises:
            IntegrityError: The bytes are not what the manifest says.

        """
        graph = formats()["onnx"].file
        return () if self.manifest.file(graph) is None else sized_by_rows(self._bytes(graph))

    def predict(self, data: object) -> Outputs:
        """Answer rows.

        Args:
            data: Anything that :meth:`Table.of <sekisho.artifact.table.Table.of>` takes; an array has the features in order.

        Raises:
            InvalidInput: A feature is missing, or of another kind; or there are no rows.
            ModelFailed: The model could not answer.

        """
        table = Table.of(data, self.signature.names if hasattr(data, "__array_interface__") else None)
        if not table.rows:
            raise InvalidInput(
                "no_rows",
                Text(en="there are no rows", ja="行がありません"),
                Text(en="give at least one row", ja="1行以上渡してください"),
            )
        return self.runtime().run(fit_table(table, self.signature).arrays())

    def verify(self) -> None:
        """Ask the golden rows again. A graph that has not been loaded yet is first tried in a process of its own.

        Raises:
            ArtifactError: The graph asks for all of the memory, or does not end.
            IntegrityError: One is answered otherwise than when the model was packed.

        """
        if not self.golden.rows:
            return
        graph = formats()["onnx"]
        if self.runtime_name == graph.id and graph.id not in self._runtimes:
            rehearse(self._bytes(graph.file), where=self._folder)
        answers = self.runtime().run(self.golden.table(self.signature).arrays())
        wrong = same_answers(self.golden, answers)
        if wrong:
            raise IntegrityError(
                Text(
                    en=f"golden row {wrong[0]} is answered otherwise than when the model was packed",
                    ja=f"ゴールデン行 {wrong[0]} への答えが、パック時と異なります",
                ),
                Text(
                    en="install the libraries of requirements.lock, or pack the model again",
                    ja="requirements.lock のライブラリを入れるか、パックし直してください",
                ),
                where=self._folder,
            )

    def __repr__(self) -> str:
        return f"<ModelArtifact {self.name} {self.version} {self.runtime_name} sha256:{self.digest[:12]}>"

    def _load(self, format_id: str) -> Runtime:
        unit = formats().get(format_id)
        if unit is None or self.manifest.file(unit.file) is None:
            raise ArtifactError(
                Text(en=f"it is not kept as {format_id}", ja=f"{format_id} の形式では保存されていません"),
                Text(en="see sekisho inspect", ja="sekisho inspect で確認してください"),
                where=self._folder,
            )
        check_libraries(unit, self.metadata, self._policy)
        where = unit.file if self._folder is None else str(self._folder / unit.file)
        return unit.read(self._bytes(unit.file), self.signature, trusted=self._trusted, where=where)

    def _bytes(self, name: str) -> bytes:
        if name in self._files:
            return self._files[name]
        file = self.manifest.file(name)
        assert self._folder is not None
        assert file is not None
        return folders.read_file(self._folder, file)


def _silent(fraction: float, text: Text) -> None:
    """Show nothing."""


def _noted(metadata: Metadata, *names: str) -> str | None:
    return next((str(metadata.notes[name]) for name in names if metadata.notes.get(name)), None)


def _stated_names(metadata: Metadata | Mapping[str, Any] | None) -> tuple[str, ...] | None:
    stated = metadata.get("feature_names") if isinstance(metadata, Mapping) else None
    if isinstance(stated, list | tuple) and all(isinstance(name, str) for name in stated):
        return tuple(stated)
    return None
