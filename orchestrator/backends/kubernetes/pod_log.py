"""A running pod's log at the offsets of the store: shown to be in step before it is believed."""

from orchestrator.backends.kubernetes.kubelet_log import KubeletLog
from orchestrator.errors import MlctlError
from orchestrator.runtime.logship import chunk_key, times_key
from orchestrator.store.base import Store, list_objects

SAMPLE = 1 << 16  # bytes at the beginning that must be the same on both sides
APART = 10.0  # seconds that the first line's times may differ: the pod notes it when it sees it


class PodLog:
    """What the kubelet sends, once it is sure that it begins with the log's first byte.

    A kubelet that has thrown away the beginning sends what is left without a word. So what comes is compared
    with the first bytes in the store, and their time; before that, and where they differ, the store is read.

    Args:
        live: What the kubelet sends.
        store: Where the chunks are.
        prefix: Of the chunks.
    """

    def __init__(self, live: KubeletLog, store: Store, prefix: str) -> None:
        self._live = live
        self._store = store
        self._prefix = prefix
        self._in_step: bool | None = None
        self._wanted = 0  # bytes in the store when that was found out: before they have come, the store knows more

    def size(self) -> int | None:
        if self._in_step is None:
            self._compare()
        found = self._live.size() if self._in_step else None
        return None if found is None or found < self._wanted else found

    def read(self, start: int, length: int) -> bytes | None:
        return self._live.read(start, length) if self.size() is not None else None

    def close(self) -> None:
        """Stop asking the kubelet."""
        self._live.close()

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
