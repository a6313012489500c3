"""What a job's `pip-requirements.txt` asks for, and what is wrong with it, told before anything is submitted."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.backends.base import Backend
from orchestrator.engines.catalog import Engine
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError
from orchestrator.errors import PermissionDeniedError
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.job import JobSpec
from orchestrator.store.archive import CodeSnapshot

_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2")
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASHES = re.compile(r"\s--hash[= ].*$")
_EDITABLE = re.compile(r"(-e|--editable)([\s=]|$)")


def look_at_requirements(
    spec: JobSpec, code: CodeSnapshot, engine: Engine, sizes: Flavor | None, backend: Backend
) -> Requirements | None:
    """Return the packages that a job brings, as far as can be told such that can be had; None if it brings none.

    Raises:
        MlctlError: They cannot be had; see `requirements_of`.
    """
    # Of other images than the engine's for CPUs it is not known what is in them.
    pinned = not (spec.kubernetes.image or (sizes and sizes.gpus and engine.images.gpu))
    found = requirements_of(code, engine if pinned else None)
    if found:
        backend.check_requirements(engine, spec, found)
    return found


def requirements_of(code: CodeSnapshot, engine: Engine | None) -> Requirements | None:
    """Return the packages that a job brings; None if it brings none.

    Args:
        code: With the file.
        engine: Whose packages stay as they are; None if it is not known which these are.

    Raises:
        RequirementsError: A line cannot be understood, names what is not in the code, or contradicts the engine.
        PermissionDeniedError: The file cannot be read.
    """
    entry = next((entry for entry in code.manifest.entries if entry.path == FILE and entry.kind == "file"), None)
    if entry is None:
        return None
    path = code.folder / FILE
    try:
        lines = list(_lines(path.read_text(encoding="utf-8-sig")))
    except UnicodeDecodeError as error:
        raise RequirementsError(f"{path} is not UTF-8 text: {error.reason}", hint="save it as UTF-8") from error
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    if not lines:
        return None
    there = {found.path for found in code.manifest.entries}
    plain, locked = True, _versions(engine) if engine else {}
    for number, line in lines:
        if _EDITABLE.match(line):
            raise _wrong(number, line, "cannot be installed to be edited", "name the folder without -e")
        if line.startswith("-") or _is_path(line):
            plain = False
            _check_path(number, line, there)
        else:
            plain &= "@" not in line
            _check(number, line, engine, locked)
    # What is named by its path may change without the file changing.
    sha256 = entry.sha256 if plain else hashlib.sha256(f"{entry.sha256} {code.sha256}".encode()).hexdigest()
    return Requirements(folder=code.folder, sha256=sha256)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is asked for, with the number of its line: no comments, continued lines as one."""
    begun, number = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = begun + _COMMENT.sub("", raw)
        begun = line.removesuffix("\\") if line.endswith("\\") else ""
        if not begun and line.strip():
            yield number, line.strip()
    if begun.strip():
        yield number, begun.strip()


def _is_path(line: str) -> bool:
    return "@" not in line and ("://" in line or "/" in line.split(";")[0] or _target(line).endswith(_ARCHIVES))


def _target(line: str) -> str:
    return line.split(" ;")[0].split("[")[0].strip()


def _check_path(number: int, line: str, there: set[str]) -> None:
    """Refuse an archive that is not in the code: rules such as .gitignore may leave it out."""
    target = _target(line)
    if line.startswith("-") or "://" in line or target.startswith("/") or not target.endswith(_ARCHIVES):
        return
    if str(PurePosixPath(target)) not in there:
        hint = "put it there; what .gitignore and .mlctlignore leave out is not in the code"
        raise _wrong(number, target, "is not in the code", hint)


def _check(number: int, line: str, engine: Engine | None, locked: dict[str, set[str]]) -> None:
    from packaging.requirements import InvalidRequirement, Requirement  # few jobs bring packages
    from packaging.utils import canonicalize_name

    try:
        wanted = Requirement(_HASHES.sub("", line))
    except InvalidRequirement as error:
        said = str(error).splitlines()[0]
        hint = "one package a line, as in: humanize>=4"
        raise _wrong(number, line, f"is not a requirement: {said}", hint) from error
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
        raise _wrong(
            number, line, reason, "what an engine has stays as it is: ask for what fits, or take another engine"
        )


def _versions(engine: Engine) -> dict[str, set[str]]:
    """Return what an engine has, by the packages' names."""
    from packaging.utils import canonicalize_name

    found: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall(engine.requirements_path.read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def _wrong(number: int, line: str, reason: str, hint: str) -> RequirementsError:
    return RequirementsError(f"{FILE}, line {number}: {line} {reason}", hint=hint)
