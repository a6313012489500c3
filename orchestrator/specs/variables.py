"""`${NAME}` in the text of a document, for the names that its `variables` declare."""

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.specs.document import MAX_CHARACTERS, UNSTORABLE, Document, fail
from orchestrator.specs.scalars import show
from orchestrator.specs.validate import Problems

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECTION = "variables"
_HINT = "export NAME=value before the command, or write a default: `variables: {NAME: value}`"


def substitute(document: Document, environ: Mapping[str, str]) -> None:
    """Replace `${NAME}` in all text values by the variable's value; other names stay as they are.

    A variable's value comes from the environment, else from the document, where nothing means that
    the environment must have it. What is replaced stays text and is not looked at again.

    Args:
        document: Its data is replaced; what is wrong with `variables` itself is left to validation.
        environ: The environment.

    Raises:
        SpecError: A variable has no value, or the replaced text is too large.
    """
    declared = document.data.get(_SECTION)
    if not isinstance(declared, dict):
        return
    problems = Problems()
    values: dict[str, str] = {}
    for name, default in declared.items():
        value = environ.get(name, default)
        if value is None:
            reason = f"variable `{show(name)}` is not set in the environment and has no default here"
            problems.add(document.key_place((_SECTION, name)), reason)
        elif isinstance(value, str):
            if UNSTORABLE.search(value):
                reason = f"variable `{show(name)}` of the environment is not UTF-8 text"
                problems.add(document.key_place((_SECTION, name)), reason)
            values[name] = value
    problems.raise_if_any(hint=_HINT)
    if values:
        rest = {key: value for key, value in document.data.items() if key != _SECTION}
        document.data = {**_Replacer(document, values).replace(rest), _SECTION: declared}


class _Replacer:
    def __init__(self, document: Document, values: Mapping[str, str]) -> None:
        self._document = document
        self._values = values
        self._added = 0  # characters

    def replace(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace(item) for item in value]
        return _REFERENCE.sub(self._value, value) if isinstance(value, str) else value

    def _value(self, match: re.Match[str]) -> str:
        value = self._values.get(match[1], match[0])
        self._added += len(value)
        if self._added > MAX_CHARACTERS:
            place = self._document.key_place((_SECTION,))
            fail(place, f"more than {MAX_CHARACTERS} characters after its variables are replaced")
        return value
