import pytest

from orchestrator.specs.scalars import describe, read_scalar, show


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5e-4", 0.0005),
        ("1.", 1.0),
        (".5", 0.5),
        ("-7", -7),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("2020-01-01", "2020-01-01"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("=", "="),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text, value):
    read = read_scalar(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "9223372036854775808", "0x" + "f" * 17, "9" * 5000])
def test_numbers_that_cannot_be_carried(text):
    with pytest.raises(ValueError, match=r"finite|64 bits"):
        read_scalar(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("mxnet-1.9", "mxnet-1.9"),
        ("1", '"1"'),
        ("true", '"true"'),
        ("a b", '"a b"'),
        ("\x9b31m", '"\\u009b31m"'),
        ("x\ny", '"x\\ny"'),
        ("x" * 1000, "x" * 60 + "..."),
        (2, "2"),
        (True, "true"),
        (None, "null"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_show(value, shown):
    assert show(value) == shown


def test_describe():
    assert [describe(value) for value in (None, {}, [], "a", 1)] == ["nothing", "a mapping", "a list", "`a`", "`1`"]
