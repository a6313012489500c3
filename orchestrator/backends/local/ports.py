"""Ports of this machine for the workers of one run."""

from orchestrator.ports import free_ports
from orchestrator.runtime.worker import Ports


def ports_of(workers: int) -> tuple[Ports, ...]:
    """Return the ports of each worker. Raises ConflictError if there are not so many."""
    names = Ports.__struct_fields__
    chosen = iter(free_ports(workers * len(names)))
    return tuple(Ports(**{name: next(chosen) for name in names}) for _ in range(workers))
