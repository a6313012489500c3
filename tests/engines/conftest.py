"""Tiny engines, built for real by uv from archives on disk: no network, a fraction of a second each."""

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from orchestrator.engines import Engine, get_engine
from tests.waiting import wait_until

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def make_wheel(folder: Path, name: str, version: str = "1.0", *, payload: bytes = b"", requires: str = "") -> str:
    """Put a pure-Python package into a folder; return its requirement."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py2.py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"version = {version!r}\n")
        archive.writestr(f"{name}/payload.bin", payload)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nrun-{name} = {name}:version.strip\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}=={version}"


def take_from(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip and uv find packages in a folder alone, and keep what they make beside it."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(wheels)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("UV_CACHE_DIR", str(wheels.parent / "uv-cache"))
    monkeypatch.setenv("MLCTL_CACHE", str(wheels.parent / "cache"))


class Workshop:
    """Makes packages and engines that need them."""

    def __init__(self, folder: Path) -> None:
        self.engines = folder / "engines"
        self.wheels = folder / "wheels"
        self.control = folder / "control"
        for part in (self.engines, self.wheels, self.control):
            part.mkdir()

    def wheel(self, name: str, version: str = "1.0", *, payload: bytes = b"", requires: str = "") -> str:
        """Put a pure-Python package beside the index; return its requirement."""
        return make_wheel(self.wheels, name, version, payload=payload, requires=requires)

    def source(self, *, before: str) -> str:
        """Make a package that runs the code `before` when it is built; return its requirement."""
        project = self.control.parent / "slow"
        project.mkdir()
        (project / "pyproject.toml").write_text(
            "[project]\nname = 'slow'\nversion = '1.0'\n"
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        )
        (project / "backend.py").write_text(
            "import os, pathlib, time, zipfile\n"
            f"control = pathlib.Path({str(self.control)!r})\n"
            "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
            f"{textwrap.indent(textwrap.dedent(before), '    ')}\n"
            "    name = 'slow-1.0-py3-none-any.whl'\n"
            "    with zipfile.ZipFile(pathlib.Path(folder, name), 'w') as archive:\n"
            "        archive.writestr('slow.py', '')\n"
            "        archive.writestr('slow-1.0.dist-info/METADATA', "
            "'Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n')\n"
            "        archive.writestr('slow-1.0.dist-info/WHEEL', "
            "'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
            "        archive.writestr('slow-1.0.dist-info/RECORD', '')\n"
            "    return name\n"
        )
        return f"slow @ {project.as_uri()}"

    def slow_source(self) -> str:
        """Make a package whose build tells its process id in `control/started` and waits for `control/go`."""
        return self.source(
            before="""
            (control / f"build-{os.getpid()}").touch()
            (control / "new").write_text(str(os.getpid()))
            (control / "new").replace(control / "started")
            deadline = time.time() + 60
            while not (control / "go").exists() and time.time() < deadline:
                time.sleep(0.02)
            """
        )

    def engine(self, *requirements: str, name: str = "tiny", python: str = PYTHON, more: str = "") -> Engine:
        """Define an engine."""
        folder = self.engines / name
        folder.mkdir(exist_ok=True)
        (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements))
        (folder / "engine.yaml").write_text(
            f"name: {name}\nframework: Tiny\nversion: '1'\ndescription: For a test\n"
            f"python: ['{python}']\nimages: {{cpu: example/tiny}}\n{more}"
        )
        return get_engine(name)

    def process(self, name: str = "tiny") -> subprocess.Popen[str]:
        """Start another process that wants the engine; it prints the notes, then the interpreter's path."""
        source = f"""
            from contextlib import nullcontext
            from orchestrator.engines import ensure_environment, get_engine
            class Printer:
                def note(self, message): print(message, flush=True)
                def bar(self, label, *, total, unit): return nullcontext(self)
                def advance(self, amount): pass
            print(ensure_environment(get_engine({name!r}), reporter=Printer()), flush=True)
        """
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def builder_pid(self) -> int:
        """Wait until a package of `slow_source` is being built; return the process that builds it."""
        wait_until((self.control / "started").exists)
        return int((self.control / "started").read_text())


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def workshop(tmp_path: Path, uv_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    made = Workshop(tmp_path)
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLCTL_ENGINES", str(made.engines))
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    # pip's settings, which uv itself ignores: that the packages are found proves the translation.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.wheels))
    return made


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
