"""What is sent for files: a form, with pictures as the model takes them."""

import mimetypes
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import NotFoundError
from orchestrator.models.inputs import Picture, field_of, picture_of
from orchestrator.progress import Reporter
from orchestrator.services.ask import Request
from orchestrator.services.picture import Preparation, prepared


def request_of(
    files: Sequence[Path], config: Mapping[str, Any], prepare: Preparation, *, as_is: bool, reporter: Reporter
) -> Request:
    """Return what is sent for files of this machine.

    Args:
        files: The files.
        config: The model's config.json, which names the field, and says what pictures it takes.
        prepare: What is done to a picture in any case.
        as_is: Whether that is all, whatever config.json says.
        reporter: Told of what is done to a picture.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is no picture, and something is to be done to it; or config.json cannot be understood.
    """
    taken, contents = Picture() if as_is else picture_of(config), _contents_of(files)
    for name, content in contents.items():
        made = prepared(content, name, taken, prepare)
        contents[name] = made.data
        if made.done:
            reporter.note(f"{name} is sent {made.done}")
    return form_of(field_of(config), contents)


def form_of(field: str, files: Mapping[str, bytes]) -> Request:
    """Return a form with files, by their names, in one field."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, content in files.items():
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        shown = name.replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{shown}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Request(body, f"multipart/form-data; boundary={boundary}")


def _contents_of(files: Sequence[Path]) -> dict[str, bytes]:
    """Return what is in files, by their names."""
    try:
        return {path.name: path.read_bytes() for path in files}
    except OSError as error:
        raise NotFoundError(f"cannot read {error.filename}: {error.strerror}", hint="check the path") from error
