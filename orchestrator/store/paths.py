"""Which relative paths and link targets may stand in a manifest or an archive.

Whoever can write to a store could put `../../.ssh/authorized_keys` into a manifest. What passes
here stays inside the folder it is unpacked to, as long as nobody writes *through* a link, which
`orchestrator.store.transfer` and `archive` refuse.
"""

_FORBIDDEN = frozenset(("", ".", ".."))


def check_path(path: str) -> None:
    """Check that `path` is relative, in POSIX form, and stays below its folder.

    Raises:
        ValueError: It is not; says why.
    """
    if "\0" in path:
        raise ValueError(f"path {path!r} has a NUL character")
    if not _FORBIDDEN.isdisjoint(path.split("/")):
        raise ValueError(f"path {path!r} must be relative, without empty, '.' and '..' segments")
    _check_unicode(path)


def check_link(path: str, target: str) -> None:
    """Check that a symbolic link at `path` cannot lead out of the folder.

    `..` may only stand in front: behind a folder's name it would depend on whether that name is
    itself a link. As the folders above `path` are real ones, and every other link obeys the same rule,
    no chain of links leaves the folder either.

    Raises:
        ValueError: It could; says why.
    """
    if not target or "\0" in target or target.startswith("/"):
        raise ValueError(f"link {path!r} points to {target!r}, which is not a relative path")
    segments = [segment for segment in target.split("/") if segment not in ("", ".")]
    names = list(segments)
    while names and names[0] == "..":
        names.pop(0)
    if ".." in names or len(segments) - len(names) > path.count("/"):
        raise ValueError(f"link {path!r} points to {target!r}, outside the folder")
    _check_unicode(target)


def parents(path: str) -> list[str]:
    """Return the folders above a relative path, outermost first: `a/b/c` has `a` and `a/b`."""
    return [path[:index] for index, character in enumerate(path) if character == "/"]


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is not valid Unicode") from error
