"""Fields that hold an amount of memory or of disk."""

from typing import Annotated, TypeAlias

import msgspec

from orchestrator.errors import UsageError
from orchestrator.specs import quantities
from orchestrator.specs.fields import FieldError

MIN_MEMORY = 1024 * 1024  # bytes; less is a forgotten unit

Memory: TypeAlias = (
    Annotated[str, msgspec.Meta(pattern=quantities.MEMORY_PATTERN)] | Annotated[int, msgspec.Meta(ge=MIN_MEMORY)]
)


def check_memory(memory: str | int, key: str = "memory") -> None:
    """Check the value of a field.

    Args:
        memory: Kubernetes quantity, or bytes.
        key: The field.

    Raises:
        FieldError: No machine has that little, or that much.
    """
    try:
        amount = quantities.parse_memory(memory)
    except UsageError as error:
        raise FieldError(key, f"is impossible: {error}") from error
    if amount < MIN_MEMORY:
        meant = f"{memory}Gi" if str(memory).isdecimal() and amount else "32Gi"
        raise FieldError(key, f"is only {amount} bytes; did you mean `{key}: {meant}`?")
