"""An image for the tests, without any registry: this machine's own Python and shell, with what they need."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NAME = f"localhost/mlctl-test:{os.getpid()}"
PROGRAMS = ("sh", "cat", "env", "sleep", "id")
_LEFT_OUT = {"site-packages", "test", "idlelib", "tkinter", "lib2to3", "__pycache__", "turtledemo"}


def container_program() -> str:
    """Return the name of a container program that works here; else the test is skipped."""
    for name in ("podman", "docker"):
        with suppress(FileNotFoundError):
            if subprocess.run([name, "info"], capture_output=True).returncode == 0:
                return name
    pytest.skip("there is no container program that works: apt install podman runc")


@contextmanager
def container_settings(folder: Path) -> Iterator[None]:
    """Have podman do with what it finds here, as in a container of its own, unless somebody has settled that."""
    if "CONTAINERS_CONF" in os.environ or shutil.which("runc") is None:
        yield
        return
    settings = folder / "containers.conf"
    settings.write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
    )
    os.environ["CONTAINERS_CONF"] = str(settings)
    yield
    del os.environ["CONTAINERS_CONF"]


@contextmanager
def make_image(folder: Path, *, shell: bool = True, name: str = NAME) -> Iterator[str]:
    """Give the name of an image, while it is there."""
    program = container_program()
    archive = folder / "rootfs.tar"
    with tarfile.open(archive, "w") as tar:
        _fill(tar, [*PROGRAMS] if shell else ["cat"])
    made = subprocess.run([program, "import", archive, name], capture_output=True, text=True)
    archive.unlink()
    assert made.returncode == 0, made.stderr
    yield name
    subprocess.run([program, "rmi", "--force", name], capture_output=True)


def _fill(tar: tarfile.TarFile, programs: list[str]) -> None:
    python = Path(sys.executable).resolve()
    library = Path(os.__file__).parent
    files = {f"usr/bin/{program}": Path(shutil.which(program) or "") for program in programs}
    files["usr/bin/python3"] = python
    for path in (path for path in library.rglob("*") if not _LEFT_OUT & set(path.parts)):
        if path.is_file() and path.suffix != ".a":
            files[f"usr/lib/{library.name}/{path.relative_to(library).as_posix()}"] = path
    needed = [str(path) for path in files.values() if path.suffix == ".so" or path.parent.name == "bin"]
    told = subprocess.run(["ldd", *needed], capture_output=True, text=True).stdout
    for library_path in set(re.findall(r"(/\S+\.so\S*) \(0x", told)):
        files[library_path.lstrip("/")] = Path(library_path)
    for target, source in files.items():
        tar.add(source.resolve(), target, recursive=False)
    for link, where in {"bin": "usr/bin", "usr/bin/python": "python3"}.items():
        info = tarfile.TarInfo(link)
        info.type, info.linkname = tarfile.SYMTYPE, where
        tar.addfile(info)
    for made in ("tmp", "proc", "sys", "dev", "etc"):
        info = tarfile.TarInfo(made)
        info.type, info.mode = tarfile.DIRTYPE, 0o1777 if made == "tmp" else 0o755
        tar.addfile(info)
