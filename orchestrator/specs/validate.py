"""Plain data to structs, collecting everything that is wrong in words that a user can act on."""

from typing import Any, TypeVar

import msgspec

from orchestrator.errors import SpecError
from orchestrator.specs.document import Document, KeyPath, Place
from orchestrator.specs.fields import (
    FieldError,
    choices_in,
    example_of,
    fix_of,
    has_plain_form,
    items_in,
    metas,
    must_of,
    struct_in,
    table_in,
)
from orchestrator.specs.names import nearest
from orchestrator.specs.scalars import describe, show

MAX_PROBLEMS = 20  # told at once

_S = TypeVar("_S", bound=msgspec.Struct)


class Problems:
    """What is wrong with a document, raised together, one line each."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    @property
    def full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self._found) >= MAX_PROBLEMS

    def add(self, place: Place, reason: str) -> None:
        """Note one problem."""
        self._found.append((place, reason))

    def raise_if_any(self, *, hint: str = "") -> None:
        """Raise one SpecError that tells all, in the order of the document.

        Raises:
            SpecError: There are problems.
        """
        if not self._found:
            return
        # Those of the command line, which have no line, come last.
        told = sorted(self._found[:MAX_PROBLEMS], key=lambda found: (not found[0].line, found[0]))
        lines = [f"{place}: {reason}" for place, reason in told]
        if rest := len(self._found) - len(told):
            lines.append(f"and {rest} more")
        raise SpecError("\n".join(lines), hint=hint)


def build(document: Document, cls: type[_S], problems: Problems, *, path: KeyPath = ()) -> _S | None:
    """Return the struct that a document holds, or None after adding to `problems`.

    Args:
        document: Where the data is.
        cls: Type of struct; its fields are annotated by `describe_field`.
        problems: Gets what is wrong.
        path: Where in the document the struct's mapping is.
    """
    data = document.data
    for step in path:
        data = data[step]
    if not isinstance(data, dict):
        problems.add(
            document.place(path), f"`{_dotted(path)}` must be a mapping of keys to values, not {describe(data)}"
        )
        return None
    return _Validator(document, problems).struct(data, cls, path)


class _Validator:
    def __init__(self, document: Document, problems: Problems) -> None:
        self._document = document
        self._problems = problems

    def struct(self, data: dict[str, Any], cls: type[_S], path: KeyPath) -> _S | None:
        before = len(self._problems)
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        meant = {self._unknown((*path, key), sorted(fields)) for key in data if key not in fields}
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if data.get(name) is not None:
                values[field.name] = self._field(data[name], field.type, (*path, name))
            elif field.required and name not in meant:
                self._missing(name in data, (*path, name), field.type)
        if len(self._problems) > before:
            return None
        try:
            return cls(**values)
        except FieldError as error:
            where = (*path, error.key, *filter(None, [error.below]))
            self._problems.add(self._document.place(where), f"`{_dotted(where)}` {error.reason}")
            return None

    def _field(self, value: Any, annotation: Any, path: KeyPath) -> Any:
        table, items = table_in(annotation), items_in(annotation)
        struct = None if table or items else struct_in(annotation)
        if struct and not isinstance(value, dict) and has_plain_form(annotation):
            return self._leaf(value, annotation, path)
        wanted: Any = list if items else dict if table or struct else object
        if not isinstance(value, wanted):
            self._refuse(value, annotation, path)
            return None
        if items:
            return [self._field(item, items, (*path, index)) for index, item in enumerate(value)]
        if table:
            return self._table(value, *table, path)
        return self.struct(value, struct, path) if struct else self._leaf(value, annotation, path)

    def _table(self, data: dict[str, Any], key_type: Any, value_type: Any, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in data.items():
            where = (*path, key)
            if not _fits(key, key_type):
                must = must_of(key_type)
                self._problems.add(self._document.key_place(where), f"key `{_dotted(where)}` must be {must}")
            built[key] = self._field(value, value_type, where)
        return built

    def _leaf(self, value: Any, annotation: Any, path: KeyPath) -> Any:
        if not _fits(value, annotation):
            self._refuse(value, annotation, path)
        return value

    def _refuse(self, value: Any, annotation: Any, path: KeyPath) -> None:
        reason = f"`{_dotted(path)}` must be {must_of(annotation)}, not {describe(value)}"
        fixed = None if self._problems.full else _fix(value, annotation)
        if fixed is None:
            reason += f"; for example: `{_written(path, example_of(annotation))}`"
        else:
            reason += f"; did you mean `{_written(path, fixed)}`?"
        self._problems.add(self._document.place(path), reason)

    def _unknown(self, path: KeyPath, known: list[str]) -> str | None:
        """Report an unknown key; return the one that was probably meant."""
        meant = None if self._problems.full else nearest(str(path[-1]), known)
        advice = f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
        self._problems.add(self._document.key_place(path), f"unknown key `{_dotted(path)}`; {advice}")
        return meant

    def _missing(self, there: bool, path: KeyPath, annotation: Any) -> None:
        reason = f"key `{_dotted(path)}` has no value" if there else f"missing key `{_dotted(path)}`"
        example = _written(path, example_of(annotation))
        self._problems.add(self._document.place(path), f"{reason}; for example: `{example}`")


def _fits(value: Any, annotation: Any) -> bool:
    # In Python, unlike in JSON Schema's dialect, the `$` of a pattern also matches before a last line feed.
    if isinstance(value, str) and value.endswith("\n") and any(meta.pattern for meta in metas(annotation)):
        return False
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True


def _fix(value: Any, annotation: Any) -> str | None:
    """Return the right text that was probably meant by a wrong value, or None."""
    if isinstance(value, bool | int | float):
        value = str(value).lower()  # perhaps it only needs quotes
    elif not isinstance(value, str):
        return None
    for fixed in (fix_of(annotation)(value), nearest(value, choices_in(annotation))):
        if fixed is not None and _fits(fixed, annotation):
            return fixed
    return None


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{show(step)}" for step in path).removeprefix(".")


def _written(path: KeyPath, value: Any) -> str:
    return f"- {show(value)}" if isinstance(path[-1], int) else f"{show(path[-1])}: {show(value)}"
