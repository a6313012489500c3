"""Send what the store does not have of a folder, and commit it as a version."""

import threading

import msgspec

from orchestrator.datasets.claim import claim_number
from orchestrator.datasets.held import Held
from orchestrator.datasets.layout import LayoutChoice, choose_layout
from orchestrator.datasets.recall import Recall
from orchestrator.datasets.versions import FILES, RECORD, DatasetVersion, packs_prefix, version_prefix
from orchestrator.errors import ConflictError
from orchestrator.progress import Reporter
from orchestrator.store import records
from orchestrator.store.base import AlreadyExistsError, Store
from orchestrator.store.condemned import wait_for_collectors
from orchestrator.store.index import Index, PackNotes, forget_sent
from orchestrator.store.manifest import Entry, Manifest, encode_manifest, manifest_of
from orchestrator.store.pack import How, Packing
from orchestrator.store.rate import Rate
from orchestrator.store.scan import Found, Scan
from orchestrator.store.transfer import hash_tree, upload_tree


class Push:
    """One push: what is known of the folder, of the versions before, and what was done."""

    def __init__(
        self, store: Store, scan: Scan, name: str, asked: LayoutChoice, held: Held, reporter: Reporter
    ) -> None:
        self.sent = 0
        self.sent_bytes = 0
        self.copied = 0
        self.layout = choose_layout(asked, scan, held.latest)
        self._held = held
        self._store = store
        self._scan = scan
        self._name = name
        self._reporter = reporter
        self._lock = threading.Lock()
        self._index = Index(scan.folder)
        self._notes = PackNotes(store, packs_prefix(name), scan.folder)
        self._states = {found.path: found for found in scan.files}
        self._known = {found.path: sha256 for found in scan.files if (sha256 := self._index.lookup(found))}

    def unchanged(self) -> bool:
        """Return whether the folder has the content of the version before; reads what cannot be told otherwise."""
        assert self._held.latest
        before = self._held.entries
        # Where size or name differ, there is a change anyhow: such a file is read once, when it is sent.
        doubtful = [
            found
            for found in self._scan.files
            if found.path not in self._known
            and (entry := before.get(found.path))
            and (entry.kind, entry.size) == ("file", found.size)
        ]
        if doubtful:
            hash_tree(self._scan.folder, doubtful, self._learn, reporter=self._reporter)
        if len(self._known) < len(self._states) or self._held.damaged or not before:
            return False  # or the store has lost some of the content
        entries = [
            Entry(
                path=found.path,
                kind=found.kind,
                size=found.size,
                sha256=self._known.get(found.path, ""),
                executable=found.executable,
            )
            for found in (*self._states.values(), *(other for other in self._scan.found if other.kind == "folder"))
        ]
        return manifest_of(entries).tree_hash() == self._held.latest.sha256

    def send(self, rate: Rate) -> tuple[Manifest, int]:
        """Claim a number and bring all files into the store."""
        scan = msgspec.structs.replace(
            self._scan, found=[self._states.get(found.path, found) for found in self._scan.found]
        )
        latest = self._held.latest.number if self._held.latest else 0
        number = claim_number(self._store, self._name, self._scan.folder, latest=latest)
        packing = None
        if self.layout == "packed":
            # From here on our claim keeps collectors from the packs that are there.
            wait_for_collectors(self._store, packs_prefix(self._name), reporter=self._reporter)
            places, whole = self._held.places(scan.files, self._known)
            packing = Packing(self._store, packs_prefix(self._name), places=places, whole=whole, notes=self._notes)
        manifest = upload_tree(
            self._store,
            version_prefix(self._name, number) + FILES,
            scan.folder,
            scan=scan,
            known=self._known,
            held=self._held.objects(),
            packing=packing,
            on_file=self._stored,
            rate=rate,
            reporter=self._reporter,
        )
        self._held.require(manifest.packs)
        return manifest, number

    def commit(self, version: DatasetVersion, manifest: Manifest) -> None:
        """Write the manifest, then the record that makes the version exist; then its notes are of no use any more."""
        self._store.upload(version.manifest_key, encode_manifest(manifest))
        try:
            records.claim(self._store, version_prefix(version.name, version.number) + RECORD, version)
        except AlreadyExistsError as error:
            message = f"{version.name}/{version.version} was finished, or given up, by another process meanwhile"
            raise ConflictError(message, hint="run the same command again") from error
        forget_sent(self._store, version.prefix)
        self._notes.forget()

    def remember(self, recall: Recall, version: DatasetVersion) -> None:
        """Save what was learned about the folder, which has this version's content, for the next push."""
        self._index.save(self._states)
        # All files must be as they were scanned, and none so young that another change would not show.
        if all(self._index.lookup(found) for found in self._scan.files):
            recall.note(version)

    def _learn(self, found: Found, sha256: str, seen_ns: int) -> None:
        with self._lock:
            self._states[found.path] = found
            self._known[found.path] = sha256
            self._index.add(found, sha256, seen_ns)

    def _stored(self, found: Found, sha256: str, seen_ns: int, how: How) -> None:
        # What was known before is remembered with the time when it was read, not with this one.
        if how == "sent" or found.path not in self._known:
            self._learn(found, sha256, seen_ns)
        with self._lock:
            if how == "sent":
                self.sent += 1
                self.sent_bytes += found.size
            elif how == "copied":
                self.copied += 1
