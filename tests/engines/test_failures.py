"""What goes wrong while an environment is built, in words that say what to do."""

import platform
import re
import socket
import threading
from pathlib import Path

import pytest
import uv

from orchestrator.engines import Engine, EngineBuildError, ensure_environment, environment_state
from orchestrator.engines.environment import environment_path
from orchestrator.errors import PermissionDeniedError
from tests.engines.conftest import Workshop

MEGABYTE = 1 << 20


def failure(engine: Engine) -> EngineBuildError:
    with pytest.raises(EngineBuildError) as caught:
        ensure_environment(engine)
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert not environment_state(engine).ready
    assert not environment_path(engine).exists()
    return caught.value


def test_no_accepted_python(workshop: Workshop):
    error = failure(workshop.engine(workshop.wheel("alpha"), python="3.98', '3.99"))
    assert "needs Python 3.98 or 3.99" in error.message
    assert "install Python 3.98" in error.hint
    assert "container image (example/tiny)" in error.hint


@pytest.mark.skipif(platform.machine() != "x86_64", reason="nobody has built that Python for this processor")
def test_a_python_that_uv_lists_no_more_is_fetched_all_the_same(workshop: Workshop, tmp_path: Path, monkeypatch):
    """And what is on the PATH under its name, but does not work, is not what is complained of."""
    broken = tmp_path / "programs" / "python3.7"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    for name, value in {"PATH": str(broken.parent), "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    error = failure(workshop.engine(workshop.wheel("alpha"), python="3.7"))
    assert "fetching one failed" in error.message
    assert re.search(r"http://127\.0\.0\.1:9/\d+/cpython-3\.7\.9-x86_64-", error.message)


def test_another_python_than_ours_is_found(workshop: Workshop):
    """The first version is nowhere, so the second is taken."""
    engine = workshop.engine(workshop.wheel("alpha"), python="3.98', '3.11', '3.12', '3.13")
    ensure_environment(engine)
    assert environment_state(engine).python in ("3.11", "3.12", "3.13")


def test_the_index_cannot_be_reached(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    error = failure(workshop.engine("some-package==1.0"))
    assert "cannot be downloaded" in error.message
    assert "http://127.0.0.1:9/some-package/" in error.message
    assert "PIP_INDEX_URL" in error.hint


def test_the_index_lacks_a_version(workshop: Workshop):
    workshop.wheel("alpha", "1.0")
    error = failure(workshop.engine("alpha==7.7"))
    assert "alpha==7.7" in error.message
    assert "requirements.txt" in error.message


def test_a_missing_torch_build_is_looked_for_where_pytorch_publishes_it(workshop: Workshop, monkeypatch):
    """The user's index answers first; it is asked through a proxy that refuses everything else."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096).decode().split("\r\n")[0])
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        # An index of the user's own, on disk, that knows torch but not this build of it.
        index = workshop.control / "simple" / "torch"
        index.mkdir(parents=True)
        workshop.wheel("torch", "9.9.9")
        wheel = workshop.wheels / "torch-9.9.9-py2.py3-none-any.whl"
        (index / "index.html").write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>')
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", index.parent.as_uri())
        failure(workshop.engine("torch==9.9.9+cpu"))
        assert asked == []
        error = failure(workshop.engine("torch==9.9.9+cpu", more="local: {torch_backend: cpu}\n"))
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert [line.split()[1] for line in asked] == ["download.pytorch.org:443"]
    assert "download.pytorch.org" in error.message
    ensure_environment(workshop.engine("torch==9.9.9", more="local: {torch_backend: cpu}\n"))
    assert len(asked) == 1  # the user's index has this one


def test_the_disk_is_full(workshop: Workshop, small_disk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLCTL_CACHE", str(small_disk("size=1m")))
    engine = workshop.engine(workshop.wheel("big", payload=bytes(3 * MEGABYTE)))
    error = failure(engine)
    assert "disk is full" in error.message
    assert "MLCTL_CACHE" in error.hint
    monkeypatch.setenv("MLCTL_CACHE", str(small_disk("size=8m")))
    assert ensure_environment(engine).exists()


def test_the_cache_is_read_only(workshop: Workshop, small_disk, monkeypatch: pytest.MonkeyPatch):
    disk = small_disk("ro")
    monkeypatch.setenv("MLCTL_CACHE", str(disk / "cache"))
    with pytest.raises(PermissionDeniedError, match=str(disk)) as caught:
        ensure_environment(workshop.engine(workshop.wheel("alpha")))
    assert "MLCTL_CACHE" in caught.value.hint


def test_the_cache_is_no_folder(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(PermissionDeniedError, match=str(tmp_path / "file")):
        ensure_environment(workshop.engine(workshop.wheel("alpha")))


def test_a_file_is_not_the_one_that_was_locked(workshop: Workshop):
    error = failure(workshop.engine(f"{workshop.wheel('alpha')} --hash=sha256:{'0' * 64}"))
    assert "Hash mismatch" in error.message
    assert "network" not in error.hint


def test_a_package_that_does_not_build_shows_its_last_words(workshop: Workshop):
    error = failure(workshop.engine(workshop.source(before="raise SystemExit('no compiler for slow')")))
    assert "no compiler for slow" in error.message


def test_uv_is_missing(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    def nothing() -> str:
        raise FileNotFoundError("/nowhere/uv")

    monkeypatch.setattr(uv, "find_uv_bin", nothing)
    assert "uv is missing" in failure(workshop.engine()).message


def test_an_engine_that_does_not_work_here_says_why(workshop: Workshop):
    """As on a machine without a system library that a wheel expects."""
    check = "import alpha, ctypes; ctypes.CDLL('libnowhere.so.7')"
    engine = workshop.engine(
        workshop.wheel("alpha"), more=f'local: {{check: "{check}", check_hint: apt install nowhere}}\n'
    )
    error = failure(engine)
    assert "libnowhere.so.7" in error.message
    assert error.hint == "apt install nowhere"
