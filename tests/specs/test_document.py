import time

import pytest
import yaml

from orchestrator.errors import SpecError
from orchestrator.specs import document
from orchestrator.specs.document import MAX_BYTES, MAX_DEPTH, Place, parse_document


@pytest.fixture(params=["c", "python"], autouse=True)
def loader(request, monkeypatch):
    """Run every test with the parser in C and with the one in Python, which not every platform lacks."""
    monkeypatch.setattr(document, "_LOADER", yaml.CSafeLoader if request.param == "c" else yaml.SafeLoader)
    return request.param


def refuse(text) -> str:
    with pytest.raises(SpecError) as caught:
        parse_document(text, "f.yaml")
    return caught.value.message


def test_data_and_places():
    found = parse_document("a: 1\nb:\n  - x\n  - {c: 'd'}\n", "f.yaml")
    assert found.data == {"a": 1, "b": ["x", {"c": "d"}]}
    assert found.values[("b", 1, "c")] == Place("f.yaml", 4, 9)
    assert found.keys[("b",)] == Place("f.yaml", 2, 1)
    assert str(found.place(("b", 1, "nothing"))) == "f.yaml:4:5"
    assert str(found.key_place(("zz",))) == "f.yaml:1:1"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff", b"\xef\xbb\xbf"])
def test_nothing(text):
    assert parse_document(text, "f.yaml").data is None


def test_text_in_other_scripts_and_line_ends():
    found = parse_document("a: 数字\r\nb: é\r\nc: \U0001f600\r\n".encode(), "f.yaml")
    assert found.data == {"a": "数字", "b": "é", "c": "\U0001f600"}
    assert found.keys[("c",)] == Place("f.yaml", 3, 1)


def test_quotes_and_tags_decide_types():
    found = parse_document("{a: '1', b: !!str 2, c: !!float 3, d: !!int '4', e: ! 5, f: !!null '', g: !!map {}}", "f")
    assert found.data == {"a": "1", "b": "2", "c": 3, "d": 4, "e": "5", "f": None, "g": {}}


def test_aliases_are_values():
    found = parse_document("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n", "f.yaml")
    assert found.data == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}] * 2}
    assert str(found.place(("b", "k"))) == "f.yaml:2:4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key `a` is there twice, first on line 1"),
        ("a: {b: 1, b: 1}", "f.yaml:1:11: key `b` is there twice, first on line 1"),
        ("1: x", "f.yaml:1:1: key `1` must be text"),
        ("null: x", "f.yaml:1:1: key `null` must be text"),
        ("? [a]\n: 1", "f.yaml:1:3: a key must be a word"),
        ("a: &x b\n*x : c", "f.yaml:2:1: a key must be a word"),
        ("a: !env X", 'f.yaml:1:4: tag `"!env"` is not allowed'),
        (
            "a: !!python/object:os.system x",
            'f.yaml:1:4: tag `"tag:yaml.org,2002:python/object:os.system"` is not allowed',
        ),
        ("a: !!set {x}", 'f.yaml:1:4: tag `"tag:yaml.org,2002:set"` is not allowed'),
        ("a: !!seq {}", "f.yaml:1:4: tag"),
        ("a: !!int x", "f.yaml:1:4: x is not of the type that its tag names"),
        ("a: !!float true", 'f.yaml:1:4: "true" is not of the type'),
        ("a: &a [*a]", "f.yaml:1:8: alias `*a` stands inside what it refers to"),
        ("a: &a {b: {c: *a}}", "f.yaml:1:15: alias `*a` stands inside"),
        ("a: *b", "f.yaml:1:4: alias `*b` has no anchor"),
        ("a: .inf", 'f.yaml:1:4: ".inf" is not a finite number'),
        ("a: 99999999999999999999", 'f.yaml:1:4: "99999999999999999999" does not fit in 64 bits'),
        ("a: 1\n---\nb: 1", "f.yaml:2:1: a second YAML document starts here"),
        ('a: "x\\0"', "f.yaml:1:4: text must not hold a NUL"),
        ("a: x\ny\x00", "f.yaml:2:2: character U+0000 is not allowed"),
        (b"a: x\n\x89PNG", "f.yaml:2:1: byte 0x89 is not UTF-8"),
        (b"\xff\xfea\x00", "f.yaml:1:1: byte 0xff is not UTF-8"),
        ("a: \ud800", "f.yaml:1:4: byte 0xed is not UTF-8"),
        ("\ufeffa: \x1b", "f.yaml:1:4: character U+001B is not allowed"),
        ("a:\n\tb: 1", "f.yaml:2:1: not valid YAML: found character"),
        ("a: b: c", "f.yaml:1:5: not valid YAML: mapping values are not allowed"),
        ("a: 'x", "f.yaml:1:6: not valid YAML: found unexpected end of stream"),
        ("a: [1", "f.yaml:1:6: not valid YAML"),
        ("x" * (MAX_BYTES + 1), "f.yaml:1:1: more than 1024 KiB"),
    ],
)
def test_what_is_refused(text, message):
    assert refuse(text).startswith(message)


def test_a_tab_is_named_in_the_hint():
    with pytest.raises(SpecError) as caught:
        parse_document("a:\n\t- b", "f.yaml")
    assert caught.value.hint == "indent with spaces, not tabs"


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "[{a: "])
def test_depth_is_limited_before_the_stack_is(opening):
    assert f"nested more than {MAX_DEPTH} levels deep" in refuse(opening * 200_000)
    assert f"nested more than {MAX_DEPTH} levels deep" in refuse("\n".join(" " * i + "a:" for i in range(1000)))


def test_a_document_at_the_limit_of_depth():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_document(text, "f.yaml").data is not None


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)),
        f"a: &a {'x' * 500_000}\nb: [{', '.join(['*a'] * 9000)}]",
        "- x\n" * 20_000,
        "".join(f"k{i}: 1\n" for i in range(20_000)),
    ],
)
def test_bombs_are_refused_soon(text):
    started = time.monotonic()
    assert "this cannot be a spec" in refuse(text)
    assert time.monotonic() - started < 20
