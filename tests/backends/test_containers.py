"""Jobs in containers of this machine: as in the engine's environment, and nothing of them is left behind."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.backends.local.containers import client_environment, find_program, run_command
from orchestrator.backends.local.rundir import Contained, RunDir, holder
from orchestrator.errors import PreflightError
from orchestrator.runtime.task import Task
from tests.backends.container_image import NAME, container_program, container_settings, make_image
from tests.engines.conftest import make_wheel
from tests.jobs.conftest import Project, processes_of, project, run_of
from tests.waiting import wait_until

__all__ = ["project"]

TASK = Task(
    job="a", version="V0001", store="s", prefix="p/", code_key="c", code_name="code", boot_file="main.py",
    output_store="s", output_prefix="o/", cpus=4, memory=1 << 30,
)  # fmt: skip


def test_secrets_are_not_on_the_command_line():
    told = {"TOKEN": "hidden-value", "PATH": "/image/bin", "PYTHONPATH": "/code"}
    place = Contained(program="podman", image="i")
    argv = run_command(place, RunDir("r"), TASK, ["main.py"], told, user=(1000, 100), processors=2)
    assert "hidden-value" not in " ".join(argv)
    assert argv[argv.index("TOKEN") - 1] == "--env"
    assert "PATH=/image/bin" in argv  # the program's own stays its own
    client = client_environment(told, {"PATH": "/usr/bin", "HOME": "/home/me"})
    assert (client["TOKEN"], client["PATH"], client["HOME"]) == ("hidden-value", "/usr/bin", "/home/me")


def test_limits_and_user_are_the_programs_arguments():
    argv = run_command(
        Contained(program="podman", image="i"), RunDir("r"), TASK, ["main.py"], {}, user=(1000, 100), processors=2
    )
    for name, value in {"--memory": f"{1 << 30}b", "--cpus": "2", "--user": "1000:100", "--userns": "keep-id"}.items():
        assert argv[argv.index(name) + 1] == value
    root = run_command(Contained(program="docker", image="i"), RunDir("r"), TASK, [], {}, user=(0, 0), processors=8)
    assert "--userns" not in root and root[root.index("--cpus") + 1] == "4"


@pytest.fixture
def no_program(tmp_path, monkeypatch):
    """Leave no container program on the PATH."""
    find_program.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield tmp_path
    find_program.cache_clear()


def test_without_a_program_that_is_said_before_anything_is_made(no_program, project):
    with pytest.raises(PreflightError, match="there is no podman or docker on the PATH"):
        project.create(runtime="container")
    assert not project.client.jobs.list()


def test_a_program_without_its_daemon_is_not_taken(no_program, project):
    docker = no_program / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\n")
    docker.chmod(0o755)
    with pytest.raises(PreflightError, match="docker does not work: Cannot connect to the Docker daemon"):
        project.create(runtime="container")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    with container_settings(tmp_path_factory.mktemp("settings")):
        container_program()
        with make_image(tmp_path_factory.mktemp("image")) as name:
            yield name


@pytest.fixture
def contained(project: Project, image: str) -> Project:
    """Give a project whose jobs run in containers of the test's image."""
    use_image(project, image)
    project.write(runtime="container")
    find_program.cache_clear()
    return project


def use_image(project: Project, image: str) -> None:
    engine = Path(os.environ["MLCTL_ENGINES"], "plain-1", "engine.yaml")
    engine.write_text(engine.read_text().replace("example/plain", image))


def left() -> list[str]:
    """Return the containers of jobs that there are."""
    command = [find_program(), "ps", "--all", "--filter", "name=mlctl-", "--format", "{{.Names}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.journey
def test_a_script_runs_in_the_image_with_the_same_folders(contained, tmp_path, monkeypatch):
    (contained.folder / "data").mkdir()
    (contained.folder / "data" / "words").write_text("to read")
    contained.script("""
        import getpass, json
        open(os.path.join(train_url, "made"), "w").write(open(os.path.join(data_url, "words")).read())
        open("/cache/scratch", "w").close()
        seen = {"user": os.getuid(), "name": getpass.getuser(), "own": os.environ["OWN"], "host": "HOST" in os.environ}
        print(json.dumps(seen | {"folder": os.getcwd(), "root": os.listdir("/")}))
    """)
    monkeypatch.setenv("HOST", "not for containers")
    view = contained.run(data="./data", env={"OWN": "a b\n$c"})
    assert view.status.state == "SUCCEEDED", view.status
    seen = json.loads(contained.log(view))
    assert (seen["user"], seen["own"], seen["host"]) == (os.getuid(), "a b\n$c", False)
    assert seen["folder"].endswith("work/user-job-dir") and "cache" in seen["root"] and "home" not in seen["root"]
    contained.client.jobs.pull_outputs("demo", "v1", tmp_path / "pulled")
    assert (tmp_path / "pulled" / "made").read_text() == "to read"
    assert view.status.peak_memory > 1 << 20 and view.status.cpu_seconds > 0
    wait_until(lambda: not left() and not run_of(view).folder.exists())


@pytest.mark.journey
def test_how_it_ends_is_told_as_anywhere(contained):
    contained.script("sys.exit(3)")
    assert contained.run().status.message == "the script failed with exit code 3"
    contained.script("os.kill(os.getpid(), 11)")
    assert contained.run().status.message == "the script failed with SIGSEGV"
    contained.script("held = []\nwhile True: held.append(b'x' * (10 << 20))")
    status = contained.run(resources={"cpus": 1, "memory": "100Mi"}).status
    assert (status.reason, status.signal) == ("OutOfMemory", "SIGKILL")
    contained.script("time.sleep(600)")
    assert contained.run(max_duration="2s").status.reason == "Timeout"
    wait_until(lambda: not left())


@pytest.mark.journey
def test_cancelling_sends_sigterm_to_the_script(contained):
    contained.script("""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), sys.exit(0)))
        print("ready", flush=True)
        time.sleep(600)
    """)
    view = contained.create()
    contained.wait_for_log(view, b"ready")
    inside = contained.client.jobs.session("demo", command=["env"], terminal=False)
    assert f"MLCTL_RUN_ID={view.record.run}" in subprocess.run(inside.argv, capture_output=True, text=True).stdout
    assert contained.client.jobs.cancel("demo").status.state == "CANCELLED"
    assert contained.log(view) == b"ready\nasked to end\n"
    wait_until(lambda: not left())


@pytest.mark.journey
@pytest.mark.parametrize("victim", ["supervisor", "guard", "both", "program"])
def test_whoever_is_killed_no_container_stays(contained, victim):
    contained.script("""
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        print("ready", flush=True)
        time.sleep(600)
    """)
    view = contained.create()
    contained.wait_for_log(view, b"ready")
    run = run_of(view)
    supervisor = holder(run)
    guards = [pid for pid in children(supervisor) if "guard.py" in command_line(pid)]
    programs = [child for pid in guards for child in children(pid) if find_program() in command_line(child)]
    victims = {"supervisor": [supervisor], "guard": guards, "both": [supervisor, *guards], "program": programs[:1]}
    assert guards and programs
    for pid in victims[victim]:
        os.kill(pid, signal.SIGKILL)
    status = wait_until(lambda: (now := contained.client.jobs.get("demo").status).state.finished and now)
    assert status.reason == ("SupervisorLost" if victim in ("supervisor", "both") else "Killed")
    assert contained.log(view) == b"ready\n"
    wait_until(lambda: not left() and not processes_of(view.record.run))


@pytest.mark.journey
def test_a_container_ends_by_itself_when_nobody_is_left(contained):
    contained.script("print('ready', flush=True); time.sleep(600)")
    view = contained.create()
    contained.wait_for_log(view, b"ready")
    supervisor = holder(run_of(view))
    for pid in [supervisor, *(pid for pid in children(supervisor) if "guard.py" in command_line(pid))]:
        os.kill(pid, signal.SIGKILL)
    mark = f"MLCTL_RUN_ID={view.record.run}".encode()
    wait_until(lambda: not [pid for pid in processes_of(view.record.run) if mark in environment(pid)])
    status = wait_until(lambda: (now := contained.client.jobs.get("demo").status).state.finished and now)
    assert status.reason == "SupervisorLost"


@pytest.mark.journey
def test_workers_in_containers_find_each_other(contained):
    contained.script("""
        import socket
        address, me = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])), os.environ["RANK"]
        if me == "0":
            print(socket.create_server(address).accept()[0].recv(9))
        else:
            while True:
                try: socket.create_connection(address).sendall(b"hello")
                except OSError: time.sleep(0.1); continue
                break
    """)
    view = contained.run(resources={"nodes": 2})
    assert view.status.state == "SUCCEEDED", contained.log(view)
    assert contained.log(view, worker=0) == b"b'hello'\n"
    wait_until(lambda: not left())


@pytest.mark.journey
def test_packages_are_installed_once_by_the_images_own_pip(contained, monkeypatch, tmp_path):
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    wheels = contained.folder / "code" / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "beta")
    asked = contained.folder / "code" / "pip-requirements.txt"
    asked.write_text("--find-links ./wheels\nbeta\n")
    contained.script("import beta, shutil; print(beta.version, bool(shutil.which('run-beta')))")
    contained.write(env={"PIP_NO_INDEX": "1"})
    for _ in range(2):
        view = contained.run()
        assert contained.log(view) == b"mlctl: pip-requirements.txt adds beta-1.0\n1.0 True\n"
    assert len(list((tmp_path / "cache" / "layers").glob("image-*/lib"))) == 1
    asked.write_text("nowhere\n")
    with pytest.raises(PreflightError, match="No matching distribution found for nowhere"):
        contained.run()
    wait_until(lambda: not left())


@pytest.mark.journey
def test_images_that_cannot_be_used_are_named(contained, tmp_path):
    use_image(contained, NAME)
    engine = Path(os.environ["MLCTL_ENGINES"], "plain-1", "engine.yaml")
    there = engine.read_text()
    engine.write_text(there.replace(NAME, "localhost/mlctl-nowhere:1"))
    with pytest.raises(Exception, match="the image localhost/mlctl-nowhere:1 is not on this machine") as caught:
        contained.create()
    assert caught.value.hint == "build it: mlctl images build plain-1"
    with make_image(tmp_path, shell=False, name=f"{NAME}-bare") as bare:
        engine.write_text(there.replace(NAME, bare))
        status = contained.run().status
    assert (status.state, status.reason) == ("FAILED", "NoShell"), status.message
    wait_until(lambda: not left())


def children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
