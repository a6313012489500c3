"""Delete garbage, so that nothing is lost that somebody has begun to use since it was found.

What may come into use again, packs, code archives and files of models, is condemned first (store.condemned) and judged
once more. A push that was never finished loses its number for good before its files go, so whoever goes on with it
cannot end it. What a deleted version left, and uploads, nobody can refer to. Killed at any point, it is run again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from orchestrator.datasets.versions import RECORD, deleted_version, version_prefix
from orchestrator.errors import StoreError
from orchestrator.jobs.delete import left_of
from orchestrator.progress import Reporter
from orchestrator.store.base import AlreadyExistsError, Store, Unfinished, list_objects
from orchestrator.store.condemned import SENDING, condemn
from orchestrator.store.records import claim
from orchestrator.sweeps.delete import left_of as left_of_sweep
from orchestrator.upkeep.garbage import Garbage
from orchestrator.upkeep.model_files import unused_files
from orchestrator.upkeep.references import PackReferences, unused_code, unused_packs
from orchestrator.upkeep.survey import is_of_version, left_overs

AT_ONCE = 500  # objects deleted by one request
LISTED = 5000  # objects condemned by one list


class Collector:
    """Deletes garbage of one store.

    Args:
        store: The store.
        before: Seconds since the epoch: what is younger stays.
        references: What was found out about manifests.
        reporter: Told of the objects.
        clock: Returns seconds since the epoch; unlike others, it goes on while a computer sleeps.
    """

    def __init__(
        self,
        store: Store,
        before: float,
        references: PackReferences,
        *,
        reporter: Reporter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._before = before
        self._references = references
        self._reporter = reporter
        self._clock = clock

    def collect(self, garbage: Sequence[Garbage]) -> list[Garbage]:
        """Delete what is still garbage, and return it.

        Raises:
            PermissionDeniedError, StoreError: The store refuses or fails; run it again.
        """
        gone: list[Garbage] = []
        with self._reporter.bar("delete", total=sum(one.objects for one in garbage), unit="files") as bar:
            for one in self._all(garbage):
                gone.append(one)
                bar.advance(one.objects)
        return gone

    def _all(self, garbage: Sequence[Garbage]) -> Iterator[Garbage]:
        condemnable = []
        for one in garbage:
            if one.kind in ("pack", "code"):
                condemnable.append(one)  # the last: packs are free only when dead pushes are given up
            elif self._delete(one):
                yield one
        while condemnable:
            done, gone = self._sweep(condemnable[:LISTED])
            yield from gone
            condemnable = condemnable[done:]

    def _delete(self, one: Garbage) -> bool:
        store = self._store
        if one.kind == "push":
            if not self._give_up(one):
                return False
            store.delete(left_overs(store, one.where))
        elif one.kind == "dataset":
            store.delete(left_overs(store, one.where))
        elif one.kind == "job":
            store.delete(item.key for item in left_of(store, one.name, {one.number}))
        elif one.kind == "sweep":
            store.delete(left_of_sweep(store, one.name, one.number))
        elif one.kind == "model":
            return self._delete_files(one)
        elif one.kind == "upload":
            store.give_up(Unfinished(one.where, one.upload, one.size, one.modified))
        else:
            store.delete([one.where])
        return True

    def _give_up(self, push: Garbage) -> bool:
        """Take the number from a push, unless somebody goes on with it or has finished it."""
        there = list_objects(self._store, push.where)
        if any(item.modified >= self._before for item in there if is_of_version(item.key[len(push.where) :])):
            return False
        try:
            key = version_prefix(push.name, push.number) + RECORD
            claim(self._store, key, deleted_version(push.name, push.number))
        except AlreadyExistsError:
            return False
        return True

    def _delete_files(self, one: Garbage) -> bool:
        """Condemn what an import has brought in, judge again, and delete it."""
        begun = self._clock()
        announced = condemn(self._store, [one.where])
        unused = {found.prefix for found in unused_files(self._store, one.name) if found.amount.modified < self._before}
        doomed = (item.key for item in list_objects(self._store, one.where)) if one.where in unused else iter(())
        while batch := list(islice(doomed, AT_ONCE)):
            if self._clock() - begun > SENDING:
                raise StoreError(f"{self._store.url} answers too slowly to delete safely", hint="run it again")
            self._store.delete(batch)
        self._store.delete([announced])
        return one.where in unused

    def _sweep(self, condemned: Sequence[Garbage]) -> tuple[int, list[Garbage]]:
        """Condemn packs and archives, judge again, and delete; return how many are dealt with, and what is gone."""
        begun = self._clock()
        announced = condemn(self._store, [one.where for one in condemned])
        still = self._judge_again(condemned)
        gone: list[Garbage] = []
        done = 0
        todo = iter(condemned)
        while batch := list(islice(todo, AT_ONCE)):
            if self._clock() - begun > SENDING:
                if not done:
                    raise StoreError(f"{self._store.url} answers too slowly to delete safely", hint="run it again")
                break
            doomed = [one for one in batch if one.where in still]
            self._store.delete(one.where for one in doomed)
            gone += doomed
            done += len(batch)
        # Only now that all deletions are acknowledged: after a failure the list stays until it is out of force.
        self._store.delete([announced])
        return done, gone

    def _judge_again(self, condemned: Sequence[Garbage]) -> set[str]:
        store = self._store
        found = unused_code(store) if any(one.kind == "code" for one in condemned) else []
        for name in sorted({one.name for one in condemned if one.kind == "pack"}):
            found += unused_packs(store, name, self._references, over=frozenset())
        return {item.key for item in found if item.modified < self._before}
