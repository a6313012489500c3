"""Small trees of files for the tests."""

from pathlib import Path


def make_tree(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    """Write files below a folder; a name that ends in `/` makes an empty folder."""
    for name, content in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else (content or "").encode())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return the content by path: bytes of files, `-> target` of links, None for folders that are empty."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            if not any(path.iterdir()):
                found[name + "/"] = None
        else:
            found[name] = path.read_bytes()
    return found
