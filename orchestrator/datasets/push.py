"""Push a folder: the next version of a dataset, sending only what the store does not have."""

import time

import msgspec

from orchestrator.datasets.claim import only_pusher
from orchestrator.datasets.held import Held
from orchestrator.datasets.layout import LayoutChoice
from orchestrator.datasets.recall import Recall
from orchestrator.datasets.versions import DatasetVersion, author
from orchestrator.errors import UsageError
from orchestrator.progress import Reporter
from orchestrator.store.base import Store
from orchestrator.store.look import Look
from orchestrator.store.parallel import ahead
from orchestrator.store.rate import Rate
from orchestrator.store.scan import Found, Skipped


class PushResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a push or import did.

    Attributes:
        version: The version that now has the folder's content.
        created: False if it was there before: then nothing was written.
        sent: Number of files whose bytes were sent.
        sent_bytes: Their size.
        copied: Number of files that an earlier version has: copied inside the store, or left in their packs.
        skipped: What was left out of the folder, and why.
        largest: The largest files.
    """

    version: DatasetVersion
    created: bool
    sent: int = 0
    sent_bytes: int = 0
    copied: int = 0
    skipped: list[Skipped] = []
    largest: list[Found] = []

    @property
    def files(self) -> int:
        """Number of files of the version."""
        return self.version.files

    @property
    def bytes(self) -> int:
        """Bytes of the version."""
        return self.version.size


def push_folder(
    store: Store,
    look: Look,
    name: str,
    *,
    description: str,
    source: str,
    catalog: str = "",
    layout: LayoutChoice = "auto",
    rate: Rate,
    reporter: Reporter,
) -> PushResult:
    """Make the folder's content the next version of a dataset, unless it is that of the latest.

    Killed and run again, it goes on under the same number and does not send again what was sent.

    Args:
        store: Where to.
        look: At the folder that is pushed.
        name: The dataset.
        description: For people.
        source: For people: where the folder comes from.
        catalog: Identity of the catalog entry, in an import.
        layout: How to store it; another one than that of the latest version makes a new version.
        rate: Of what is sent.
        reporter: Told of the progress.

    Raises:
        NotFoundError: There is no such folder.
        UsageError: It has no files.
        PermissionDeniedError, StoreError: It cannot be read, or the store not be written; what was
            stored so far is used by the next push.
    """
    folder = look.folder
    with only_pusher(store, name, folder, reporter):
        answer = ahead(lambda: Held(store, name, reporter))
        seen = look.summary
        if not seen.largest:
            left_out = f" ({len(seen.skipped)} left out: {seen.skipped[0].reason})" if seen.skipped else ""
            raise UsageError(
                f"{folder} has no files to push{left_out}", hint="put the data there, or name another folder"
            )
        held, recall = answer(), Recall(store, name, folder, seen.states)
        fits = held.latest and layout in ("auto", held.latest.layout)
        if held.latest and fits and recall.knows(held.latest):
            return PushResult(version=held.latest, created=False, skipped=seen.skipped, largest=seen.largest)
        from orchestrator.datasets.send import Push  # with all that a push which sends nothing does not need

        push = Push(store, look.scan, name, layout, held, reporter)
        if held.latest and fits and push.unchanged():
            push.remember(recall, held.latest)
            return PushResult(version=held.latest, created=False, skipped=seen.skipped, largest=seen.largest)
        manifest, number = push.send(rate)
        version = DatasetVersion(
            name=name,
            number=number,
            description=description,
            created=time.time(),
            author=author(),
            source=source,
            sha256=manifest.tree_hash(),
            files=manifest.files,
            size=manifest.size,
            catalog=catalog,
            layout=push.layout,
            layout_asked=layout != "auto",
        )
        push.commit(version, manifest)
        push.remember(recall, version)
        return PushResult(
            version=version,
            created=True,
            sent=push.sent,
            sent_bytes=push.sent_bytes,
            copied=push.copied,
            skipped=seen.skipped,
            largest=seen.largest,
        )
