import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.specs.names import (
    MAX_NAME,
    NAME_PATTERN,
    check_name,
    format_version,
    nearest,
    parse_version,
    suggest_name,
)


@pytest.mark.parametrize("name", ["a", "mnist", "mnist-mxnet", "m1", "a" * MAX_NAME])
def test_names_that_are_allowed(name):
    assert check_name(name, "job") == name


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("MNIST", "mnist"),
        ("mnist_mxnet", "mnist-mxnet"),
        ("3d-net", "d-net"),
        ("a" * 60, "a" * MAX_NAME),
        ("réseau", "reseau"),
        ("mnist-", "mnist"),
        ("mnist\n", "mnist"),
        ("mxnet-1.9", "mxnet-1-9"),
        ("../x", "x"),
        ("", "mnist"),
        ("数字", "mnist"),
    ],
)
def test_a_name_that_is_not_allowed_comes_with_one_that_is(name, suggested):
    with pytest.raises(UsageError, match="cannot be the name of a dataset") as caught:
        check_name(name, "dataset")
    assert caught.value.hint == f"for example: {suggested}"


def test_only_engines_have_dots():
    assert check_name("mxnet-1.9", "engine") == "mxnet-1.9"
    with pytest.raises(UsageError):
        check_name("mxnet-1.9", "model")


@given(st.text(max_size=80), st.booleans())
def test_what_is_suggested_is_allowed(text, dots):
    suggested = suggest_name(text, dots=dots)
    assert suggested is None or check_name(suggested, "engine" if dots else "job") == suggested


@given(st.from_regex(re.compile(NAME_PATTERN), fullmatch=True))
def test_allowed_names_are_dns_labels(name):
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name.rstrip("\n"))


@pytest.mark.parametrize(
    ("word", "meant"),
    [("engin", "engine"), ("bootFile", "boot_file"), ("BOOT-FILE", "boot_file"), ("zzz", None), ("e" * 10**6, None)],
)
def test_nearest(word, meant):
    assert nearest(word, ["engine", "boot_file", "code"]) == meant


@given(st.integers(1, 999_999_999))
def test_versions_round_trip(number):
    assert parse_version(format_version(number)) == number
    assert parse_version(f"v{number}") == parse_version(str(number)) == number


def test_versions_sort_and_grow():
    assert format_version(3) == "V0003"
    assert format_version(10_000) == "V10000"
    assert parse_version("latest") is None


@pytest.mark.parametrize("text", ["", "v", "v0", "V0000", "-1", "1.0", "newest", "v1\n", "v٣", "9" * 5000])
def test_what_is_not_a_version(text):
    with pytest.raises(UsageError, match="is not a version"):
        parse_version(text)


def test_no_version_is_below_one():
    with pytest.raises(UsageError):
        format_version(0)
