"""Bodies that go out no faster than they may: a limit of the bandwidth holds inside of a request too.

obstore takes a body as a whole and sends it as fast as it can, so under a limit boto3 sends, which reads it bit by bit.
It reads each body twice, first to sign it; only the second reading waits.
"""

from io import BytesIO
from typing import Any

from orchestrator.store.base import OnBytes
from orchestrator.store.rate import block_of


class Paced(BytesIO):
    """A body of a request of boto3.

    Args:
        data: The bytes.
        on_bytes: Told of each block before it is sent.
    """

    def __init__(self, data: bytes, on_bytes: OnBytes) -> None:
        super().__init__(data)
        self._on_bytes = on_bytes
        self._block = block_of(on_bytes, len(data))
        self._allowed = 0
        self._end = len(data)
        self.sending = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; waits for them once the body is being sent."""
        start = self.tell()
        if not self.sending or start >= self._end:
            return super().read(size)
        if start >= self._allowed:
            block = min(self._block, self._end - start)
            self._on_bytes(block)
            self._allowed = start + block
        left = self._allowed - start
        return super().read(left if size is None or size < 0 else min(size, left))


def body_of(data: bytes, on_bytes: OnBytes) -> bytes | Paced:
    """Return what boto3 is to send: under a limit that would be exceeded by the whole, a body that waits.

    `on_bytes` is told of it: now, or while it is sent.
    """
    if block_of(on_bytes, len(data)) < len(data):
        return Paced(data, on_bytes)
    on_bytes(len(data))
    return data


def pace(client: Any) -> None:
    """Have a client of boto3 tell bodies when they are sent: it signs a request between these two events."""

    def signing(request: Any, **_: Any) -> None:
        if isinstance(request.data, Paced):
            request.data.sending = False

    def sending(request: Any, **_: Any) -> None:
        if isinstance(request.data, Paced):
            request.data.sending = True

    client.meta.events.register_first("request-created.s3", signing)
    client.meta.events.register_last("request-created.s3", sending)
