"""A log with times is the script's own bytes again, wherever the connection was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.backends.kubernetes.stamped import LostPlaceError, Stamped

TEXTS = st.lists(st.sampled_from([b"", b"same", b"same", b"2026-11-21T10:00:00 x", b"\xff\x00", b"a b c"]), max_size=12)


def lines(texts, *, offset="Z"):
    """Give a log: three lines in each second, as the kubelet serves it."""
    return [b"2026-11-21T10:00:%02d.%09d%b %b\n" % (n // 3, n, offset.encode(), text) for n, text in enumerate(texts)]


def serve(log, since):
    return b"".join(line for line in log if since <= line[:19].decode() + "Z")


@given(TEXTS, st.data())
def test_it_goes_on_at_the_very_byte(texts, data):
    log = lines(texts)
    stamped, got = Stamped(), b""
    for _ in range(data.draw(st.integers(0, 6))):
        came = serve(log, stamped.resume())
        cut = data.draw(st.integers(0, len(came)))
        size = data.draw(st.integers(1, 50))
        got += b"".join(stamped.feed(came[at : min(at + size, cut)]) for at in range(0, cut, size))
    got += stamped.feed(serve(log, stamped.resume()))
    assert got == b"".join(text + b"\n" for text in texts)


def test_a_line_is_passed_on_before_it_is_whole():
    stamped = Stamped()
    assert stamped.feed(b"2026-11-21T10:00:00.000000001Z 10%\r20") == b"10%\r20"
    assert stamped.feed(b"%\r30%") == b"%\r30%"
    assert stamped.feed(b"\n2026-11-21T10:00:0") == b"\n"
    assert stamped.feed(b"0.000000002Z end") == b"end"
    assert stamped.started == 1795255200.0


def test_times_of_a_node_elsewhere_are_asked_for_in_utc():
    stamped = Stamped()
    stamped.feed(b"2026-11-21T10:00:00.000000001+05:30 x\n")
    assert stamped.resume() == "2026-11-21T04:30:00Z"


@pytest.mark.parametrize(
    "again",
    [
        b"2026-11-21T10:00:00.000000002Z b\n",  # the first line of the second was thrown away
        b"2026-11-21T10:00:00.000000001Z a\n2026-11-21T10:00:00.000000002Z c\n",
        b"unable to retrieve container logs for containerd://0123456789abcdef0123456789abcdef0123456789",
    ],
)
def test_what_does_not_repeat_is_not_believed(again):
    stamped = Stamped()
    stamped.feed(b"2026-11-21T10:00:00.000000001Z a\n2026-11-21T10:00:00.000000002Z b\n")
    stamped.resume()
    with pytest.raises(LostPlaceError):
        stamped.feed(again)


@pytest.mark.parametrize("words", [b"failed to watch file: too many open files\n", b"x" * 100, b"2026-99-21T00:00 x\n"])
def test_the_kubelets_own_words_are_no_log(words):
    with pytest.raises(LostPlaceError):
        Stamped().feed(words)
