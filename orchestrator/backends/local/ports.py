"""Ports of this machine for the workers of one run."""

import random
import socket
from contextlib import ExitStack, suppress

from orchestrator.errors import ConflictError
from orchestrator.runtime.worker import HERE, Ports

# Below those that the kernel gives to connections: what is free now is not taken by one before the workers listen.
FIRST, BEHIND = 20_000, 32_000
ATTEMPTS = 1_000


def free_ports(workers: int) -> tuple[Ports, ...]:
    """Return ports that nobody listens on, no two the same.

    Raises:
        ConflictError: There are not so many.
    """
    names = Ports.__struct_fields__
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(ATTEMPTS):
            if len(found) == workers * len(names):
                break
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HERE, random.randrange(FIRST, BEHIND)))
                found.append(probe.getsockname()[1])
    if len(found) < workers * len(names):
        raise ConflictError(f"there are no {workers * len(names)} free ports between {FIRST} and {BEHIND}")
    chosen = iter(found)
    return tuple(Ports(**{name: next(chosen) for name in names}) for _ in range(workers))
