"""Scalars of event files."""

import math
import struct

import pytest

from orchestrator.metrics.events import FOOTER, read_scalars


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_none_does_no_harm_to_the_table(time):
    from tensorboardX.proto.event_pb2 import Event

    event = Event(wall_time=time, step=3)
    event.summary.value.add(tag="loss", simple_value=0.5)
    data = event.SerializeToString()
    record = struct.pack("<QI", len(data), 0) + data + bytes(FOOTER)
    assert list(read_scalars(record)) == [("loss", 3, 0.0, 0.5)]
