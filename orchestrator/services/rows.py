"""What is sent for a row of a table, as ModelArts maps them: pure."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.models.inputs import schemas_of
from orchestrator.services.ask import Request

Rule = dict[str, Any]
ROW = "row"  # type of a part that is all columns, in their order
# What services of tables take, as on ModelArts.
TABLE: Rule = {"properties": {"data": {"properties": {"req_data": {"items": [{"type": ROW}]}}}}}


class MappingError(UsageError):
    """A row does not fit the rule."""


def rule_of(config: dict[str, Any]) -> Rule:
    """Return the rule that a model's config.json has for rows: the schema of its request, with columns as `index`.

    Models of tables take whole rows if it has none.

    Raises:
        UsageError: It says nothing of columns.
    """
    for schema in schemas_of(config):
        if isinstance(schema, dict) and any("index" in leaf for leaf in _leaves(schema)):
            check_rule(schema)
            return schema
    if config.get("model_type") in ("Scikit_Learn", "XGBoost"):
        return TABLE
    hint = 'say so: --rule FILE, with {"type": "object", "properties": {"x": {"type": "number", "index": 0}}}'
    raise UsageError("the model's config.json does not say which column is which input", hint=hint)


def check_rule(rule: Any) -> None:
    """Refuse a rule that names no columns. Raises UsageError, which says where."""
    if not isinstance(rule, dict):
        raise UsageError("a rule is a JSON object", hint='such as {"type": "number", "index": 0}')
    for leaf in _leaves(rule):
        index, kind = leaf.get("index"), leaf.get("type")
        if kind == ROW:
            continue
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            message = f"the rule has a part without the number of its column: {json.dumps(leaf)}"
            raise UsageError(message, hint='the first column is "index": 0')
        if kind not in _KINDS:
            known = ", ".join(_KINDS)
            raise UsageError(f"the rule has an unknown type {kind!r} for column {index}", hint=f"types are {known}")


def rows_of(table: bytes) -> Iterator[list[str]]:
    """Yield the rows of a CSV file. Raises UsageError if it is none."""
    try:
        text = io.StringIO(table.decode("utf-8-sig"), newline="")  # as cells have lines, too
        yield from (row for row in csv.reader(text) if row)  # lines with nothing in them are none
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"it is no table of CSV: {error}") from error


def row_request(rule: Rule, row: Sequence[str]) -> Request:
    """Return what is sent for one row.

    Raises:
        MappingError: A column is missing, or holds something else than the rule says.
    """
    return Request(json.dumps(_filled(rule, row)).encode(), "application/json")


def _filled(rule: Rule, row: Sequence[str]) -> Any:
    if "properties" in rule:
        return {name: _filled(part, row) for name, part in rule["properties"].items()}
    if "items" in rule:
        parts = rule["items"] if isinstance(rule["items"], list) else [rule["items"]]
        return [_filled(part, row) for part in parts]
    if rule["type"] == ROW:
        return [_cell(text.strip()) for text in row]
    index = rule["index"]
    if index >= len(row):
        raise MappingError(f"there is no column {index}: the row has {len(row)}")
    try:
        return _KINDS[rule["type"]](row[index].strip())
    except ValueError as error:
        raise MappingError(f"column {index} is {row[index]!r}, which is no {rule['type']}") from error


def _leaves(rule: Rule) -> list[Rule]:
    if isinstance(parts := rule.get("properties"), dict):
        return [leaf for part in parts.values() if isinstance(part, dict) for leaf in _leaves(part)]
    if "items" in rule:
        items = rule["items"] if isinstance(rule["items"], list) else [rule["items"]]
        return [leaf for part in items if isinstance(part, dict) for leaf in _leaves(part)]
    return [rule]


def _cell(text: str) -> float | str:
    try:
        return _number(text)
    except ValueError:
        return text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)  # JSON has none of these
    return number


_KINDS: dict[str, Callable[[str], Any]] = {"number": _number, "integer": int, "string": str, "boolean": _boolean}
