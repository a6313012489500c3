"""Of several pods each knows only what it was asked itself."""

import random
import time

import pytest

from orchestrator.services.kubernetes.unused import DAY, unused


def look(*seconds, asked=None):
    """Return what is told of pods that were asked so many seconds ago, of which any one answers."""
    now, chance = time.time(), random.Random(4)
    pods = [{"front": str(number), "used": now - ago} for number, ago in enumerate(seconds)]

    def ask():
        if asked is not None:
            asked.append(1)
        return chance.choice(pods)

    return unused(ask(), ask, len(pods))


@pytest.mark.parametrize("pods", [1, 2, 3, 8])
def test_the_pod_that_was_asked_last_counts(pods):
    assert look(2 * DAY, *[3 * DAY] * (pods - 1)) == pytest.approx(2 * DAY, abs=60)


def test_one_that_is_in_use_is_enough():
    asked = []
    assert look(2 * DAY, 3600, asked=asked) == 0
    assert look(60, 60, 60, asked=asked) == 0
    assert len(asked) < 10


def test_what_was_not_heard_of_all_is_not_told():
    asked = []
    assert look(*[2 * DAY] * 200, asked=asked) == 0
    assert len(asked) <= 41
    assert unused({}, dict, 2) == 0
