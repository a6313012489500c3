"""What a service's process is told: a file of JSON, read anew when it changes."""

from pathlib import Path
from typing import Annotated

import msgspec

from orchestrator.ports import HERE

FAILED = 3  # exit code of a service that could not begin; the last line that it says tells why
WITH_PARENT = "--with-parent"  # argument: the service ends when its stdin does
BODY = 12 << 20  # bytes of a request, as ModelArts has it
TIMEOUT = 40.0  # seconds for an answer, as ModelArts has it
QUEUE = 100  # requests that wait for a model's processes, beyond which they are turned away
CONNECTIONS = 10_000  # at once; an idle one has 8 KB


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A model version that the service has loaded.

    Attributes:
        model: Name of the model.
        number: Of the version.
        weight: Share of the requests, of all weights together.
        shadow: It gets a copy of every request that names no version; what it answers is only counted.
        folder: The package, on this machine.
        python: The engine's interpreter; empty is the front's own, with its packages. Unused where there is a host.
        packages: Folder of the packages that it needs and the engine lacks; empty if there are none.
        requirements: Folder of the pip-requirements.txt from which its process is to install them there; empty where
            they are there.
        provided: What the engine has under another name, as requirements.
        environment: Variables for it.
        host: Socket of the host that starts its processes, in a container that has the engine; empty is this machine.
        gpu: Number of the GPU; None is the processor.
    """

    model: str
    number: int
    weight: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100
    shadow: bool = False
    folder: str
    python: str = ""
    packages: str = ""
    requirements: str = ""
    provided: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    host: str = ""
    gpu: int | None = None

    @property
    def ref(self) -> str:
        """As in `digits/v3`."""
        return f"{self.model}/v{self.number}"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A service.

    Attributes:
        name: Of the service.
        revision: Tells these settings from all others of the service.
        models: What it answers with.
        tokens: SHA-256 (hex) of each token that lets a client in; without any, everybody is.
        host, port: Where it listens for HTTP.
        grpc_port: Where it listens for gRPC; 0 is nowhere.
        processes: Number of processes per model version.
        timeout: Seconds for an answer.
        head_timeout, body_timeout: Seconds that a client may take to send the headers of a request, and then the rest.
        body: Bytes of a request at most.
        queue: Requests that wait per model version at most.
        connections: Over HTTP, at once, at most; fewer if the process may not open so many files.
    """

    name: str
    revision: int = 0
    models: tuple[Deployed, ...]
    tokens: tuple[str, ...] = ()
    host: str = HERE
    port: int = 0
    grpc_port: int = 0
    processes: Annotated[int, msgspec.Meta(ge=1)] = 1
    timeout: Annotated[float, msgspec.Meta(gt=0)] = TIMEOUT
    head_timeout: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    body_timeout: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    body: Annotated[int, msgspec.Meta(gt=0)] = BODY
    queue: Annotated[int, msgspec.Meta(ge=0)] = QUEUE
    connections: Annotated[int, msgspec.Meta(ge=1)] = CONNECTIONS


def read_settings(path: Path) -> Settings:
    """Return the settings in a file. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=Settings)
