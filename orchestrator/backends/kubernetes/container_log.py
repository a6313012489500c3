"""What a container beside the script has said so far, whole: `fetch` and `sync` say little."""

import time
from collections.abc import Callable
from contextlib import suppress

from orchestrator.backends.kubernetes.api import READ_TIMEOUT, Api
from orchestrator.errors import MlctlError

AGAIN = 1.0  # seconds before it is asked again


class ContainerLog:
    """The log of one container, asked for as a whole each time, and not while there is nothing to ask.

    Args:
        api: The cluster.
        pod: Name of the pod.
        container: Name of the container.
        saved: Gives the first chunk of that log in the store, nothing if there is none.
        clock: Seconds that only go up.
    """

    def __init__(
        self,
        api: Api,
        pod: str,
        container: str,
        saved: Callable[[], bytes],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._path = api.path("v1/pods", pod, part="log")
        self._container = container
        self._saved = saved
        self._clock = clock
        self._asked = float("-inf")
        self._text: bytes | None = b""

    def size(self) -> int | None:
        if self._text is not None and self._clock() - self._asked >= AGAIN:
            self._asked = self._clock()
            self._text = self._ask(self._text)
        return None if self._text is None else len(self._text)

    def read(self, start: int, length: int) -> bytes | None:
        return None if self._text is None or start >= len(self._text) else self._text[start : start + length]

    def _ask(self, known: bytes) -> bytes | None:
        """Return the log; None for good once it is not what it was, or not there: the store knows more."""
        try:
            text = b"".join(self._api.stream(self._path, read_timeout=READ_TIMEOUT, container=self._container))
        except MlctlError:
            return None
        with suppress(MlctlError):  # a store that is away contradicts nothing
            saved = self._saved()
            if not text.startswith(saved) and not saved.startswith(text):  # an earlier pod has spoken before
                return None
        return text if text.startswith(known) else None
