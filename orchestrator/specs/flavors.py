"""Flavors: named sizes of a node, built in (flavors.yaml beside this file) and the user's own."""

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from orchestrator.config import home_dir
from orchestrator.errors import NotFoundError, PermissionDeniedError
from orchestrator.specs import quantities
from orchestrator.specs.document import Document, fail, parse_document
from orchestrator.specs.fields import describe_field
from orchestrator.specs.job_parts import Positive, Resources
from orchestrator.specs.memory import Memory, check_memory
from orchestrator.specs.names import nearest
from orchestrator.specs.prices import Price, Prices, read_prices
from orchestrator.specs.scalars import describe
from orchestrator.specs.validate import Problems, build

DEFAULT_FLAVOR = "cpu.small"
_BUILT_IN = Path(__file__).with_name("flavors.yaml")
_MEMORY_PER_CPU = 2 * 1024**3  # bytes, as in cpu.small
_GPU_FLAVOR = "gpu.p100"  # the share of CPUs and memory that comes with each GPU by default
_NAME_PATTERN = r"[a-z0-9](?:[-._a-z0-9]{0,50}[a-z0-9])?"
_NAME_RULE = "cannot be the name of a flavor: it takes lower-case letters, digits, `-`, `_` and `.`"
_HINT = "a flavor is written as `gpu.mine: {cpus: 8, memory: 32Gi, gpus: 1, gpu_type: a100}`"


class Sizes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flavor is, apart from its name.

    Attributes:
        cpus: Cores.
        memory: Kubernetes quantity.
        gpus: Number of GPUs.
        gpu_type: Kind of GPU, or None.
        price_per_hour: In `currency`, or None where it is not known.
        currency: ISO 4217 code; by default that of the user's prices.
        description: For people.
    """

    cpus: Annotated[Positive, describe_field("Cores.", must="a number of cores above 0", example=4)]
    memory: Annotated[
        Memory,
        describe_field("Memory.", must="an amount of memory", example="32Gi", fix=quantities.suggest_memory),
    ]
    gpus: Annotated[int, describe_field("Number of GPUs.", must="a whole number, 0 or more", example=2, ge=0)] = 0
    gpu_type: Annotated[str | None, describe_field("Kind of GPU.", must="text", example="p100")] = None
    price_per_hour: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)] | None,
        describe_field("Price.", must="a number, 0 or more", example=7.5),
    ] = None
    currency: Annotated[str, describe_field("Currency.", must="text", example="CNY")] = "CNY"
    description: Annotated[str, describe_field("For people.", must="text", example="4 x P100")] = ""

    def __post_init__(self) -> None:
        check_memory(self.memory)

    @property
    def memory_bytes(self) -> int:
        """`memory` in bytes."""
        return quantities.parse_memory(self.memory)


class Flavor(Sizes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named size of one node; `name` is empty for sizes that a job spelt out."""

    name: str


def list_flavors() -> list[Flavor]:
    """Return all flavors: the built-in ones, changed and followed by those of `$MLCTL_HOME/flavors.yaml`.

    Raises:
        SpecError: That file is not right.
        PermissionDeniedError: It cannot be read.
    """
    own = home_dir() / "flavors.yaml"
    try:
        text = own.read_bytes()
    except FileNotFoundError:
        text = b""
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {own}: {error.strerror}", hint="check its owner and mode") from error
    flavors = _read(parse_document(_BUILT_IN.read_bytes(), str(_BUILT_IN)), {}, Prices())
    return list((flavors | _read(parse_document(text, str(own)), flavors, read_prices())).values())


def _read(document: Document, known: dict[str, Flavor], prices: Prices) -> dict[str, Flavor]:
    problems = Problems()
    found: dict[str, Flavor] = {}
    document.data = {} if document.data is None else document.data
    if not isinstance(document.data, dict):
        fail(document.place(()), "flavors are a mapping of names to sizes", hint=_HINT)
    for name, fields in document.data.items():
        if not re.fullmatch(_NAME_PATTERN, name):
            problems.add(document.key_place((name,)), f"{describe(name)} {_NAME_RULE}")
        if isinstance(fields, dict):
            before = _fields(known[name]) if name in known else {}
            if fields.get("price_per_hour") is not None or not before:
                before["currency"] = prices.currency
            document.data[name] = {**before, **fields}
        if sizes := build(document, Sizes, problems, path=(name,)):
            found[name] = Flavor(name=name, **msgspec.structs.asdict(sizes))
    problems.raise_if_any(hint=_HINT)
    return found


def _fields(flavor: Flavor) -> dict[str, Any]:
    fields = msgspec.structs.asdict(flavor)
    del fields["name"]
    return fields


def get_flavor(name: str) -> Flavor:
    """Return a flavor by name.

    Raises:
        NotFoundError: There is none of that name.
    """
    flavors = {flavor.name: flavor for flavor in list_flavors()}
    if name in flavors:
        return flavors[name]
    meant = nearest(name, flavors)
    raise NotFoundError(
        f"there is no flavor `{name}`" + (f"; did you mean `{meant}`?" if meant else ""),
        hint="see them all: mlctl flavor list",
    )


def resolve_resources(resources: Resources) -> Flavor:
    """Return the sizes of each node of a job, whichever way they were written.

    Without flavor and sizes it is `cpu.small`. Of sizes, what is not given follows what is: CPUs and
    memory per GPU as in `gpu.p100`, without GPU one CPU, and 2 GiB per CPU.

    Raises:
        NotFoundError: The flavor does not exist.
    """
    if resources.flavor is not None:
        return get_flavor(resources.flavor)
    if resources.cpus is None and resources.memory is None and not resources.gpus:
        return get_flavor(DEFAULT_FLAVOR)
    cpus, memory = resources.cpus or 1, resources.memory
    if resources.gpus:
        share = get_flavor(_GPU_FLAVOR)
        cpus = resources.cpus or share.cpus * resources.gpus
        memory = memory or share.memory_bytes * resources.gpus
    return Flavor(
        name="",
        cpus=cpus,
        memory=memory or int(cpus * _MEMORY_PER_CPU),
        gpus=resources.gpus,
        gpu_type=resources.gpu_type,
    )


def price_of(sizes: Flavor, backend: str) -> Price | None:
    """Return what an hour of one node costs; None where that is not known.

    Args:
        sizes: Of the node.
        backend: Where it is; this machine is free unless the user's prices say otherwise.
    """
    prices = read_prices()
    if backend == "local" and not prices.local:
        return prices.free
    if sizes.price_per_hour is not None:
        return Price(float(sizes.price_per_hour), sizes.currency)
    return prices.of(cpus=sizes.cpus, memory=sizes.memory_bytes, gpus=sizes.gpus, gpu_type=sizes.gpu_type)
