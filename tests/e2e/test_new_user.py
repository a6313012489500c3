"""A new user with an empty home does what the pages say, in their order, and gets what they promise.

The last commit is cloned and installed in a virtual environment of its own. With MLCTL_TEST_CACHE, a
folder, engine environments and downloads are taken from there, and kept there, instead of made anew.
"""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.pages import PAGES, ROOT, blocks

INSTALL, *LATER = [line for page in PAGES for block in blocks(page, "sh") for line in block.commands]
PYTHON = [block for page in PAGES for block in blocks(page, "python")]
KEPT = ("PATH", "LANG", "LC_", "PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
KEPT += ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PATIENCE = 900  # seconds for one command
ACCURACY = 0.97  # what the original walk-through reaches
STAYS = (". ", "cd ", "export ")  # what changes the shell that the next commands run in

SHOWS = {  # by the start of a command: what it must print
    "mlctl logs -f": [r"Epoch\[0\] Train-accuracy=0\.8", r"V0002 SUCCEEDED"],
    "mlctl job list mnist-mxnet": [r"V0002 +SUCCEEDED", r"V0001 +SUCCEEDED"],
    "mlctl job get mnist-mxnet -v v1": [r"State +SUCCEEDED", r"num_epochs=8", r"Output +14 files"],
    "mlctl job metrics mnist-mxnet --plot": [r"validation_accuracy"],
    "mlctl job compare mnist-mxnet v1 v2": [r"num_epochs +8 +1", r"validation_accuracy .*\*"],
    "mlctl job outputs": [r"V0002: 7 files"],
    "mlctl dataset import": [r"fashion-mnist/V0001"],
    "mlctl dataset push ./model": [r"my-data/V0001"],
    "mlctl store check -c serve": [r"ok +access .*path style", r"ok +conditional writes ", r"ok +clock "],
    "mlctl dataset get specs -c serve": [r"Dataset +specs/V0001"],
    "mlctl dataset verify": [r"my-data/V0001 is whole"],
    "mlctl deploy mnist-mxnet --version v1": [r"State +RUNNING", r"mnist-mxnet/v1 100%, mxnet-1\.9"],
    "mlctl predict": [r'"predicted_label": "7"'],
    "mlctl service test": [r"Right +(9\d|100) of 100"],
    "mlctl deploy mnist-mxnet --version v2": [r"mnist-mxnet/v1 90%", r"mnist-mxnet/v2 10%"],
    "mlctl sweep create job_specs/sweep-mnist-tensorflow.yaml --yes": [r"SUCCEEDED trial 8 "],
    "mlctl sweep get": [
        r"8 succeeded",
        r"adam +0\.5 +1500 +0\.[3-6]",
        r"8\* +V0008 +SUCCEEDED +adam +0\.01 +3000 +0\.9",
    ],
    "mlctl sweep best": [r"State +RUNNING", r"mnist-tensorflow-softmax/v8 100%"],
    "mlctl service rollback": [r"Versions +mnist-mxnet/v1 100%"],
    "mlctl batch create": [r"Answered +1", r"Failed +0"],
    "mlctl service delete mnist-mxnet": [r"mnist-mxnet deleted"],
    "mlctl doctor": [r"ok +engine mxnet-1.9 +ready"],
}

PRINTS = {  # by page: how what its Python prints begins
    "README.md": "SUCCEEDED ['metrics.json', ",
    "docs/models.md": "mnist-mxnet/V0003",
}

pytestmark = pytest.mark.journey


class User:
    """Somebody with an empty home and a clone of the project in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clone = home / "mlctl"
        self.stays: list[str] = []
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        self.environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        self.environment |= {"HOME": str(home), "TERM": "dumb"}
        if cache := os.environ.get("MLCTL_TEST_CACHE"):
            self.environment["MLCTL_CACHE"] = cache
        # Where packages come from is a matter of the machine, and written in the home of its user.
        for settings in (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
            if settings.is_file():
                self.environment.setdefault("PIP_CONFIG_FILE", str(settings))

    def end(self) -> None:
        """End what a page has started and has not ended: a service, the S3 server."""
        mlctl = self.clone / ".venv/bin/mlctl"
        if mlctl.exists():
            subprocess.run([mlctl, "service", "delete", "mnist-mxnet", "--yes"], env=self.environment)
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.clone / "serve.pid").read_text()), signal.SIGTERM)

    def run(self, line: str) -> str:
        """Run a line of shell in the clone and return all that it printed; it must end well."""
        script = "\n".join(["set -e", *self.stays, line])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        print(f"$ {line}\n{done.stdout}")
        assert done.returncode == 0, f"{line}: exit code {done.returncode}\n{done.stdout}"
        if line.startswith(STAYS):
            self.stays.append(line)
        return done.stdout


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    user = User(tmp_path_factory.mktemp("home"))
    yield user
    user.end()


@pytest.fixture(scope="module")
def first(user: User) -> str:
    """What the README's first command printed."""
    printed = user.run(INSTALL)
    user.run(". .venv/bin/activate")
    return printed


def output_folder(printed: str, files: int) -> Path:
    """Return the folder that the end of a followed job names."""
    found = re.search(rf"^output: {files} files, .* in (/.*/)$", printed, flags=re.MULTILINE)
    assert found, printed
    return Path(found[1])


def test_the_first_command_trains_mnist(first, user):
    assert re.search(r"^mnist-mxnet/V0001 SUCCEEDED after ", first, flags=re.MULTILINE)
    assert float(re.findall(r"Epoch\[7\] Train-accuracy=([\d.]+)", first)[0]) >= ACCURACY
    folder = output_folder(first, files=14)
    assert folder.is_relative_to(user.home)
    assert (folder / "metrics.json").is_file()
    assert {path.name for path in (folder / "model").iterdir()} == {
        "config.json",
        "customize_service.py",
        "mnist-symbol.json",
        "mnist-0000.params",
    }
    assert len(list(folder.glob("mnist-*.params"))) == 8


def test_every_other_command_works(first, user):
    lines = [line for line in LATER if not line.startswith("python3 -m venv")]
    assert lines[0] == ". .venv/bin/activate" and len(lines) > 10
    missed = set(SHOWS)
    for line in lines:
        printed = user.run(line)
        for start, patterns in SHOWS.items():
            if line.startswith(start):
                missed.discard(start)
                for pattern in patterns:
                    assert re.search(pattern, printed), f"{line} did not show {pattern}"
    assert not missed
    assert (user.clone / "model" / "model" / "mnist-0000.params").is_file()


def test_the_python_examples_work(first, user):
    for block in PYTHON:
        printed = user.run(f"python -c {shlex.quote(block.text)}")
        assert printed.startswith(PRINTS[block.page])


def test_pytorch_trains_mnist(first, user):
    printed = user.run("mlctl job create job_specs/mnist-pytorch.yaml --follow")
    assert re.search(r"^mnist-pytorch/V0001 SUCCEEDED after ", printed, flags=re.MULTILINE)
    assert float(re.findall(r"Epoch\[3\] Train-accuracy=([\d.]+)", printed)[0]) >= ACCURACY
    folder = output_folder(printed, files=9)
    assert (folder / "model" / "mnist.pt").is_file()


def test_the_clone_stays_as_it_was(first, user):
    assert user.run("git status --porcelain --untracked-files=no") == ""
