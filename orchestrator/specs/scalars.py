"""Plain scalars of YAML 1.2 (core schema): what an unquoted word stands for.

PyYAML follows YAML 1.1, where `5e-4` is text, `on` is true and `010` is eight; a training parameter
must not be read like that. https://yaml.org/spec/1.2.2/#103-core-schema
"""

import json
import math
import re
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_CONSTANTS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}
_MAX_DIGITS = 20  # no integer of 64 bits has more
_SHOWN = 60  # characters of a value in a message


def read_scalar(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Raises:
        ValueError: It is a number that JSON and the engines cannot carry: not finite, or an integer
            beyond 64 bits. Quoted, it is text.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return _read_integer(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("is not a finite number")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError("is not a finite number")
        return number
    return text


def _read_integer(text: str) -> int:
    base = _BASES.get(text[:2], 10)
    if len(text) <= _MAX_DIGITS:
        number = int(text, base)
        if -(2**63) <= number < 2**63:
            return number
    raise ValueError("does not fit in 64 bits")


def show(value: object) -> str:
    """Return a value as it is written in YAML: on one line, cut when long, quoted where it has to be."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    if re.fullmatch(r"[\w./:@-]+", text) and _is_text(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def describe(value: object) -> str:
    """Return what a message says about a value that is not allowed."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"`{show(value)}`"


def _is_text(text: str) -> bool:
    try:
        return isinstance(read_scalar(text), str)
    except ValueError:
        return False
