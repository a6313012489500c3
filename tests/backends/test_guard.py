"""The guard leaves no process behind, and always tells how the script ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.backends.local.rundir import RunDir, acquire, is_looked_after
from orchestrator.backends.local.script import RunningScript
from orchestrator.backends.local.usage import tree_memory
from tests.waiting import SECONDS, wait_until


class Guarded:
    """A run whose script is the given Python source."""

    def __init__(self, source: str) -> None:
        self.run = RunDir("test-run")
        self.run.workspace.make()
        self.lock = acquire(self.run)
        environment = {"PATH": os.environ["PATH"], "OUT": str(self.run.folder)}
        self.script = RunningScript(self.run, [sys.executable, "-c", source], environment, self.lock)

    def wait_for(self, name: str) -> str:
        path = self.run.folder / name
        wait_until(lambda: path.exists() and path.read_text())
        return path.read_text()

    def log(self) -> bytes:
        log = self.run.workspace.log
        return log.read_bytes() if log.exists() else b""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


SAY_PID = "import os,pathlib; out=pathlib.Path(os.environ['OUT']); (out/'pid').write_text(str(os.getpid()));"
DAEMON = (
    "import os,pathlib,subprocess,sys,time; out=pathlib.Path(os.environ['OUT']);"
    "daemon=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)'],start_new_session=True);"
    "(out/'pid').write_text(str(daemon.pid));"
)
# Deaf by the time that it is seen to run.
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN);" + DAEMON + "time.sleep(60)"


def test_exit_code_output_and_usage_are_recorded():
    guarded = Guarded("import sys; print('out'); print('err', file=sys.stderr); sum(range(10**7)); sys.exit(3)")
    assert guarded.script.ended(SECONDS)
    end = guarded.script.result()
    assert (end.cause, end.code, end.signal) == ("exit", 3, 0)
    assert end.cpu_seconds > 0.05
    assert end.peak_memory > 1_000_000
    assert end.started <= end.finished
    assert sorted(guarded.log().splitlines()) == [b"err", b"out"]


def test_a_command_that_is_not_there_is_told():
    run = RunDir("test-run")
    run.workspace.make()
    script = RunningScript(run, ["/no/such/python"], {}, acquire(run))
    assert script.ended(SECONDS)
    assert script.result().cause == "not-started"
    assert "/no/such/python" in script.result().error


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_death_by_signal(number):
    guarded = Guarded(f"import os; os.kill(os.getpid(), {int(number)})")
    assert guarded.script.ended(SECONDS)
    assert (guarded.script.result().code, guarded.script.result().signal) == (None, number)


def test_terminate_reaches_the_script():
    source = (
        "import signal,sys,time;"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(7)));"
        "print('ready', flush=True); time.sleep(60)"
    )
    guarded = Guarded(source)
    wait_until(lambda: b"ready" in guarded.log())
    guarded.script.terminate()
    assert guarded.script.ended(SECONDS)
    assert guarded.script.result().code == 7
    assert b"bye" in guarded.log()


def test_kill_takes_daemons_along():
    guarded = Guarded(STUBBORN)
    daemon = int(guarded.wait_for("pid"))
    assert alive(daemon)
    guarded.script.terminate()
    guarded.script.kill()
    assert guarded.script.result().signal == signal.SIGKILL
    assert not alive(daemon)


def test_daemons_do_not_outlive_a_script_that_ends():
    guarded = Guarded(DAEMON + "print('done')")
    assert guarded.script.ended(SECONDS)
    assert guarded.script.result().code == 0
    assert not alive(int(guarded.wait_for("pid")))


def test_a_killed_guard_takes_the_script_along():
    guarded = Guarded(DAEMON + "time.sleep(60)")
    daemon = int(guarded.wait_for("pid"))
    os.kill(guarded.script.pid, signal.SIGKILL)
    assert guarded.script.ended(SECONDS)
    assert guarded.script.result().signal == signal.SIGKILL
    wait_until(lambda: not alive(daemon))


def test_a_killed_supervisor_takes_everything_along_and_the_lock_is_held_until_then():
    source = (
        "import sys,time; from pathlib import Path; sys.path.insert(0, 'tests/backends');"
        "from test_guard import Guarded, STUBBORN; guarded = Guarded(STUBBORN); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    supervisor = subprocess.Popen([sys.executable, "-c", source], cwd=root)
    run = RunDir("test-run")
    wait_until(lambda: (run.folder / "pid").exists() and (run.folder / "pid").read_text())
    daemon = int((run.folder / "pid").read_text())
    supervisor.kill()
    supervisor.wait()
    assert is_looked_after(run)  # by the guard, which lets the script save itself first
    wait_until(lambda: not is_looked_after(run))
    assert not alive(daemon)
    end = run.exit()
    assert (end.cause, end.signal) == ("lost", signal.SIGKILL)


def test_memory_of_the_whole_tree_is_seen():
    source = (
        "import os,subprocess,sys,time;"
        "subprocess.Popen([sys.executable,'-c','x=bytearray(80_000_000); import time; time.sleep(60)']);"
        "time.sleep(60)"
    )
    guarded = Guarded(source)
    wait_until(lambda: tree_memory(guarded.script.pid) > 80_000_000)
    guarded.script.kill()
