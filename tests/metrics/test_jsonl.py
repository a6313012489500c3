"""Lines of metrics.jsonl."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.metrics.jsonl import Row, read_row


def test_a_line():
    row = read_row(b'{"step": 3, "time": 5.5, "loss": 1, "train": {"acc": 0.5}, "ok": true, "note": "x", "none": null}')
    assert row == Row(3, False, 5.5, {"loss": 1.0, "train/acc": 0.5, "ok": 1.0})
    assert read_row(b'{"epoch": 2, "loss": 1}').epoch
    assert math.isnan(read_row(b'{"loss": NaN}').values["loss"])


@pytest.mark.parametrize("line", [b"[1]", b"3", b"{", b'{"a": 1}}', b"\xff", b'"x"'])
def test_what_is_no_object_is_refused(line):
    with pytest.raises(ValueError):
        read_row(line)


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.text() | st.lists(st.integers())))
def test_any_object_is_read(data):
    import json

    row = read_row(json.dumps(data).encode())
    assert all(isinstance(value, float) for value in row.values.values())


@pytest.mark.parametrize("time", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_time_that_is_none_is_as_if_it_was_not_there(time):
    row = read_row(f'{{"step": 7, "time": {time}, "loss": 1}}'.encode())
    assert (row.step, row.time, row.values) == (7, None, {"loss": 1})
