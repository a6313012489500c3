"""What may reach a terminal."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.terminal import LONGEST_SEQUENCE, RESET, Cleaner, clean, colours, paint

DANGEROUS = [
    b"\x1b]0;new title\x07",
    b"\x1b]52;c;aGVsbG8=\x1b\\",  # writes the clipboard
    b"\x1b]8;;http://example.com\x1b\\",
    b"\x1b[2J",
    b"\x1b[3A",
    b"\x1b[?25l",
    b"\x1b[6n",  # makes the terminal type
    b"\x1bP1$r0m\x1b\\",
    b"\x1bc",
    b"\x1b(0",
    b"\x07",
    b"\x08",
    b"\x0e",
    b"\x00",
    b"\x7f",
    b"\xc2\x9b2J",  # the CSI of 8 bits
]
SGR = re.compile(rb"\x1b\[[0-9;:]*m")
FRAGMENTS = st.sampled_from(
    [b"\x1b", b"[", b"]", b"31m", b"\x07", b"P", b"\\", b"\xc2", b"\x9b", b"text", b"\n", b"0;"]
)


def shown(*blocks: bytes, colour: bool = True) -> bytes:
    cleaner = Cleaner(colour=colour)
    return b"".join(map(cleaner.feed, blocks)) + cleaner.end()


@pytest.mark.parametrize("sequence", DANGEROUS, ids=repr)
def test_what_could_harm_is_removed(sequence):
    assert shown(b"before" + sequence + b"after").replace(b"2J", b"") == b"beforeafter"


@pytest.mark.parametrize("text", ["plain\n", "tab\tand\rreturn\r\n", "äöü 中文 🎉 é\n", "100%|███| 1/1 [00:00]"])
def test_text_stays(text):
    assert shown(text.encode()) == text.encode()


def test_colours_stay_and_are_reset_at_the_end():
    assert shown(b"\x1b[1;31mred") == b"\x1b[1;31mred" + RESET
    assert shown(b"\x1b[1;31mred", colour=False) == b"red"


def test_bytes_that_are_no_text_stay():
    assert shown(b"\xff\xfe\x80\x9b") == b"\xff\xfe\x80\x9b"


def test_a_sequence_without_end_does_not_swallow_the_log():
    log = b"\x1b]0;" + b"x" * (2 * LONGEST_SEQUENCE) + b"\nline\n"
    assert shown(log[:100], log[100:]).endswith(b"x\nline\n")


@given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_nothing_harmful_remains(pieces):
    result = SGR.sub(b"", shown(*pieces))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", result)


@given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_it_does_not_matter_how_the_log_is_cut(pieces):
    assert shown(*pieces) == shown(b"".join(pieces))


@given(st.text())
def test_messages_keep_their_lines_and_lose_their_controls(text):
    cleaned = clean(text)
    assert cleaned.count("\n") == text.count("\n")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", cleaned)


def test_no_colours_in_a_file():
    assert paint("text", "red", io.StringIO()) == "text"
    assert not colours(io.StringIO())
