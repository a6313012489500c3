"""How often a version was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.serving.metrics import Calls


@given(st.lists(st.floats(0, 200), max_size=30))
def test_those_of_the_last_minute_are_counted(pauses):
    now, begun = 1000.0, []
    calls = Calls(lambda: now)
    for pause in pauses:
        now += pause
        calls.begin()
        begun.append(int(now))
        assert calls.per_minute == sum(second > int(now) - 60 for second in begun)
    assert (calls.invocations, calls.failures) == (len(pauses), 0)


@pytest.mark.parametrize(("later", "left"), [(59, 1), (60, 0), (10**9, 0)])
def test_without_requests_it_gets_less(later, left):
    now = 0.5
    calls = Calls(lambda: now)
    calls.begin()
    now += later
    assert calls.per_minute == left
