"""Values from the command line put into a document: `--set resources.gpus=2`, `-p num_epochs=3`."""

from typing import Any

from orchestrator.errors import SpecError
from orchestrator.specs.document import UNSTORABLE, Document, KeyPath, Place, fail, parse_document
from orchestrator.specs.scalars import read_scalar, show

_SHOWN = 60  # characters of an argument in messages


def assign(document: Document, assignment: str) -> None:
    """Apply `--set KEY=VALUE` or `--set SECTION.KEY=VALUE`; the value is YAML.

    A spec is two levels deep, so that everything after the first dot is one key, dots included.

    Raises:
        SpecError: The argument is not of this form.
    """
    place = _argument("--set", assignment)
    key, equals, text = assignment.partition("=")
    section, dot, name = key.partition(".")
    if not equals or not section or (dot and not name):
        fail(place, "expected KEY=VALUE", hint="for example: --set resources.gpus=2")
    try:
        value = parse_document(text, "value").data if text else ""
    except SpecError as error:
        hint = f"quote it: --set '{section}{dot}{name}=\"...\"'"
        fail(place, error.message.split(": ", 1)[1], hint=hint)
    _put(document, (section, name) if dot else (section,), value, place)


def assign_parameter(document: Document, assignment: str) -> None:
    """Apply `-p NAME=VALUE`; the value is one unquoted YAML scalar, whatever it holds.

    Raises:
        SpecError: The argument is not of this form.
    """
    place = _argument("-p", assignment)
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        fail(place, "expected NAME=VALUE", hint="for example: -p num_epochs=3")
    try:
        value = read_scalar(text)
    except ValueError as error:
        fail(place, f"{show(text)} {error}")
    _put(document, ("parameters", name), text if value is None else value, place)


def _argument(option: str, text: str) -> Place:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    place = Place(f"{option} {shown if shown.isprintable() else ascii(shown)}")
    if UNSTORABLE.search(text):
        fail(place, "this is not UTF-8 text")
    return place


def _put(document: Document, path: KeyPath, value: Any, place: Place) -> None:
    holder = document.data
    if len(path) > 1:
        section = holder.get(path[0])
        if not isinstance(section, dict | None):
            fail(place, f"`{path[0]}` is not a section with keys in it")
        if section is None:
            _move(document, path[:1], place)
        # A copy, for an alias may share it.
        document.data[path[0]] = holder = dict(section or {})
    holder[path[-1]] = value
    _move(document, path, place)


def _move(document: Document, path: KeyPath, place: Place) -> None:
    """Note that a key, its value and all below it now come from `place`."""
    for places in (document.values, document.keys):
        for below in [known for known in places if known[: len(path)] == path]:
            del places[below]
        places[path] = place
