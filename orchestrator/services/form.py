"""What is sent for files, by `predict`, batches and trials alike: a form, with pictures as the model takes them."""

import mimetypes
import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from orchestrator.errors import NotFoundError
from orchestrator.models.inputs import Picture, field_of, picture_of
from orchestrator.services.ask import Request
from orchestrator.services.picture import AS_IT_IS, Preparation, prepared


class Made(NamedTuple):
    """What is sent for files.

    Attributes:
        request: It.
        done: What was done to pictures, in words, by the names of their files.
    """

    request: Request
    done: dict[str, str]


class Changed(msgspec.Struct, frozen=True):
    """What was done to many pictures on their way.

    Attributes:
        files: Number of those to which something was done.
        steps: What, and to how many.
    """

    files: int = 0
    steps: dict[str, int] = {}

    @property
    def words(self) -> str:
        """As in `3 files: in shades of gray (1), 28 x 28 pixels (3)`; empty if nothing was done."""
        steps = ", ".join(f"{step} ({number})" for step, number in self.steps.items())
        return f"{self.files} file{'s' * (self.files != 1)}: {steps}" if self.files else ""


class Forms:
    """Makes what is sent for files, and counts what is done to them; may be used by several threads.

    Args:
        config: The model's config.json, which names the field, and says what pictures it takes.
        prepare: What is done to a picture in any case.
        as_is: Whether that is all, whatever config.json says.

    Raises:
        UsageError: What config.json says of pictures cannot be understood.
    """

    def __init__(self, config: Mapping[str, Any], prepare: Preparation = AS_IT_IS, *, as_is: bool = False) -> None:
        self._field = field_of(config)
        self._taken = Picture() if as_is else picture_of(config)
        self._prepare = prepare
        self._files = 0
        self._steps: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def changed(self) -> Changed:
        """What was done so far."""
        with self._lock:
            return Changed(self._files, dict(self._steps))

    def make(self, files: Mapping[str, bytes]) -> Made:
        """Return what is sent for files, given by their names.

        Raises:
            UsageError: One is no picture, and something is to be done to it.
        """
        made = {name: prepared(content, name, self._taken, self._prepare) for name, content in files.items()}
        done = {name: one.done for name, one in made.items() if one.steps}
        with self._lock:
            self._files += len(done)
            self._steps.update(step.what for one in made.values() for step in one.steps)
        return Made(form_of(self._field, {name: one.data for name, one in made.items()}), done)


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


def contents_of(files: Sequence[Path]) -> dict[str, bytes]:
    """Return what is in files of this machine, by their names. Raises NotFoundError."""
    try:
        return {path.name: path.read_bytes() for path in files}
    except OSError as error:
        raise NotFoundError(f"cannot read {error.filename}: {error.strerror}", hint="check the path") from error
