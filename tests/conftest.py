"""Every test runs in a home of its own; the cache of engine environments and downloads is shared."""

import compileall
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import orchestrator
from orchestrator import config, ports
from orchestrator.store import serve
from tests.buckets import PROFILE, Bucket, open_bucket

# Tests are not about how fast a machine is, and CI's may be busy.
# What CI finds can be found again: it draws the same examples each time, everybody else draws new ones.
SAME = bool(os.environ.get("MLCTL_TEST_SAME"))
settings.register_profile("busy", deadline=None, derandomize=SAME, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Compile everything once, as the tests start Python thousands of times, some where it may not write bytecode.

    And give each worker ports of its own: they are chosen a moment before somebody listens there. And let Ctrl-C
    reach what tests interrupt: what a shell starts in the background ignores it, and so does all that it starts.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        for folder in (Path(__file__).parent, Path(orchestrator.__file__).parent):
            compileall.compile_dir(folder, quiet=2)
        return
    workers = config.workerinput["workercount"]
    width = len(serve.PORTS) // workers
    first = width * (int(config.workerinput["workerid"].removeprefix("gw")) % workers)
    serve.PORTS = serve.PORTS[first : first + width]
    ports.FIRST, ports.BEHIND = (port + serve.GRPC_OFFSET for port in (serve.PORTS.start, serve.PORTS.stop))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test its own MLCTL_HOME, and no keys to any bucket."""
    monkeypatch.setenv("MLCTL_CACHE", str(config.cache_dir()))
    monkeypatch.setenv("MLCTL_HOME", str(tmp_path / "mlctl-home"))
    monkeypatch.delenv("MLCTL_CONTEXT", raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path / "mlctl-home"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Give the session's bucket."""
    with open_bucket(tmp_path_factory.mktemp("s3")) as bucket:
        yield bucket


@pytest.fixture
def own_s3(s3: Bucket) -> Bucket:
    """Give the session's bucket, whose server was started here."""
    if not s3.own:
        pytest.skip("this test needs a server of its own")
    return s3


@pytest.fixture
def bucket_url(s3: Bucket, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URL of an empty prefix in the bucket, and the keys in the environment."""
    for name, value in {**s3.environment, "AWS_ENDPOINT_URL": s3.endpoint}.items():
        monkeypatch.setenv(name, value)
    # What conditional writes are worth there is proven once for all tests.
    if (s3.home / "stores").exists():
        shutil.copytree(s3.home / "stores", home / "stores")
    else:
        from orchestrator.store import open_store

        open_store(f"s3://{s3.name}/proof").put_if_absent(secrets.token_hex(8), b"")
        shutil.copytree(home / "stores", s3.home / "stores")
    return f"s3://{s3.name}/test-{secrets.token_hex(8)}"


@pytest.fixture(params=["folder", "bucket"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty store, of each kind in turn."""
    return (tmp_path / "store").as_uri() if request.param == "folder" else request.getfixturevalue("bucket_url")


@pytest.fixture(params=["folder", "bucket"])
def each_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test in a context with a folder, then in one with a bucket and its keys in a profile; give its name."""
    if request.param == "folder":
        return config.DEFAULT_CONTEXT
    url, s3 = request.getfixturevalue("bucket_url"), request.getfixturevalue("s3")
    for name in (*s3.environment, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    (tmp_path / "aws-credentials").write_text(
        f"[{PROFILE}]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in s3.environment.items())
    )
    config.add_context(config.Context(name="lab", store=url, endpoint=s3.endpoint, profile=PROFILE))
    monkeypatch.setenv("MLCTL_CONTEXT", "lab")
    return "lab"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a function that mounts a file system of its own in memory, with mount options such as `size=1m` or `ro`."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"a file system cannot be mounted here: {made.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
