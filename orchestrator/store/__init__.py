"""The bucket: objects, conditional writes, trees of files, records."""

from urllib.parse import unquote, urlsplit

from orchestrator.errors import UsageError
from orchestrator.store.base import Store


def open_store(url: str) -> Store:
    """Open the store at `url`.

    Raises:
        UsageError: The URL's scheme is not supported or it names no folder.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        from pathlib import Path

        from orchestrator.store.file import FileStore

        return FileStore(Path(unquote(parts.path)))
    raise UsageError(f"{url!r} is not a store that mlctl can use", hint="a folder is written as file:///absolute/path")
