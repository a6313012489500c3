import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.specs.quantities import (
    MAX_DURATION,
    MAX_MEMORY,
    format_duration,
    format_memory,
    parse_duration,
    parse_memory,
    suggest_duration,
    suggest_memory,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("32Gi", 32 * 2**30),
        ("1.5Gi", 3 * 2**29),
        ("500M", 500_000_000),
        ("2e9", 2_000_000_000),
        ("1E", 10**18),
        ("1E3", 1000),
        ("64k", 64_000),
        ("0.1Ki", 103),
        ("7", 7),
        (1024, 1024),
        ("0", 0),
        ("9223372036854775807", MAX_MEMORY),
    ],
)
def test_memory(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    "text", ["", "Gi", "32gb", "32GiB", "512m", "-1Gi", -1, "1e99", "9Ei", "1 Gi", "1Gi\n", "nan", "٣Gi", "9" * 5000]
)
def test_what_is_not_memory(text):
    with pytest.raises(UsageError) as caught:
        parse_memory(text)
    assert "for example" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("32gb", "32G"),
        ("32 GiB", "32Gi"),
        ("512m", "512M"),
        ("64K", "64k"),
        ("64ki", "64Ki"),
        ("32", "32Gi"),
        ("x", "32Gi"),
    ],
)
def test_suggested_memory(text, meant):
    assert suggest_memory(text) == meant


@given(st.text(max_size=20))
def test_suggested_memory_is_memory(text):
    try:
        parse_memory(suggest_memory(text))
    except UsageError as error:
        assert "no machine has" in error.message


@given(st.integers(0, 1023), st.sampled_from(["", "Ki", "Mi", "Gi", "Ti", "Pi"]))
def test_memory_round_trips(number, unit):
    text = f"{number}{unit}" if number else "0"
    assert format_memory(parse_memory(text)) == text


@given(st.integers(0, MAX_MEMORY // 2))
def test_formatted_memory_is_near(amount):
    assert parse_memory(format_memory(amount)) == pytest.approx(amount, rel=0.05)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h30m", 5400),
        ("90s", 90),
        ("2d", 172_800),
        ("1.5h", 5400),
        ("0.5s", 1),
        (3600, 3600),
        ("3600", 3600),
        ("0s", 0),
    ],
)
def test_duration(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "h", "1 hour", "30m1h", "1h30", "-5m", -5, "99999d", MAX_DURATION + 1, "1h\n", float("nan"), "9" * 5000],
)
def test_what_is_not_a_duration(text):
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(("text", "meant"), [("2 hours", "2h"), ("45 min", "45m"), ("1H", "1h"), ("soon", None)])
def test_suggested_duration(text, meant):
    assert suggest_duration(text) == meant


@given(st.integers(0, MAX_DURATION))
def test_durations_round_trip(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


def test_formatted_durations():
    assert [format_duration(seconds) for seconds in (0, 59.6, 5400, 90_061)] == ["0s", "1m", "1h30m", "1d1h1m1s"]
