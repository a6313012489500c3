"""How values look."""

import enum
import json
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli import render
from orchestrator.cli.render import Format


class Colour(enum.StrEnum):
    RED = "red"


class Inner(msgspec.Struct, omit_defaults=True):
    state: Colour = Colour.RED
    path: Path = Path("/x")


class Pair(NamedTuple):
    left: Inner
    right: tuple[int, ...]


@pytest.mark.parametrize(
    "amount, text",
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (55_000_000, "55.0 MB"),
        (2 * 10**15, "2000.0 TB"),
    ],
)
def test_size(amount, text):
    assert render.size(amount) == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0.0s"),
        (-3, "0.0s"),
        (4.24, "4.2s"),
        (9.97, "10s"),
        (59.6, "1m 00s"),
        (187, "3m 07s"),
        (3600, "1h 00m"),
        (7500, "2h 05m"),
        (86400 * 3 + 4 * 3600, "3d 4h"),
    ],
)
def test_duration(seconds, text):
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    "before, text",
    [(0, "just now"), (42, "42s ago"), (61, "1m ago"), (3 * 3600, "3h ago"), (9 * 86400, "9d ago"), (-50, "just now")],
)
def test_ago(before, text, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert render.ago(1e9 - before) == text


def test_a_moment_that_never_came_is_not_shown():
    assert render.ago(0) == render.moment(0) == ""


def test_documents_have_every_field():
    value = {"a": [Inner()], "b": Pair(Inner(), (1, 2)), "c": None}
    inner = {"state": "red", "path": "/x"}
    plain = {"a": [inner], "b": {"left": inner, "right": [1, 2]}, "c": None}
    assert json.loads(render.encode(value, Format.JSON)) == plain
    assert yaml.safe_load(render.encode(value, Format.YAML)) == plain


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.booleans()))
def test_documents_are_ascii_and_read_back(value):
    for output, load in ((Format.JSON, json.loads), (Format.YAML, yaml.safe_load)):
        text = render.encode(value, output)
        assert load(text) == value
        assert text.isascii()


def test_a_table_in_a_file_is_not_cut(capsys):
    render.table(["NAME", "TEXT"], [["a", "x" * 500], ["中文", "y"], ["b", ""]])
    assert capsys.readouterr().out == f"NAME   TEXT\na      {'x' * 500}\n中文   y\nb\n"


def test_a_cell_cannot_break_its_table(capsys):
    render.table(["NAME"], [["two\nlines\tand \x1b[2Jmore"]])
    assert capsys.readouterr().out == "NAME\ntwo lines and more\n"


def test_details_leave_out_what_is_empty_and_align(capsys):
    render.show_one("x", None, name="x", details=lambda item: {"A": "1", "Empty": "", "Longer": "2\n3"})
    assert capsys.readouterr().out == "A       1\nLonger  2\n        3\n"


def test_an_empty_list_says_so_and_leaves_stdout_alone(capsys):
    render.show_list([], None, name=str, columns={"X": str}, empty="there is nothing")
    assert capsys.readouterr() == ("", "there is nothing\n")
    render.show_list([], Format.JSON, name=str, columns={"X": str}, empty="there is nothing")
    assert capsys.readouterr() == ("[]\n", "")
