"""What an hour costs: the prices of sizes that no flavor has a price for, and of this machine (prices.yaml)."""

from typing import Annotated

import msgspec

from orchestrator.config import home_dir
from orchestrator.errors import PermissionDeniedError
from orchestrator.specs.document import fail, parse_document
from orchestrator.specs.fields import describe_field
from orchestrator.specs.validate import Problems, build

FILE = "prices.yaml"  # in MLCTL_HOME
HOUR = 3600  # seconds
GIB = 1024**3  # bytes
ANY_GPU = "any"  # stands for the kinds of GPUs that are not named
_EXAMPLE = "`currency: EUR`, `cpu: 0.04`, `memory: 0.005`, `gpus: {p100: 1.5, any: 2}`, `local: true`"

Amount = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]


class Price(msgspec.Struct, frozen=True):
    """What something costs while it runs.

    Attributes:
        per_hour: In `currency`.
        currency: As in `CNY`.
    """

    per_hour: float
    currency: str

    def of(self, seconds: float) -> float:
        """Return what so many seconds cost."""
        return self.per_hour * seconds / HOUR

    def times(self, number: int) -> "Price":
        """Return the price of so many of them."""
        return Price(self.per_hour * number, self.currency)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A time that costs.

    Attributes:
        started: Seconds since the epoch.
        finished: The same, or 0 while it goes on.
        price: What an hour of it costs.
    """

    started: float
    finished: float = 0.0
    price: Price


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The user's prices, each for an hour.

    Attributes:
        currency: Of these, and of flavors that do not name one.
        cpu: A core.
        memory: A GiB.
        gpus: A GPU, by kind; `any` is every other kind.
        local: Whether this machine costs as a cluster does; otherwise it is free.
    """

    currency: Annotated[str, describe_field("Currency.", must="text", example="EUR")] = "CNY"
    cpu: Annotated[Amount | None, describe_field("A core.", must="a number, 0 or more", example=0.04)] = None
    memory: Annotated[Amount | None, describe_field("A GiB.", must="a number, 0 or more", example=0.005)] = None
    gpus: Annotated[
        dict[
            Annotated[str, describe_field("Kind of GPU.", must="text", example="p100")],
            Annotated[Amount, describe_field("One of them.", must="a number, 0 or more", example=1.5)],
        ],
        describe_field("GPUs.", must="a mapping of kinds to numbers", example={"p100": 1.5}),
    ] = {}
    local: Annotated[bool, describe_field("Of this machine.", must="true or false", example=True)] = False

    @property
    def free(self) -> Price:
        """Return the price of what costs nothing."""
        return Price(0.0, self.currency)

    def of(self, *, cpus: float, memory: int, gpus: int, gpu_type: str | None) -> Price | None:
        """Return the price of sizes; None where it is not known.

        Args:
            cpus: Cores.
            memory: Bytes.
            gpus: Number of GPUs.
            gpu_type: Their kind.
        """
        gpu = self.gpus.get(gpu_type or ANY_GPU, self.gpus.get(ANY_GPU))
        if (gpus and gpu is None) or (not gpus and self.cpu is None and self.memory is None):
            return None
        parts = ((self.cpu or 0) * cpus, (self.memory or 0) * memory / GIB, (gpu or 0) * gpus)
        return Price(float(sum(parts)), self.currency)


def read_prices() -> Prices:
    """Return the prices of `$MLCTL_HOME/prices.yaml`; none without that file.

    Raises:
        SpecError: It is not right.
        PermissionDeniedError: It cannot be read.
    """
    path = home_dir() / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Prices()
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    document, problems = parse_document(text, str(path)), Problems()
    document.data = {} if document.data is None else document.data
    if not isinstance(document.data, dict):
        fail(document.place(()), "prices are a mapping", hint=f"known here: {_EXAMPLE}")
    prices = build(document, Prices, problems)
    problems.raise_if_any(hint=f"known here: {_EXAMPLE}")
    assert prices is not None
    return prices
