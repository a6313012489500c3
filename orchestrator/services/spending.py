"""When a service ran, and what an hour of it cost then."""

import time

import msgspec

from orchestrator.config import BackendName
from orchestrator.services.shape import Shape
from orchestrator.specs.prices import Price, Span, read_prices
from orchestrator.specs.quantities import parse_memory


def price_of(shape: Shape, backend: BackendName, *, engines: int) -> Price | None:
    """Return what an hour of a service costs at least; None where that is not known, or nothing.

    Args:
        shape: Of the service; of replicas that come and go with the load the fewest count.
        backend: Where it runs. On this machine it has no size, and so no price.
        engines: Containers of that shape in each pod.
    """
    if backend == "local":
        return None
    memory = parse_memory(shape.memory) * engines
    one = read_prices().of(cpus=shape.cpus * engines, memory=memory, gpus=shape.gpus * engines, gpu_type=None)
    return one.times(shape.replicas) if one and one.per_hour else None


def spans_after(spans: list[Span], price: Price | None) -> list[Span]:
    """Return the times of a service after a change: one that goes on at the same price does, another ends now.

    Args:
        spans: Those before; the last may still go on.
        price: From now on; None if it does not run, or costs nothing that is known.
    """
    now = time.time()
    if spans and not spans[-1].finished:
        if spans[-1].price == price:
            return spans
        spans = [*spans[:-1], msgspec.structs.replace(spans[-1], finished=now)]
    return spans if price is None else [*spans, Span(started=now, price=price)]
