"""A running pod's log at the offsets of the store: shown to be in step before it is believed."""

import time
from collections.abc import Callable

from orchestrator.backends.kubernetes.kubelet_log import KubeletLog
from orchestrator.errors import MlctlError
from orchestrator.runtime.logship import chunk_key, times_key
from orchestrator.store.base import Store, list_objects

SAMPLE = 1 << 16  # bytes at the beginning that must be the same on both sides
STILL = 1.0  # seconds without more from the kubelet, after which the store is asked, and as often again
APART = 10.0  # seconds that the first line's times may differ: the pod notes it when it sees it


class PodLog:
    """What the kubelet sends, once it is sure that it begins with the log's first byte.

    A kubelet that has thrown away the beginning sends what is left without a word. So what comes is compared
    with the first bytes in the store, and their time; before that, and where they differ, the store is read.
    The kubelet shows a line when it is whole and while the API server can be reached; when nothing comes from it,
    the store may know more.

    Args:
        live: What the kubelet sends.
        store: Where the chunks are.
        prefix: Of the chunks.
        clock: Seconds that only go up.
    """

    def __init__(
        self, live: KubeletLog, store: Store, prefix: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._live = live
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._seen, self._looked = -1, 0.0  # bytes, and when there were more or the store was asked
        self._in_step: bool | None = None
        self._wanted = 0  # bytes in the store when that was found out: before they have come, the store knows more

    def size(self) -> int | None:
        found, now = self._known(), self._clock()
        if found is None:
            return None
        if found != self._seen:
            self._seen, self._looked = found, now
        elif now - self._looked >= STILL:
            self._looked = now
            return None
        return found

    def read(self, start: int, length: int) -> bytes | None:
        known = self._known()
        return None if known is None or start >= known else self._live.read(start, length)

    def close(self) -> None:
        """Stop asking the kubelet."""
        self._live.close()

    def _known(self) -> int | None:
        """Return how many bytes the kubelet has sent; None if the store knows better."""
        if self._in_step is None:
            self._compare()
        found = self._live.size() if self._in_step else None
        if found is not None and found < self._wanted:
            self._live.read(found, 0)  # nobody will, and there is no room for more
            return None
        return found

    def _compare(self) -> None:
        came = self._live.read(0, SAMPLE)
        if not came:
            return
        try:
            sizes = {item.key: item.size for item in list_objects(self._store, self._prefix)}
            if chunk_key(self._prefix, 0) not in sizes:
                return
            first = self._store.get_range(chunk_key(self._prefix, 0), 0, SAMPLE)
            _, _, moment = self._store.get(times_key(self._prefix, 0)).data.partition(b"\n")[0].partition(b" ")
        except MlctlError:  # the store is away: asked again at the next look
            return
        length = min(len(came), len(first))
        near = self._live.started is not None and abs(self._live.started - float(moment)) < APART
        self._in_step = near and came[:length] == first[:length]
        self._wanted = sum(size for key, size in sizes.items() if key.endswith(".log"))
        if not self._in_step:
            self._live.close()
