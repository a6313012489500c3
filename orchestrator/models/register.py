"""Make a version of a model: claim its number by writing its record."""

import time

import msgspec

from orchestrator.models.package import find_package, read_config
from orchestrator.models.record import Lineage, ModelVersion, find_version, numbers_taken, record_key
from orchestrator.store.base import AlreadyExistsError, Store
from orchestrator.store.manifest import Manifest
from orchestrator.store.records import claim

LOOK_BACK = 5  # versions that may be the same as the new one


def register(store: Store, draft: ModelVersion) -> ModelVersion:
    """Return the version that now has the draft's content; the one that has it already, if there is one.

    Args:
        store: Where the registry is.
        draft: With the number that it would best have, or 0. If that is taken it gets the one after the last.

    Raises:
        PermissionDeniedError, StoreError: The store cannot be written.
    """
    while True:
        taken = numbers_taken(store, draft.name)
        if found := _find_same(store, draft, taken):
            return found
        free = draft.number and draft.number not in taken
        number = draft.number if free else max(taken, default=0) + 1
        version = msgspec.structs.replace(draft, number=number, created=time.time())
        try:
            claim(store, record_key(draft.name, number), version)
        except AlreadyExistsError:  # somebody was faster: look again
            continue
        return version


def find_same(store: Store, draft: ModelVersion) -> ModelVersion | None:
    """Return the version that has the draft's content already, if it is one of the last, or has the draft's number."""
    return _find_same(store, draft, numbers_taken(store, draft.name))


def _find_same(store: Store, draft: ModelVersion, taken: list[int]) -> ModelVersion | None:
    near = dict.fromkeys([*reversed(taken[-LOOK_BACK:]), *([draft.number] if draft.number in taken else [])])
    others = (find_version(store, draft.name, number) for number in near)
    return next((other for other in others if other and other.same_content(draft)), None)


def register_output(
    registry: Store,
    name: str,
    number: int,
    *,
    store: Store,
    prefix: str,
    manifest: Manifest,
    lineage: Lineage,
    author: str,
) -> ModelVersion:
    """Register what a job has written, where it is.

    Args:
        registry: The store with the registry.
        name: Of the model.
        number: Of the job version.
        store: The store with the job's output.
        prefix: Of the output in it.
        manifest: Of the output.
        lineage: Where it came from.
        author: Who registers it.

    Raises:
        NotFoundError: The output holds no package.
        PermissionDeniedError, StoreError: The store cannot be used.
    """
    folder, package = find_package(manifest, f"the output of {lineage.job}")
    draft = ModelVersion(
        name=name,
        number=number,
        author=author,
        source=f"job {lineage.job}",
        store=store.url,
        prefix=prefix + folder,
        manifest=package,
        config=read_config(package, lambda path: store.get(prefix + folder + path).data),
        lineage=lineage,
    )
    return register(registry, draft)
