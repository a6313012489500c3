"""How a struct says what its fields take, once for messages, for checks and for the JSON Schema."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from orchestrator.errors import UsageError

_MUST = "must"  # keys of msgspec.Meta.extra
_FIX = "fix"


class FieldError(UsageError):
    """Fields that are right by themselves contradict each other, or a value is out of range.

    Args:
        key: The field to change.
        reason: What is wrong, as the rest of a sentence that starts with the field's name.
        below: Which key of the field, where it is a mapping.
    """

    def __init__(self, key: str, reason: str, *, below: str = "") -> None:
        super().__init__(f"`{'.'.join(filter(None, (key, below)))}` {reason}")
        self.key = key
        self.below = below
        self.reason = reason


def keep(text: str) -> str | None:
    """Return the text: what was written is right once it is quoted."""
    return text


def describe_field(
    description: str, *, must: str, example: Any, fix: Callable[[str], str | None] = keep, **limits: Any
) -> msgspec.Meta:
    """Return the annotation of a field.

    Args:
        description: For the JSON Schema and the documentation.
        must: What a value must be, as the rest of the sentence "`gpus` must be ...".
        example: A right value.
        fix: From a wrong value, as text, to the right one that was probably meant, or None. A result that
            is not right either is ignored.
        limits: Constraints of msgspec.Meta: pattern, max_length, ge, gt, le.
    """
    extra = {_MUST: must, _FIX: fix}
    return msgspec.Meta(description=description, examples=[example], extra=extra, **limits)


def metas(annotation: Any) -> Iterator[msgspec.Meta]:
    """Yield every Meta of an annotation, those of a union's members included."""
    if get_origin(annotation) is Annotated:
        base, *found = get_args(annotation)
        yield from (meta for meta in found if isinstance(meta, msgspec.Meta))
        yield from metas(base)
    elif get_origin(annotation) not in (dict, list):
        for member in get_args(annotation):
            yield from metas(member)


def must_of(annotation: Any) -> str:
    """Return what a value must be, as the rest of a sentence."""
    return str((_described(annotation).extra or {})[_MUST])


def fix_of(annotation: Any) -> Callable[[str], str | None]:
    """Return the function from a wrong text to the right one."""
    fix: Callable[[str], str | None] = (_described(annotation).extra or {})[_FIX]
    return fix


def example_of(annotation: Any) -> Any:
    """Return a right value."""
    return (_described(annotation).examples or [None])[0]


def _described(annotation: Any) -> msgspec.Meta:
    return next(meta for meta in metas(annotation) if meta.extra and _MUST in meta.extra)


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """Return the struct type that values of this annotation have, if it is one."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, msgspec.Struct) else None
    return next((found for member in get_args(annotation) if (found := struct_in(member))), None)


def has_plain_form(annotation: Any) -> bool:
    """Tell whether what may be a struct may also be written as something that is no mapping, such as a word."""
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return any(member is not type(None) and struct_in(member) is None for member in get_args(base))


def table_in(annotation: Any) -> tuple[Any, Any] | None:
    """Return the annotations of keys and values if this one is a dict."""
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(base) is not dict:
        return None
    key, value = get_args(base)
    return key, value


def items_in(annotation: Any) -> Any:
    """Return the annotation of the items if this one is a list, else None."""
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_args(base)[0] if get_origin(base) is list else None


def choices_in(annotation: Any) -> tuple[str, ...]:
    """Return the words that a Literal allows, also one that may be left out; empty for another annotation."""
    base = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(base) is Literal:
        return get_args(base)
    return next((found for member in get_args(base) if (found := choices_in(member))), ())
