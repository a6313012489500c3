"""Progress where there is no terminal."""

import pytest

from orchestrator.cli import progress
from orchestrator.cli.progress import LineReporter, reporter


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def pass_(seconds):
        now[0] += seconds

    return pass_


@pytest.fixture
def told(capsys):
    return lambda: capsys.readouterr().err.splitlines()


def test_the_reporter_for_a_file_writes_lines(told):
    assert isinstance(reporter(), LineReporter)
    reporter().note("one\x1b[2J step")
    assert told() == ["one step"]


def test_short_work_is_silent(told, clock):
    with LineReporter().bar("upload", total=10, unit="files") as bar:
        clock(progress.INTERVAL / 2)
        bar.advance(10)
    assert told() == []


def test_long_work_tells_now_and_then(told, clock):
    with LineReporter().bar("upload", total=80_000_000, unit="bytes") as bar:
        for _ in range(8):
            clock(progress.INTERVAL * 0.4)
            bar.advance(10_000_000)
    assert told() == ["upload: 30.0 MB of 80.0 MB", "upload: 60.0 MB of 80.0 MB"]


def test_work_of_unknown_size(told, clock):
    with LineReporter().bar("scan", total=None, unit="files") as bar:
        clock(progress.INTERVAL)
        bar.advance(12_345)
    assert told() == ["scan: 12,345"]


def test_work_that_fails_is_not_hidden(told):
    with pytest.raises(ZeroDivisionError), LineReporter().bar("work", total=1, unit="steps"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "done, total, seconds, unit, text",
    [
        (0, 10, 1.0, "files", ("", "")),
        (10, 10, 0.0, "files", ("", "")),
        (1_000_000, 4_000_000, 2.0, "bytes", ("500.0 kB/s", "0:06 left")),
        (1, 4_000_000, 0.5, "bytes", ("2 bytes/s", "")),
        (100, 12_100, 1.0, "files", ("100 files/s", "2:00 left")),
        (100, None, 1.0, "files", ("100 files/s", "")),
        (1, 4, 20.0, "steps", ("", "1:00 left")),
        (11, 10, 1.0, "files", ("11 files/s", "")),
    ],
)
def test_rate_and_time_left(done, total, seconds, unit, text):
    assert progress._rate(done, total, seconds, unit) == text
