"""Trying again takes days if it must, and no hurry."""

from collections.abc import Callable

from orchestrator.runtime.patience import LONGEST_PAUSE, keep_trying


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.attempts: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def attempt(self, works_at: float) -> Callable[[], bool]:
        def attempt() -> bool:
            self.attempts.append(self.now)
            return self.now >= works_at

        return attempt


def test_trying_goes_on_for_days_with_growing_pauses():
    clock = Clock()
    day = 86_400.0
    assert keep_trying(clock.attempt(2 * day), patience=7 * day, clock=lambda: clock.now, sleep=clock.sleep)
    pauses = [after - before for before, after in zip(clock.attempts, clock.attempts[1:], strict=False)]
    assert pauses[0] <= 1 and max(pauses) <= LONGEST_PAUSE + 1
    assert 2 * day <= clock.now < 2 * day + LONGEST_PAUSE + 1
    assert len(set(map(round, pauses[20:]))) > 5  # many who wait for one store do not all come at once


def test_trying_ends_with_its_patience_and_when_it_is_told_to():
    clock = Clock()
    assert not keep_trying(clock.attempt(1e9), patience=300, clock=lambda: clock.now, sleep=clock.sleep)
    assert 299 <= clock.now <= 301
    clock = Clock()
    gives_up = keep_trying(
        clock.attempt(1e9), patience=1e9, give_up=lambda: clock.now > 10, clock=lambda: clock.now, sleep=clock.sleep
    )
    assert not gives_up and clock.now < 12
