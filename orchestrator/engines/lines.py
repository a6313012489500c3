"""Lines that ask for packages, in pip's format, and what is wrong with them, told without asking any index."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from orchestrator.engines.catalog import Engine
from orchestrator.engines.requirements import RequirementsError

ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2")
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASHES = re.compile(r"\s--hash[= ].*$")
_EDITABLE = re.compile(r"(-e|--editable)([\s=]|$)")


class Line(NamedTuple):
    """A line that asks for something.

    Attributes:
        place: Where it stands, for people.
        text: It, without comments.
    """

    place: str
    text: str


def lines_of(text: str, file: str) -> Iterator[Line]:
    """Yield what a file asks for: no comments, continued lines as one."""
    begun, number = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = begun + _COMMENT.sub("", raw)
        begun = line.removesuffix("\\") if line.endswith("\\") else ""
        if not begun and line.strip():
            yield Line(f"{file}, line {number}", line.strip())
    if begun.strip():
        yield Line(f"{file}, line {number}", begun.strip())


def is_plain(line: Line) -> bool:
    """Return whether a line alone determines what it asks for: it names nothing by its path or address."""
    return not (line.text.startswith("-") or "@" in line.text or _is_path(line.text))


def check_lines(lines: Iterable[Line], engine: Engine | None, files: Collection[str] | None) -> None:
    """Refuse lines that ask for what cannot be.

    Args:
        lines: The lines.
        engine: Whose packages stay as they are; None if it is not known which these are.
        files: Paths of what lies beside them; None if that is not known.

    Raises:
        RequirementsError: A line cannot be understood, names a file that is not there, or contradicts the engine.
    """
    locked = _versions(engine) if engine else {}
    for line in lines:
        if _EDITABLE.match(line.text):
            raise _wrong(line.place, line.text, "cannot be installed to be edited", "name the folder without -e")
        if line.text.startswith("-") or _is_path(line.text):
            _check_path(line, files)
        else:
            _check(line, engine, locked)


def _is_path(line: str) -> bool:
    return "@" not in line and ("://" in line or "/" in line.split(";")[0] or _target(line).endswith(ARCHIVES))


def _target(line: str) -> str:
    return line.split(" ;")[0].split("[")[0].strip()


def _check_path(line: Line, files: Collection[str] | None) -> None:
    """Refuse an archive that is not in the code: rules such as .gitignore may leave it out."""
    target = _target(line.text)
    if line.text.startswith("-") or "://" in target or target.startswith("/") or not target.endswith(ARCHIVES):
        return
    if files is not None and str(PurePosixPath(target)) not in files:
        hint = "put it there; what .gitignore and .mlctlignore leave out is not in the code"
        raise _wrong(line.place, target, "is not in the code", hint)


def _check(line: Line, engine: Engine | None, locked: dict[str, set[str]]) -> None:
    from packaging.requirements import InvalidRequirement, Requirement  # few jobs bring packages
    from packaging.utils import canonicalize_name

    try:
        wanted = Requirement(_HASHES.sub("", line.text))
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        hint = "one package a line, as in: humanize>=4"
        raise _wrong(line.place, line.text, f"is not a requirement: {said}", hint) from error
    if engine is None or wanted.url:
        return
    version = engine.python[0]
    if wanted.marker and not wanted.marker.evaluate({"python_version": version, "python_full_version": f"{version}.0"}):
        return
    having = locked.get(canonicalize_name(wanted.name), set()) | (
        {engine.version} if wanted.name in engine.provides else set()
    )
    if having and not any(wanted.specifier.contains(one, prereleases=True) for one in having):
        reason = f"does not fit engine {engine.name}, which has {' or '.join(sorted(having))}"
        hint = "what an engine has stays as it is: ask for what fits, or take another engine"
        raise _wrong(line.place, line.text, reason, hint)


def _versions(engine: Engine) -> dict[str, set[str]]:
    """Return what an engine has, by the packages' names."""
    from packaging.utils import canonicalize_name

    found: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall(engine.requirements_path.read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def _wrong(place: str, line: str, reason: str, hint: str) -> RequirementsError:
    return RequirementsError(f"{place}: {line} {reason}", hint=hint)
