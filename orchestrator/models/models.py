"""All that can be done with models; the CLI and the SDK make the same calls."""

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from orchestrator.engines import Engine
from orchestrator.errors import ConflictError, NotFoundError, UsageError
from orchestrator.models.aliases import Card, Change, check_alias, named_by, read_card, set_alias, set_note, set_tag
from orchestrator.models.archive import read_archive, write_archive
from orchestrator.models.bring import NOWHERE, Origin, fetched, import_folder, with_files
from orchestrator.models.diff import Difference, differences
from orchestrator.models.lint import Finding, lint, lint_packages
from orchestrator.models.load import Loaded, dry_load, engine_for
from orchestrator.models.package import FOLDER, find_package
from orchestrator.models.packages import ensure_packages
from orchestrator.models.record import (
    FILES,
    Lineage,
    ModelVersion,
    existing_versions,
    find_version,
    model_names,
    model_prefix,
    record_key,
)
from orchestrator.models.register import register_output
from orchestrator.progress import SILENT, Reporter
from orchestrator.specs.names import LATEST, VERSION_PATTERN, check_name, format_version, nearest, parse_version
from orchestrator.store import open_store
from orchestrator.store.base import Store, list_objects
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import change
from orchestrator.store.transfer import download_tree

# A method is called `list`.
Versions: TypeAlias = list[ModelVersion]
Files: TypeAlias = Mapping[str, Path]  # by their names in a package
Users: TypeAlias = Callable[[str], Mapping[str, Sequence[str]]]


NO_FILES: Files = {}


class Models:
    """The models of a store.

    A version is given as users write it (`v3`, `V0003`, `3`, `latest`), or as an alias. Every method that names a
    model or version raises NotFoundError if there is none.

    Args:
        store: Where they are.
        author: Who acts, as `user@host`.
        context: Name of the context that other stores are reached by.
        reporter: Told of long work.
        users: Names what uses the versions of a model now, by `V0003`.
    """

    def __init__(
        self,
        store: Store,
        *,
        author: str,
        context: str | None = None,
        reporter: Reporter = SILENT,
        users: Users = lambda name: {},
    ) -> None:
        self._store = store
        self._author = author
        self._context = context
        self._reporter = reporter
        self._users = users

    def import_output(
        self,
        name: str,
        number: int,
        *,
        store: str,
        prefix: str,
        manifest: Manifest,
        lineage: Lineage,
        files: Files = NO_FILES,
    ) -> ModelVersion:
        """Register what a job has written: where it is, or with `files` in a copy that has these beside the model.

        Raises:
            NotFoundError: It holds no package, or there is no such file.
        """
        check_name(name, "model")
        output = open_store(store, self._context)
        if not files:
            return register_output(
                self._store,
                name,
                number,
                store=output,
                prefix=prefix,
                manifest=manifest,
                lineage=lineage,
                author=self._author,
            )
        top, package = find_package(manifest, f"the output of {lineage.job}")
        source = f"job {lineage.job} with {', '.join(f'{name} of {path}' for name, path in files.items())}"
        with tempfile.TemporaryDirectory(prefix="mlctl-model-") as scratch:
            download_tree(output, prefix + top, package, Path(scratch, FOLDER), reporter=self._reporter)
            return self._import_folder(Path(scratch), name, source, files, Origin(number, lineage))

    def import_(self, source: str, name: str = "", files: Files = NO_FILES) -> ModelVersion:
        """Register the package in a folder, below an `s3://` prefix, or in an archive that `export` wrote.

        Args:
            source: Folder or file, also as `file:///FOLDER`, or URL.
            name: Of the model; by default that of the archive.
            files: What goes into the package beside what is there, or in its place, by name.

        Raises:
            NotFoundError: It is not there, or holds no package.
            UsageError: The archive is not one of ours, or anything else has no name.
        """
        if name:
            check_name(name, "model")
        path = Path(source.removeprefix("file://")).expanduser().resolve()
        if path.is_file():
            with read_archive(path) as (folder, origin):
                return self._import_folder(folder, name or origin.name, f"archive {path.name}", files, origin)
        if not name:
            raise UsageError(f"{source} needs a name", hint=f"mlctl model import {source} --name NAME")
        if re.match("(?:s3|obs)://", source):
            with fetched(open_store(source.rstrip("/"), self._context), source) as folder:
                return self._import_folder(folder, name, source, files)
        return self._import_folder(path, name, str(path), files)

    def _import_folder(
        self, folder: Path, name: str, source: str, files: Files, origin: Origin = NOWHERE
    ) -> ModelVersion:
        with with_files(folder, files) as whole:
            return import_folder(
                self._store, whole, name, source=source, author=self._author, origin=origin, reporter=self._reporter
            )

    def list(self) -> Versions:
        """Return the latest version of every model, by name."""
        found = (next(existing_versions(self._store, name), None) for name in model_names(self._store))
        return [version for version in found if version]

    def versions(self, name: str) -> Versions:
        """Return all versions of a model, the latest first."""
        if found := list(existing_versions(self._store, check_name(name, "model"))):
            return found
        near = nearest(name, [version.name for version in self.list()])
        hint = f"did you mean {near}?" if near else "make one: mlctl model import --job JOB"
        raise NotFoundError(f"there is no model {name} in {self._store.url}", hint=hint)

    def get(self, name: str, version: str = LATEST) -> ModelVersion:
        """Return one version."""
        if not re.fullmatch(VERSION_PATTERN, version):
            number: int | None = named_by(self._store, self.versions(name)[0].name, version)
        else:
            number = parse_version(version)
        if number is None:
            return self.versions(name)[0]
        if found := find_version(self._store, check_name(name, "model"), number):
            return found
        known = ", ".join(one.version for one in reversed(self.versions(name)))
        raise NotFoundError(f"model {name} has no version {number}; it has {known}", hint=f"mlctl model list {name}")

    def card(self, name: str) -> Card:
        """Return a model's aliases, tags and notes."""
        return read_card(self._store, name)

    def history(self, name: str) -> Sequence[Change]:
        """Return what was changed about a model, the oldest first."""
        self.versions(name)
        return self.card(name).history

    def set_alias(self, name: str, alias: str, version: str) -> tuple[int, ModelVersion]:
        """Let an alias name a version; return the number that it named before, or 0, and the version."""
        found = self.get(name, version)
        return set_alias(self._store, name, check_alias(alias), found.number, self._author), found

    def remove_alias(self, name: str, alias: str) -> int:
        """Take an alias away, and return the number of the version that it named."""
        named_by(self._store, name, alias)
        return set_alias(self._store, name, alias, 0, self._author)

    def tag(self, name: str, version: str, tags: Iterable[str], *, remove: bool = False) -> ModelVersion:
        """Give a version tags, or take them away."""
        found = self.get(name, version)
        for tag in tags:
            set_tag(self._store, name, found.number, check_name(tag, "tag"), self._author, remove=remove)
        return found

    def note(self, name: str, version: str, text: str) -> ModelVersion:
        """Write down something about a version."""
        found = self.get(name, version)
        set_note(self._store, name, found.number, text, self._author)
        return found

    def diff(self, name: str, one: str, other: str) -> Sequence[Difference]:
        """Return in what two versions differ."""
        return differences(self.get(name, one), self.get(name, other))

    def lint(self, name: str, version: str = LATEST, *, engine: str | None = None) -> Sequence[Finding]:
        """Return what is wrong with a version's package, or could be with its engine or another."""
        found = self.get(name, version)
        store = self._files_of(found)
        findings = lint(found.manifest, lambda path: store.get(found.prefix + path).data)
        wrong = any(finding.level == "error" for finding in findings)
        return findings if wrong else [*findings, *lint_packages(found, engine)]

    def load(self, name: str, version: str = LATEST, *, engine: str | None = None) -> Loaded:
        """Load a version with its engine, as a service would, and tell what it is; see `dry_load`."""
        found = self.get(name, version)
        chosen = engine_for(found, engine)
        return dry_load(self._files_of(found), found, chosen, registry=self._store, reporter=self._reporter)

    def pull(self, name: str, version: str, target: Path) -> ModelVersion:
        """Download a version's package into a folder, verified."""
        found = self.get(name, version)
        download_tree(self._files_of(found), found.prefix, found.manifest, target, reporter=self._reporter)
        return found

    def packages(self, version: ModelVersion, package: Path, engine: Engine) -> Path | None:
        """Install the packages that a version's service needs over an engine; see `ensure_packages`.

        Args:
            version: Which.
            package: Where its files are.
            engine: What serves it.
        """
        return ensure_packages(self._store, version, package, engine, reporter=self._reporter)

    def export(self, name: str, version: str, target: Path) -> ModelVersion:
        """Write a version with its files and lineage into an archive, for `import_` into another store.

        Raises:
            ConflictError: The file exists.
        """
        found = self.get(name, version)
        write_archive(self._files_of(found), found, target, reporter=self._reporter)
        return found

    def delete(self, name: str, version: str | None = None) -> Sequence[str]:
        """Delete a version, or all of a model; numbers stay taken, and the output of jobs stays where it is.

        Returns:
            The deleted versions.

        Raises:
            ConflictError: An alias names one of them, or it is in use.
        """
        found = self.versions(name) if version is None else [self.get(name, version)]
        card, users = self.card(name), self._users(name)
        for one in found:
            if aliases := card.aliases_of(one.number):
                hint = f"mlctl model alias remove {name} {aliases[0]}"
                raise ConflictError(f"{one.ref} is {', '.join(aliases)}", hint=hint)
            if used := users.get(one.version):
                raise ConflictError(f"{one.ref} is used by {', '.join(used)}", hint=f"mlctl service get {used[0]}")
        for one in found:
            change(self._store, record_key(name, one.number), ModelVersion, self._deleted)
            own = model_prefix(name) + FILES
            if one.store == self._store.url and one.prefix.startswith(own):
                self._store.delete(item.key for item in list_objects(self._store, one.prefix))
        return [format_version(one.number) for one in reversed(found)]

    def _deleted(self, version: ModelVersion) -> ModelVersion:
        return ModelVersion(name=version.name, number=version.number, author=self._author, deleted=time.time())

    def _files_of(self, version: ModelVersion) -> Store:
        return self._store if version.store == self._store.url else open_store(version.store, self._context)
