"""YAML text to plain data that remembers where everything stands.

Data is built from the parser's events, node by node, under limits, so that no text can exhaust the
stack (deep nesting) or the memory (aliases of aliases). Whatever is wrong is a SpecError whose
message starts with `file.yaml:LINE:COLUMN: `, both counted from 1.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import yaml

from orchestrator.errors import SpecError
from orchestrator.specs.scalars import read_scalar, show

MAX_BYTES = 1024 * 1024  # of a document
MAX_DEPTH = 32  # mappings and lists inside each other
MAX_NODES = 10_000  # keys and values, those behind an alias counted each time
MAX_CHARACTERS = 2 * MAX_BYTES  # of keys and values, likewise
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no file, argument or environment takes these as text

KeyPath = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what PyYAML counts as one
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = "tag:yaml.org,2002:"
_SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
_TEXT_TAGS = {"!", f"{_TAG}str"}


class Place(NamedTuple):
    """Where something was written: a line and column of a source, or an argument of the command line.

    Attributes:
        source: File name, or the argument.
        line: From 1; 0 for an argument.
        column: From 1, in characters; 0 for an argument.
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Document:
    """Plain data (dict, list, str, int, float, bool, None) and the places where it was written.

    Attributes:
        source: File name.
        data: The root value.
        values: Place of each value by its path; what came through an alias has the alias' place.
        keys: Place of each key by its path.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.data: Any = None
        self.values: dict[KeyPath, Place] = {(): Place(source, 1, 1)}
        self.keys: dict[KeyPath, Place] = {}

    def place(self, path: KeyPath) -> Place:
        """Return the place of the value at `path`, or else of the nearest one that holds it."""
        while path not in self.values:
            path = path[:-1]
        return self.values[path]

    def key_place(self, path: KeyPath) -> Place:
        """Return the place of the key at the end of `path`, or else that of its value."""
        return self.keys.get(path) or self.place(path)

    def part(self, key: str) -> "Document":
        """Return what stands below a key as a document of its own, with the places of this one."""
        found = Document(self.source)
        found.data = self.data[key]
        found.values = {path[1:]: place for path, place in self.values.items() if path[:1] == (key,)}
        found.keys = {path[1:]: place for path, place in self.keys.items() if path[:1] == (key,) and len(path) > 1}
        return found


def parse_document(text: str | bytes, source: str) -> Document:
    """Read one YAML document.

    Args:
        text: The document; bytes are UTF-8, with or without a byte order mark.
        source: Name for messages.

    Raises:
        SpecError: It is not one YAML document of plain data with text keys, or it is too large.
    """
    return _Builder(_decode(text, source), source).build()


def fail(place: Place, reason: str, *, hint: str = "") -> NoReturn:
    """Raise the SpecError of one place."""
    raise SpecError(f"{place}: {reason}", hint=hint)


def _decode(text: str | bytes, source: str) -> str:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        fail(Place(source, 1, 1), f"more than {MAX_BYTES // 1024} KiB; this cannot be a spec")
    try:
        decoded = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = _end(raw[: error.start].decode("utf-8"), source)
        fail(place, f"byte 0x{raw[error.start]:02x} is not UTF-8", hint="save the file as UTF-8 text")
    if match := _NOT_TEXT.search(decoded):
        place = _end(decoded[: match.start()], source)
        fail(place, f"character U+{ord(match[0]):04X} is not allowed", hint="is this a text file?")
    return decoded


def _end(text: str, source: str) -> Place:
    breaks = list(_LINE_BREAK.finditer(text))
    return Place(source, len(breaks) + 1, len(text) - (breaks[-1].end() if breaks else 0) + 1)


class _Built(NamedTuple):
    value: Any
    nodes: int
    characters: int


class _Builder:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._end = _end(text, source)
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._document = Document(source)
        self._anchors: dict[str, _Built | None] = {}  # None: not finished yet
        self._nodes = 0
        self._characters = 0

    def build(self) -> Document:
        try:
            self._next()  # the stream's start
            if not isinstance(self._next(), yaml.StreamEndEvent):
                self._document.data = self._node(self._next(), ())
                self._next()  # the document's end
                if not isinstance(event := self._next(), yaml.StreamEndEvent):
                    self._fail(event, "a second YAML document starts here", hint="write one spec in a file")
        except yaml.MarkedYAMLError as error:
            self._refuse(error)
        return self._document

    def _refuse(self, error: yaml.MarkedYAMLError) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        place = self._place(mark) if mark else self._end
        found = _LINE_BREAK.split(self._text)[place.line - 1][place.column - 1 : place.column]
        hint = "check the indentation, colons and quotes here and just above"
        if found == "\t":
            hint = "indent with spaces, not tabs"
        reason = ", ".join(part for part in (error.problem, error.context) if part)
        fail(place, f"not valid YAML: {reason}", hint=hint)

    def _next(self) -> Any:
        return next(self._events)

    def _place(self, mark: Any) -> Place:
        # libyaml puts what it misses at the end of the text on a line after the last one.
        return min(Place(self._document.source, mark.line + 1, mark.column + 1), self._end)

    def _fail(self, event: Any, reason: str, *, hint: str = "") -> NoReturn:
        fail(self._place(event.start_mark), reason, hint=hint)

    def _node(self, event: Any, path: KeyPath) -> Any:
        self._document.values[path] = self._place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes, self._characters
        if event.anchor:
            self._anchors[event.anchor] = None
        self._count(event, 1, 0)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif len(path) >= MAX_DEPTH:
            self._fail(event, f"nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.MappingStartEvent):
            self._check_tag(event, "map")
            value = self._mapping(path)
        else:
            self._check_tag(event, "seq")
            value = self._sequence(path)
        if event.anchor:
            self._anchors[event.anchor] = _Built(value, self._nodes - before[0], self._characters - before[1])
        return value

    def _count(self, event: Any, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        if self._nodes > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES} values; this cannot be a spec")
        if self._characters > MAX_CHARACTERS:
            self._fail(event, f"more than {MAX_CHARACTERS} characters with its aliases; this cannot be a spec")

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            self._fail(event, f"alias `*{event.anchor}` has no anchor `&{event.anchor}` before it")
        built = self._anchors[event.anchor]
        if built is None:
            self._fail(event, f"alias `*{event.anchor}` stands inside what it refers to")
        self._count(event, built.nodes, built.characters)
        return built.value

    def _check_tag(self, event: Any, expected: str) -> None:
        if event.tag not in (None, "!", _TAG + expected):
            self._fail(event, f"tag `{show(event.tag)}` is not allowed", hint="remove it")

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                first = self._document.keys[(*path, key)]
                self._fail(event, f"key `{show(key)}` is there twice, first on line {first.line}")
            self._document.keys[(*path, key)] = self._place(event.start_mark)
            found[key] = self._node(self._next(), (*path, key))
        return found

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._fail(event, "a key must be a word, not an alias, a list or a mapping")
        self._count(event, 1, 0)
        key = self._scalar(event)
        if not isinstance(key, str):
            self._fail(event, f"key `{show(key)}` must be text", hint="quote it")
        return key

    def _sequence(self, path: KeyPath) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._node(event, (*path, len(found))))
        return found

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        self._count(event, 0, len(text))
        if UNSTORABLE.search(text):
            self._fail(event, "text must not hold a NUL character or half of a surrogate pair")
        if event.tag in _TEXT_TAGS or (event.tag is None and not event.implicit[0]):
            return text
        try:
            value = read_scalar(text)
        except ValueError as error:
            self._fail(event, f"{show(text)} {error}", hint="quote it if it is meant as text")
        if event.tag is None:
            return value
        if event.tag not in _SCALAR_TYPES:
            self._fail(event, f"tag `{show(event.tag)}` is not allowed", hint="remove it")
        types = _SCALAR_TYPES[event.tag]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            self._fail(event, f"{show(text)} is not of the type that its tag names")
        return value
