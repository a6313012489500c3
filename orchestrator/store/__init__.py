"""The bucket: objects, conditional writes, trees of files, records."""

from urllib.parse import unquote, urlsplit

from orchestrator.config import BUCKET_SCHEMES, Context, context_for
from orchestrator.errors import UsageError
from orchestrator.store.base import Store


def open_store(url: str, context: Context | str | None = None, *, patience: float | None = None) -> Store:
    """Open the store at `url`; nothing is asked of it yet.

    Args:
        url: `file:///absolute/folder`, `s3://bucket/prefix` or `obs://bucket/prefix`.
        context: The context, or its name, whose endpoint and profile a bucket is reached with, where several could
            be meant; by default the one whose store it is.
        patience: Seconds that one operation may take with all its attempts; by default the store's own measure.

    Raises:
        UsageError: The URL is not a store's, or a setting is not valid.
        NotFoundError: The profile or the CA bundle that is named does not exist.
    """
    if url.partition("://")[0] in BUCKET_SCHEMES:
        from orchestrator.store.s3 import PATIENCE, S3Store, address_of

        address = address_of(url, context if isinstance(context, Context) else context_for(url, context))
        return S3Store(address, patience=PATIENCE if patience is None else patience)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _unknown(url) from error
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        from pathlib import Path

        from orchestrator.store.file import FileStore

        return FileStore(Path(unquote(parts.path)))
    raise _unknown(url)


def _unknown(url: str) -> UsageError:
    hint = "a folder is written as file:///absolute/path, a bucket as s3://bucket/prefix"
    return UsageError(f"{url!r} is not a store that mlctl can use", hint=hint)
