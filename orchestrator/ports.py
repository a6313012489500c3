"""Ports of this machine that nobody else will take."""

import random
import socket
from contextlib import ExitStack, suppress

from orchestrator.errors import ConflictError

HERE = "127.0.0.1"
# Below those that the kernel gives to connections: what is free now is not taken by one before somebody listens.
FIRST, BEHIND = 20_000, 32_000
ATTEMPTS = 1_000


def free_ports(number: int) -> list[int]:
    """Return so many ports that nobody listens on, no two the same.

    Raises:
        ConflictError: There are not so many.
    """
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(ATTEMPTS):
            if len(found) == number:
                return found
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HERE, random.randrange(FIRST, BEHIND)))
                found.append(probe.getsockname()[1])
    raise ConflictError(f"there are no {number} free ports between {FIRST} and {BEHIND}", hint="end what takes them")
