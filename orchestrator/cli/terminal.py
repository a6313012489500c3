"""What the terminal can do, what may be asked on it, and what must not reach it."""

import os
import re
import sys
from typing import IO

import typer

RESET = b"\x1b[0m"
LONGEST_SEQUENCE = 4096  # bytes; a longer "escape sequence" is binary rubbish and not swallowed whole

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
_SEQUENCE = re.compile(
    rb"\x1b\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]"  # CSI: cursor, screen, and SGR (the colours)
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC: titles, clipboard, links
    rb"|\x1b[\x20-\x2f]*[\x30-\x5a\x5c\x60-\x7e]"  # others: character sets, reset
    rb"|\xc2(?:[\x80-\x9f]|(?![\xa0-\xbf]))"  # C1 controls in UTF-8, and what could become one
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_UNFINISHED = re.compile(rb"(?:\x1b(?:\[[\x20-\x3f]*|[\]PX^_][^\x07\x1b]*\x1b?|[\x20-\x2f]*)?|\xc2)\Z")


def is_interactive() -> bool:
    """Tell whether a person can be asked: input and messages are both on a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def animates(stream: IO[str]) -> bool:
    """Tell whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colours(stream: IO[str]) -> bool:
    """Tell whether text on the stream may be coloured. See https://no-color.org."""
    return animates(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, stream: IO[str]) -> str:
    """Return the text in a style (`red`, `bold`, ...), or as it is where colours are not wanted."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and colours(stream) else text


def confirm(question: str, *, default: bool = True) -> None:
    """Ask on the terminal, until the answer is clear.

    Raises:
        typer.Exit: The answer is no, or there is none.
    """
    answers = {"y": True, "yes": True, "n": False, "no": False, "": default}
    while True:
        sys.stderr.write(f"{question} {'[Y/n]' if default else '[y/N]'} ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        answer = answers.get(line.strip().lower()) if line else False
        if answer:
            return
        if answer is not None:
            sys.stderr.write(("" if line else "\n") + "nothing was done\n")
            raise typer.Exit(130)
        sys.stderr.write("please answer y or n\n")


def confirm_deletion(what: str, *, yes: bool) -> None:
    """Ask on a terminal whether something is to be deleted, unless that is said already. Raises typer.Exit."""
    if is_interactive() and not yes:
        confirm(f"Delete {what}?", default=False)


def clean(text: str) -> str:
    """Return text from elsewhere without what could harm a terminal."""
    return Cleaner(colour=False).feed(text.encode(errors="replace")).decode(errors="replace")


class Cleaner:
    """Removes from a stream of bytes what could harm a terminal: all controls but tab, line ends and colours.

    Args:
        colour: Whether colours stay.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._held = b""
        self._coloured = False

    def feed(self, block: bytes) -> bytes:
        """Return the next bytes to show; a sequence that the block cuts is held back until its rest comes."""
        data = self._held + block
        unfinished = _UNFINISHED.search(data, max(0, len(data) - LONGEST_SEQUENCE))
        cut = unfinished.start() if unfinished else len(data)
        self._held = data[cut:]
        return _SEQUENCE.sub(self._keep, data[:cut])

    def end(self) -> bytes:
        """Return what is left at the end of the stream."""
        held, self._held = self._held, b""
        rest = _SEQUENCE.sub(b"", held).replace(b"\x1b", b"")
        return rest + RESET if self._coloured else rest

    def _keep(self, match: re.Match[bytes]) -> bytes:
        if self._colour and _COLOUR.fullmatch(match[0]):
            self._coloured = True
            return match[0]
        return b""
