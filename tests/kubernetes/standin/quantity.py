"""Quantities such as `500m`, `32Gi` and `4`."""

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from tests.kubernetes.standin.resources import Object

_FORM = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_UNITS = {unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)} | {
    unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
WRONG = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"  # the real server's
)


def parse(text: str | int | float) -> Decimal:
    """Read a quantity.

    Raises:
        ValueError: It is none.
    """
    found = _FORM.fullmatch(str(text))
    if not found:
        raise ValueError(WRONG)
    number, unit = Decimal(found[1]), found[2] or ""
    return number * (_UNITS[unit] if unit in _UNITS else Decimal(f"1{unit}"))


def show(amount: Decimal) -> str:
    """Write a quantity as short as it goes: `8Gi`, `500m`, `4`."""
    if amount != amount.to_integral_value():
        return f"{(amount * 1000).to_integral_value(ROUND_CEILING)}m"
    for unit in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        if amount and amount % _UNITS[unit] == 0:
            return f"{int(amount / _UNITS[unit])}{unit}"
    return str(int(amount))


def add(*tables: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Add tables of amounts by resource name."""
    total: dict[str, Decimal] = {}
    for table in tables:
        for name, amount in table.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def largest(tables: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Take the largest amount of each resource."""
    most: dict[str, Decimal] = {}
    for table in tables:
        for name, amount in table.items():
            most[name] = max(amount, most.get(name, amount))
    return most


def of_container(container: Object, kind: str) -> dict[str, Decimal]:
    """Read a container's `requests` or `limits`."""
    table = (container.get("resources") or {}).get(kind) or {}
    return {name: parse(amount) for name, amount in table.items()}


def of_pod(spec: Object, kind: str = "requests") -> dict[str, Decimal]:
    """Say what a pod takes from its node.

    That is what its containers and sidecars take together, or the most that one init container takes beside the
    sidecars that were started before it (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
    """
    sidecars: dict[str, Decimal] = {}
    steps: list[dict[str, Decimal]] = []
    for container in spec.get("initContainers") or []:
        wanted = of_container(container, kind)
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, wanted)
            steps.append(sidecars)
        else:
            steps.append(add(sidecars, wanted))
    steps.append(add(sidecars, *(of_container(container, kind) for container in spec.get("containers") or [])))
    return largest(steps)
