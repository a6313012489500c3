"""When events of a cluster happened: its time stamps are of whole seconds, and a pod starts in less."""

from orchestrator.backends.kubernetes.cluster import when
from orchestrator.backends.kubernetes.pods import seconds
from tests.backends.kubernetes.objects import Json

SECOND = "2026-11-22T03:55:19Z"


def event(name: str, *, last: str | None = SECOND, **fields: object) -> Json:
    return {"metadata": {"name": name, "creationTimestamp": SECOND}, "lastTimestamp": last, **fields}


def test_what_happened_in_one_second_stands_in_its_order() -> None:
    # As a real kubelet named them, in this order.
    names = [f"exit3-jw8jk.18ea41c5{moment}" for moment in ("e3b492f7", "e5029859", "ec8def0b", "ee345332")]
    moments = [when(event(name)) for name in names]
    assert moments == sorted(set(moments))
    assert all(seconds(SECOND) <= moment < seconds(SECOND) + 1 for moment in moments)


def test_the_last_time_counts_of_what_happened_again() -> None:
    later = "2026-11-22T03:59:00Z"
    assert when(event("exit3-jw8jk.18ea41c5e3b492f7", last=later)) == seconds(later)
    series = {"lastObservedTime": "2026-11-22T03:59:00.500000Z"}
    assert when(event("exit3-jw8jk.18ea41c5e3b492f7", last=None, series=series)) == seconds(later) + 0.5


def test_a_name_that_tells_no_time() -> None:
    for name in ("by-hand", "by.hand", "by-hand.abc"):
        assert when(event(name)) == seconds(SECOND)
