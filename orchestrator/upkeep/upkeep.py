"""What can be done about a store's room; the CLI and the SDK make the same calls."""

import time
from collections.abc import Callable, Sequence

from orchestrator.errors import UsageError
from orchestrator.progress import SILENT, Reporter
from orchestrator.store.base import Store
from orchestrator.store.condemned import YOUNGEST
from orchestrator.upkeep.collect import Collector
from orchestrator.upkeep.garbage import Garbage, look_through
from orchestrator.upkeep.references import PackReferences
from orchestrator.upkeep.usage import Use, usage_of

DAY = 86_400.0  # seconds


class Upkeep:
    """Tells what takes room in a store, and frees what nobody needs.

    Args:
        store: The store.
        reporter: Told of long work.
        clock: Returns seconds since the epoch.
    """

    def __init__(self, store: Store, *, reporter: Reporter = SILENT, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._reporter = reporter
        self._clock = clock

    def usage(self) -> list[Use]:
        """Return what takes room, each object counted once."""
        return usage_of(self._store, look_through(self._store, self._clock() - DAY, reporter=self._reporter))

    def garbage(self, *, older_than: float = DAY) -> list[Garbage]:
        """Return what nobody needs, and change nothing.

        Args:
            older_than: Seconds; what is younger may be about to be used.

        Raises:
            UsageError: That is too short.
        """
        return look_through(self._store, self._before(older_than), reporter=self._reporter).garbage

    def collect(self, garbage: Sequence[Garbage], *, older_than: float = DAY) -> list[Garbage]:
        """Delete what `garbage` found, as far as nobody has begun to use it since, and return what is gone.

        It may be killed, and run again. Jobs, pushes and pulls go on beside it.

        Raises:
            UsageError: `older_than` is too short.
            PermissionDeniedError, StoreError: The store refuses or fails.
        """
        before = self._before(older_than)
        collector = Collector(self._store, before, PackReferences(self._store), reporter=self._reporter)
        return collector.collect(garbage)

    def _before(self, older_than: float) -> float:
        if older_than < YOUNGEST:
            hint = f"--older-than {YOUNGEST / 3600:.0f}h, or more"
            raise UsageError("what is younger than an hour may be about to be used, and is not deleted", hint=hint)
        return self._clock() - older_than
