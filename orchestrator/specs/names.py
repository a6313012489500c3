"""Names and version numbers: what is allowed, how they are written, and what was probably meant."""

import re
from collections.abc import Iterable

from orchestrator.errors import UsageError

MAX_NAME = 52  # characters; a Kubernetes label holds 63, which leaves 11 for suffixes such as -v0003-0
NAME_PATTERN = rf"^[a-z](?:[-a-z0-9]{{0,{MAX_NAME - 2}}}[a-z0-9])?$"
ENGINE_PATTERN = rf"^[a-z](?:[-.a-z0-9]{{0,{MAX_NAME - 2}}}[a-z0-9])?$"
VERSION_PATTERN = r"^(?:[vV]?0*[1-9][0-9]{0,8}|latest)$"
LATEST = "latest"

_MAX_COMPARED = 64  # characters; difflib is quadratic, and no real name is longer
_NAME_EXAMPLES = {"job": "mnist-mxnet", "engine": "mxnet-1.9"}
NAME_RULE = f"lower-case letters, digits and `-`, starting with a letter, at most {MAX_NAME} characters"


def check_name(name: str, kind: str) -> str:
    """Return `name` if a thing of this kind may have it.

    Args:
        name: What the user wrote.
        kind: What it names: `job`, `dataset`, `model`, or `engine`, whose names may hold dots.

    Raises:
        UsageError: The name is not allowed; the hint has a corrected one.
    """
    dots = kind == "engine"
    if re.fullmatch(ENGINE_PATTERN if dots else NAME_PATTERN, name):
        return name
    fixed = suggest_name(name, dots=dots)
    raise UsageError(
        f"{name[:_MAX_COMPARED]!r} cannot be the name of a {kind}: it takes {NAME_RULE}",
        hint=f"for example: {fixed or _NAME_EXAMPLES.get(kind, 'mnist')}",
    )


def suggest_name(name: str, *, dots: bool = False) -> str | None:
    """Return the allowed name nearest to `name`, or None where nothing of it can be kept.

    Args:
        name: Any text.
        dots: Whether dots may stay, as in an engine's name.
    """
    import unicodedata

    plain = unicodedata.normalize("NFKD", name[: 2 * MAX_NAME]).encode("ascii", "ignore").decode().lower()
    joined = re.sub(r"[^a-z0-9.]+" if dots else r"[^a-z0-9]+", "-", plain)
    return joined.lstrip("-.0123456789")[:MAX_NAME].rstrip("-.") or None


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant by `word`, or None.

    Upper case, and `-` for `_`, make no difference.
    """
    from difflib import get_close_matches

    names = {_fold(candidate): candidate for candidate in candidates}
    matches = get_close_matches(_fold(word[:_MAX_COMPARED]), names, n=1)
    return names[matches[0]] if matches else None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")


def format_version(number: int) -> str:
    """Return the written form of a version: 3 is `V0003`, 12345 is `V12345`.

    Raises:
        UsageError: The number is not positive.
    """
    if number < 1:
        raise UsageError(f"there is no version {number}", hint="versions start at V0001")
    return f"V{number:04d}"


def parse_version(text: str) -> int | None:
    """Return the number of a version written as `v3`, `V0003` or `3`; None for `latest`.

    Raises:
        UsageError: It is none of these.
    """
    if not re.fullmatch(VERSION_PATTERN, text):
        raise UsageError(f"{text[:_MAX_COMPARED]!r} is not a version", hint="write v3, V0003, 3 or latest")
    return None if text == LATEST else int(text.lstrip("vV"))
