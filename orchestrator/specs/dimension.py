"""One parameter's part of a search space: some values, or a range of numbers."""

import math
from typing import Annotated, TypeAlias

import msgspec

from orchestrator.specs.fields import FieldError, describe_field
from orchestrator.specs.job import ParameterValue

Number: TypeAlias = int | float


class Dimension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a parameter may be: one of some values, or a number of a range."""

    choice: Annotated[
        list[Annotated[ParameterValue, describe_field("A value.", must="text, a number, true or false", example=8)]]
        | None,
        describe_field("One of these values.", must="a list of values", example=["sgd", "adam"]),
    ] = None
    integers: Annotated[
        Annotated[list[int], msgspec.Meta(min_length=2, max_length=2)] | None,
        describe_field("A whole number, lowest and highest.", must="a list of two whole numbers", example=[1, 10]),
    ] = msgspec.field(default=None, name="int")
    floats: Annotated[
        Annotated[list[Number], msgspec.Meta(min_length=2, max_length=2)] | None,
        describe_field("A number, lowest and highest.", must="a list of two numbers", example=[0.001, 0.5]),
    ] = msgspec.field(default=None, name="float")
    step: Annotated[
        Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)] | None,
        describe_field("Distance of the numbers of a range.", must="a number above 0", example=2),
    ] = None
    log: Annotated[
        bool,
        describe_field("Whether each order of magnitude counts alike.", must="true or false", example=True),
    ] = False

    def __post_init__(self) -> None:
        kinds = {"choice": self.choice, "int": self.integers, "float": self.floats}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) != 1:
            said = f"excludes `{given[0]}`" if given else "is missing, as are `int` and `float`"
            raise FieldError(given[1] if given else "choice", f"{said}; write one of the three")
        if self.choice is not None:
            self._check_choice(self.choice)
        else:
            self._check_range(given[0], self.bounds)

    def _check_choice(self, values: list[ParameterValue]) -> None:
        if not values:
            raise FieldError("choice", "has no values; for example: `choice: [sgd, adam]`")
        written = [msgspec.json.encode(value) for value in values]
        for index, value in enumerate(written):
            if value in written[:index]:
                raise FieldError("choice", f"has {value.decode()} twice")
        if self.step is not None or self.log:
            key = "log" if self.log else "step"
            raise FieldError(key, "belongs to a range, `int` or `float`, not to `choice`")

    def _check_range(self, kind: str, bounds: tuple[Number, Number]) -> None:
        low, high = bounds
        if low > high:
            raise FieldError(kind, f"begins with {low}, which is more than {high}; write the lowest first")
        if self.log and low <= 0:
            raise FieldError("log", f"needs a range above 0, and `{kind}` begins with {low}")
        if self.log and self.step:
            raise FieldError("step", "and `log` exclude each other; write one of the two")
        if kind == "int" and isinstance(self.step, float):
            raise FieldError("step", f"must be a whole number in a range of such, not {self.step}")

    @property
    def bounds(self) -> tuple[Number, Number]:
        """Lowest and highest of a range."""
        low, high = self.integers or self.floats or (0, 0)
        return low, high

    @property
    def size(self) -> int | None:
        """How many values there are; None without end."""
        if self.choice is not None:
            return len(self.choice)
        low, high = self.bounds
        if low == high:
            return 1
        step = self.step or (1 if self.integers else None)
        # 0.3 / 0.1 is a little less than 3.
        return None if step is None else math.floor((high - low) / step + 1e-9) + 1

    def at(self, index: int) -> ParameterValue:
        """Return one of the values that can be counted, from 0."""
        if self.choice is not None:
            return self.choice[index]
        low, _ = self.bounds
        value = low + index * (self.step or 1)
        return value if self.integers else round(float(value), 12)  # 0.1 * 3 is not what people call 0.3

    def has(self, value: ParameterValue) -> bool:
        """Tell whether a value is of the same kind as these: text, a number, or true and false."""
        values = self.choice if self.choice is not None else [1]
        return any(_kind(value) == _kind(other) for other in values)


def _kind(value: ParameterValue) -> type:
    return float if type(value) is int else type(value)
