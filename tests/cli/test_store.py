"""`mlctl store`: a bucket is served, reached as is said, and checked; one that is not good enough is refused."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.store.s3.profiles import own_credentials, read_profile
from orchestrator.store.serve import free_ports
from tests.cli.conftest import MLCTL, TIMEOUT, Run
from tests.store.servers import rclone_server

SUBJECTS = ["access", "write", "range", "conditional writes", "multipart", "checksums", "list", "delete", "clock"]


@contextmanager
def serving(folder: Path, port: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `mlctl store serve` inside the block, as a shell's background job; yield it and its first line."""
    command = [MLCTL, "store", "serve", "--dir", folder, "--port", str(port), "--bucket", "mlab"]
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_a_served_bucket_is_used_as_is_said_there(mlctl: Run, tmp_path: Path):
    (port,) = free_ports(1)
    with serving(tmp_path / "server", port) as (process, line):
        assert line.startswith(f"serving s3://mlab at http://127.0.0.1:{port}; ")
        secret = read_profile("mlctl-serve").keys[1]
        commands = [process.stderr.readline() for _ in range(4)]
        assert str(own_credentials()) in commands[0]
        for command in re.findall("mlctl (.+)", "".join(commands[1:])):
            done = mlctl(*command.split())
            assert done.returncode == 0, done.stderr
        assert re.findall(r"^ok +(\w+(?: writes)?) ", done.stdout, flags=re.MULTILINE) == SUBJECTS
        found = json.loads(mlctl("store", "check", "-o", "json").stdout)
        assert [(check["level"], check["subject"]) for check in found] == [("ok", subject) for subject in SUBJECTS]
        assert mlctl("store", "check", "-o", "name").stdout == ""
        assert secret not in str(found) + "".join(commands) + line
        other = mlctl("store", "serve", "--port", str(port), "--dir", str(tmp_path / "other"))
        assert other.returncode == 5 and "is taken" in other.stderr and "--port" in other.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    gone = mlctl("store", "check")
    assert gone.returncode == 7
    assert re.search(f"fail +access +cannot reach http://127.0.0.1:{port}", gone.stdout)
    assert "1 check failed" in gone.stderr


def test_a_bucket_name_that_is_none_is_told_and_nothing_is_left_running(mlctl: Run, tmp_path: Path):
    (port,) = free_ports(1)
    done = mlctl("store", "serve", "--dir", str(tmp_path / "server"), "--port", str(port), "--bucket", "a_B")
    assert done.returncode == 7 and "bucket a_B cannot be made" in done.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_server_that_overwrites_is_refused_with_the_reason(mlctl: Run, tmp_path: Path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    with rclone_server(tmp_path / "served") as endpoint:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
        assert mlctl("context", "add", "lab", "--store", "s3://ml/me", "--endpoint", endpoint).returncode == 0
        checked = mlctl("store", "check", "-c", "lab")
        assert checked.returncode == 7
        assert re.search(r"^ok +write ", checked.stdout, flags=re.MULTILINE)
        reason = rf"{endpoint} ignores conditional writes: \d of 4 writers created the same object at once"
        assert re.search(rf"^fail +conditional writes +{reason}", checked.stdout, flags=re.MULTILINE)
        assert "use a store with conditional writes" in checked.stdout
        assert "mlctl store check" in checked.stderr
        assert "conditional writes\n" in mlctl("store", "check", "-c", "lab", "-o", "name").stdout
        pushed = mlctl("dataset", "push", "data", "--name", "demo", "-c", "lab")
        assert pushed.returncode == 7
        assert re.search(reason, pushed.stderr) and "use a store with conditional writes" in pushed.stderr
        assert not list((tmp_path / "served").rglob("claim.json"))


def test_a_folder_is_checked(mlctl: Run):
    done = mlctl("store", "check")
    assert done.returncode == 0
    assert re.findall(r"^ok +(\w+(?: writes)?) ", done.stdout, flags=re.MULTILINE) == [
        subject for subject in SUBJECTS if subject not in ("multipart", "checksums", "clock")
    ]


def test_serve_without_seaweedfs(mlctl: Run, tmp_path: Path):
    """The installed program, in an environment that has no `weed`."""
    code = (
        "import sys; "
        "sys.executable = '/nowhere/python'; sys.argv = ['mlctl', 'store', 'serve']; "
        "from orchestrator.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/nowhere", "MLCTL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert "SeaweedFS is not installed" in done.stderr and "mlctl[s3-server]" in done.stderr
