"""What a job may cost, found out beforehand."""

import msgspec

from orchestrator.amounts import money
from orchestrator.errors import PreflightError
from orchestrator.specs.flavors import Flavor, price_of
from orchestrator.specs.job import JobSpec
from orchestrator.specs.prices import FILE, HOUR, Price


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a job's cost before it runs.

    Attributes:
        price: Of an hour of all its nodes; None where it is not known.
        seconds: That the script may run: `max_duration`, or what `max_cost` pays for if that is less.
        limit: `max_cost` in words if it is what limits the time, else empty.
    """

    price: Price | None
    seconds: int
    limit: str = ""

    @property
    def at_most(self) -> float | None:
        """Return what the job costs if it takes all its time; None where that is not known."""
        return None if self.price is None else self.price.of(self.seconds)


def budget_of(spec: JobSpec, sizes: Flavor, backend: str) -> Budget:
    """Return what a job may cost.

    Args:
        spec: Of the job.
        sizes: Of each node.
        backend: Where it runs.

    Raises:
        PreflightError: It has a `max_cost`, and its price is not known, or so high that it pays for nothing.
    """
    one = price_of(sizes, backend)
    price = one and one.times(spec.resources.nodes)
    if spec.max_cost is None:
        return Budget(price=price, seconds=spec.max_seconds)
    if price is None:
        message = f"max_cost cannot be kept: no price is known of {sizes.name or 'these sizes'}"
        raise PreflightError(message, hint=f"write prices into {FILE} or flavors.yaml in mlctl's home (docs/cost.md)")
    if price.of(spec.max_seconds) <= spec.max_cost:
        return Budget(price=price, seconds=spec.max_seconds)
    seconds, limit = int(spec.max_cost / price.per_hour * HOUR), money(spec.max_cost, price.currency)
    if not seconds:
        message = f"max_cost of {limit} does not pay for one second at {money(price.per_hour, price.currency)} per hour"
        raise PreflightError(message, hint="raise max_cost, or take a smaller flavor")
    return Budget(price=price, seconds=seconds, limit=limit)
