"""Images: a name, and the environment that its containers begin with on this machine."""

import re
import sys
import threading
import time
from pathlib import Path

import msgspec

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME = re.compile(r"[a-z0-9]+([._:/@-]+[A-Za-z0-9_]+)*")


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What containers of an image find.

    Attributes:
        environment: Its variables; PATH decides which Python it has.
        entrypoint: What runs if the container names no command; a shell if this is empty.
        shell: Whether it has a `/bin/sh`; one without has nothing but its entrypoint.
        workdir: Where its commands start.
        pull_seconds: How long a node takes to get it.
    """

    environment: dict[str, str] = msgspec.field(default_factory=lambda: {"PATH": PATH})
    entrypoint: tuple[str, ...] = ()
    shell: bool = True
    workdir: str = "/"
    pull_seconds: float = 0.0


def ours() -> Image:
    """Give an image with the Python that runs the tests, and so with this project."""
    return Image(environment={"PATH": f"{Path(sys.executable).parent}:{PATH}"})


class PullError(Exception):
    """An image cannot be had.

    Attributes:
        reason: As the container's state tells it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Images:
    """The images that the nodes can get. A name that nobody has told of is an image with the machine's own programs."""

    def __init__(self) -> None:
        self._known: dict[str, Image] = {}
        self._wrong: dict[str, str] = {}
        self._present: set[str] = set()
        self._lock = threading.Lock()

    def add(self, name: str, image: Image) -> None:
        """Tell of an image."""
        self._known[name] = image
        self._wrong.pop(name, None)

    def break_off(self, name: str, why: str) -> None:
        """Let every pull of an image fail, with the registry's words."""
        self._wrong[name] = why
        self._present.discard(name)

    def repair(self, name: str) -> None:
        """Let an image be had again."""
        self._wrong.pop(name, None)

    def find(self, name: str) -> Image:
        """Give an image; one of the same name with another tag will do."""
        bare = re.split(r"[:@]", name.rpartition("/")[2])[0]
        return self._known.get(name) or self._known.get(bare) or Image()

    def is_present(self, node: str, name: str) -> bool:
        """Say whether a node has an image already."""
        return f"{node} {name}" in self._present and name not in self._wrong

    def pull(self, node: str, name: str, stop: threading.Event) -> float:
        """Get an image; gives the seconds it took.

        Raises:
            PullError: It cannot be had.
        """
        if not _NAME.fullmatch(name):
            bad = f'couldn\'t parse image name "{name}": invalid reference format'
            why = f'Failed to apply default image tag "{name}": {bad}'
            raise PullError("InvalidImageName", why)
        began = time.monotonic()
        stop.wait(self.find(name).pull_seconds)
        if name in self._wrong:
            raise PullError("ErrImagePull", self._wrong[name])
        with self._lock:
            self._present.add(f"{node} {name}")
        return time.monotonic() - began


def missing(name: str) -> str:
    """What containerd says of an image that the registry does not have."""
    whole = full(name)
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{whole}": failed to resolve reference '
        f'"{whole}": {whole}: not found'
    )


def denied(name: str) -> str:
    """What containerd says of an image that the registry does not give away."""
    whole = full(name)
    return (
        f'failed to pull and unpack image "{whole}": failed to resolve reference '
        f'"{whole}": pull access denied, repository does not exist or may require authorization: server message: '
        "insufficient_scope: authorization failed"
    )


def full(name: str) -> str:
    """Write an image's name with its registry and tag."""
    first, _, rest = name.partition("/")
    if not rest:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first:
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
