"""A running program, as the process that started it holds it: one guard process with a pipe."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.backends.local.guard import LENGTH
from orchestrator.backends.local.rundir import WorkerDir
from orchestrator.runtime.exits import Exit

GUARD = Path(__file__).with_name("guard.py")
RUN_ID = "MLCTL_RUN_ID"  # in the environment of all that belongs to a run
WORKER = "MLCTL_WORKER"  # the same of one worker
WAIT_AFTER_KILL = 10.0  # seconds


class Guarded:
    """A program whose guard ends it, with all that it started, should this process die.

    Args:
        argv: Program and arguments.
        environment: All of its own.
        folder: Where it starts.
        log: File that its output is appended to.
        exit_path: File that the guard writes how it ended into.
        lock: A descriptor that the guard keeps open as long as anything of the program is left.
        hold: Whether the program has an input, which ends when the guard does.
        cache: What the program sees as /cache, if root runs it.
    """

    def __init__(
        self,
        argv: list[str],
        environment: dict[str, str],
        *,
        folder: Path,
        log: Path,
        exit_path: Path,
        lock: int,
        hold: bool = False,
        cache: Path | None = None,
    ) -> None:
        spec = {
            "argv": argv,
            "env": environment,
            "cwd": str(folder),
            "log": str(log),
            "exit": str(exit_path),
            "hold": hold,
            "cache": str(cache) if cache else "",
        }
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock,),
        )
        data = json.dumps(spec).encode()
        self._tell(f"{len(data):0{LENGTH}x}".encode() + data)

    @property
    def pid(self) -> int:
        """Return the guard's pid; the program's processes are all below it."""
        return self._guard.pid

    def ended(self, wait: float) -> bool:
        """Wait up to `wait` seconds; tell whether the program has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(wait)
        return self._guard.returncode is not None

    def terminate(self) -> None:
        """Send SIGTERM to the program's process group."""
        self._tell(b"T")

    def kill(self) -> None:
        """Kill the program and everything below it."""
        self._tell(b"K")
        if not self.ended(WAIT_AFTER_KILL):
            self._guard.kill()
            self._guard.wait()

    def _tell(self, command: bytes) -> None:
        if self._guard.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(command)
                self._guard.stdin.flush()


class RunningScript(Guarded):
    """The script of a worker, or the program whose container it runs in."""

    def __init__(
        self, run: WorkerDir, argv: list[str], environment: dict[str, str], lock: int, *, contained: bool = False
    ) -> None:
        self._run = run
        work = run.workspace
        # The guard holds the run's lock too: nobody may clean up before the script has ended.
        super().__init__(
            argv,
            environment | marks(run),
            folder=work.job_dir,
            log=run.container_log if contained else work.log,
            exit_path=run.exit_path,
            lock=lock,
            hold=contained,
            cache=None if contained else work.cache,
        )

    def kill(self) -> None:
        """Kill the script and everything below it, whatever became of the guard."""
        super().kill()
        kill_leftover(self._run.id, self._run.index)

    def result(self) -> Exit:
        """Return how the script ended; of a guard that was killed or failed, only that."""
        found = self._run.exit()
        if found is None:
            kill_leftover(self._run.id, self._run.index)
            if self._guard.returncode > 0:
                error = f"its guard failed, see {self._run.supervisor_log}"
                return Exit(cause="not-started", error=error, finished=time.time())
            return Exit(signal=signal.SIGKILL, finished=time.time())
        return found


def marks(run: WorkerDir) -> dict[str, str]:
    """Return the variables that all that belongs to a worker has in its environment."""
    return {RUN_ID: run.id, WORKER: str(run.index)}


def kill_leftover(run_id: str, worker: int | None = None) -> None:
    """Kill what is left of a run, or of one worker, when a guard is gone, in whatever group or session it is."""
    wanted = {f"{RUN_ID}={run_id}".encode()} | ({f"{WORKER}={worker}".encode()} if worker is not None else set())
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                os.kill(int(folder.name), signal.SIGKILL)
