"""Whatever is thrown at the loader, a spec comes out, or a SpecError that points into the document."""

import re
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import SpecError
from orchestrator.specs.load import LoadedSpec, parse_job_spec

from .examples import FULL, MINIMAL

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
PLACE = re.compile(r"job\.yaml:(\d+):(\d+): \S")
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ENVIRON = {"BUCKET": "b1", "HOME": "/root"}

thousand = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
hundreds = settings(thousand, max_examples=500)


def check(text, **changes) -> LoadedSpec | None:
    try:
        loaded = parse_job_spec(text, source="job.yaml", folder=Path("/work"), environ=ENVIRON, **changes)
    except SpecError as error:
        decoded = text if isinstance(text, str) else text.decode(errors="replace")
        lines = LINE_BREAK.split(decoded)
        for told in error.message.split("\n"):
            if changes and told.startswith(("--set ", "-p ")):
                continue
            if re.fullmatch(r"and \d+ more", told):
                continue
            place = PLACE.match(told)
            assert place is not None, told
            line, column = int(place[1]), int(place[2])
            assert 1 <= line <= len(lines), told
            assert 1 <= column <= len(lines[line - 1]) + 1, told
        return None
    assert isinstance(loaded, LoadedSpec)
    return loaded


KEYS = re.findall(r"^\w+", FULL, re.MULTILINE)
SNIPPETS = [*KEYS, ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!int ", "!", "|\n", ">-\n ", "? ", "---\n", "...\n"]
SNIPPETS += [
    "'",
    '"',
    "#",
    "%YAML 1.1\n",
    "\t",
    "\n",
    "\n  ",
    "\r\n",
    "\x85",
    "\u2028",
    "\ufeff",
    "\\x00",
    "${BUCKET}",
    "<<",
]
SNIPPETS += [
    "1e999",
    ".nan",
    "0x",
    "-1",
    "9" * 30,
    "null",
    "true",
    "dataset://",
    "s3://",
    "../",
    "\0",
    "é",
    "\U0001f600",
]


@thousand
@given(st.text(st.characters(), max_size=200))  # surrogates included
def test_random_text(text):
    check(text)


@hundreds
@given(st.binary(max_size=200))
def test_random_bytes(data):
    check(data)


@thousand
@given(st.lists(st.sampled_from(SNIPPETS), max_size=30).map("".join))
def test_random_yaml_text(text):
    check(text)
    check(MINIMAL + text)


@st.composite
def mutations(draw) -> str:
    """A valid document with a few pieces cut, doubled, moved, or replaced."""
    text = draw(st.sampled_from([MINIMAL, FULL]))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        end = min(end, start + draw(st.integers(0, 20)))
        piece = text[start:end]
        new = draw(st.one_of(st.just(""), st.just(piece * 2), st.sampled_from(SNIPPETS), st.text(max_size=5)))
        text = text[:start] + new + text[end:]
    return text


@thousand
@given(mutations())
def test_mutated_documents(text):
    check(text)


@hundreds
@given(mutations(), st.data())
def test_mutated_documents_in_bytes(text, data):
    raw = bytearray(text.encode(errors="surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        cut = data.draw(st.integers(0, len(raw)))
        del raw[cut : cut + 1]
        raw.insert(data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 255)))
    check(bytes(raw))


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.sampled_from(SNIPPETS)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(KEYS), SCALARS), inner, max_size=5)
    ),
    max_leaves=15,
)


VALID = yaml.safe_load(FULL)


def dump(tree, *, flow=False) -> str:
    return yaml.dump(tree, Dumper=DUMPER, allow_unicode=True, default_flow_style=flow, sort_keys=False)


@hundreds
@given(TREES, st.booleans())
def test_random_trees(tree, flow):
    check(dump(tree, flow=flow))


@hundreds
@given(st.dictionaries(st.sampled_from(KEYS), TREES, min_size=1, max_size=3))
def test_valid_documents_with_random_values(changes):
    check(dump({**VALID, **changes}))


ARGUMENTS = st.one_of(
    st.text(max_size=30),
    st.tuples(st.sampled_from([*KEYS, "resources.gpus", "parameters.x", "env.A", "a.b"]), st.text(max_size=10)).map(
        "=".join
    ),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(SNIPPETS)).map("=".join),
)


@hundreds
@given(st.sampled_from([MINIMAL, FULL]), st.lists(ARGUMENTS, max_size=3), st.lists(ARGUMENTS, max_size=3))
def test_random_arguments(text, assignments, parameters):
    check(text, assignments=assignments, parameters=parameters)


def test_the_examples_that_all_this_starts_from_are_right():
    assert check(MINIMAL)
    assert check(FULL)
