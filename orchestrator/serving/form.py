"""A form with files (RFC 7578), taken apart in one go: it is in memory, and no larger than a request may be."""

from collections.abc import Container
from itertools import count
from typing import TYPE_CHECKING

from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PARTS = 1000  # of a form at most


class FormError(Exception):
    """The form cannot be read, or has no part."""


def read_form(kind: str, body: bytes) -> dict[str, dict[str, bytes]]:
    """Return the parts of a form, by field and name of the file; a part that is no file has the field's name.

    Of several parts of one name in a field the later ones are numbered, as in `7 (2).png`.

    Args:
        kind: The request's Content-Type.
        body: All of its body.

    Raises:
        FormError: It is no form, is cut off, or has no part or too many.
    """
    parts = _Parts()
    try:
        _, options = parse_options_header(kind)
        if not options.get(b"boundary"):
            raise FormError("the form cannot be read: its Content-Type names no boundary")
        MultipartParser(options[b"boundary"], parts.callbacks()).write(body)
    except ValueError as error:  # of the parser, or of a name in an encoding that is none
        raise FormError(f"the form cannot be read: {error}") from error
    if not parts.ended:
        raise FormError("the form cannot be read: its last boundary is missing")
    if not parts.found:
        raise FormError("the form has no file: send one, as in curl -F images=@seven.png")
    return parts.found


class _Parts:
    """What the parser finds; as it gets all at once, it gives names, values and data in one piece, or few.

    Attributes:
        found: The parts.
        ended: Whether the end of the form was there.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, bytes]] = {}
        self.ended = False
        self._count = 0

    def callbacks(self) -> "MultipartCallbacks":
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._name,
            "on_header_value": self._value,
            "on_part_data": self._data,
            "on_part_end": self._finish,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > PARTS:
            raise FormError(f"the form has more than {PARTS} parts")
        self._disposition = b""
        self._blocks: list[bytes] = []

    def _name(self, data: bytes, start: int, end: int) -> None:
        self._header = data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = data[start:end]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._blocks.append(data[start:end])

    def _finish(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise FormError("a part of the form has no name")
        field = options[b"name"].decode(errors="replace")
        file = options.get(b"filename", b"").decode(errors="replace")
        others = self.found.setdefault(field, {})
        others[_free(file or field, others)] = b"".join(self._blocks)

    def _end(self) -> None:
        self.ended = True


def _free(name: str, taken: Container[str]) -> str:
    """Return a name that no other part of the field has: pictures of a camera may all be called `image.jpg`."""
    stem, dot, ending = name.rpartition(".")
    numbered = (f"{stem} ({number}).{ending}" if dot else f"{name} ({number})" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)
