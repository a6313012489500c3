"""The folder that the containers of a pod share, and what they tell each other by files in it (see launch.sh)."""

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

import msgspec

from orchestrator.engines.requirements import FILE
from orchestrator.runtime.command import contract_environment, own_environment, programs_path, script_arguments
from orchestrator.runtime.distributed import companions
from orchestrator.runtime.exits import Cause, Exit
from orchestrator.runtime.guests import PACKAGES
from orchestrator.runtime.status import Reason, Status
from orchestrator.runtime.task import Task, Workspace
from orchestrator.runtime.worker import Worker
from orchestrator.store.parallel import as_mlctl_error

ROOM = 4096  # bytes kept free for the launcher's last words
RECENT = 2048  # bytes of what `nvidia-smi` says: more than one answer about many GPUs
SIGNALS = 128  # a shell's exit code of a script that signal n ended is 128 + n
LAST_SIGNAL = 64
_LAUNCHER = Path(__file__).with_name("launch.sh")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What fetch hands over to sync.

    Attributes:
        task: The work order.
        status: The status as fetch has left it.
    """

    task: Task
    status: Status


class Volume(Workspace):
    """The workspace of a run in a pod.

    Attributes:
        start: What fetch, launcher and sync tell each other.
        home: Of mlctl itself, so that what was half done is gone on with.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.start = folder / "start"
        self.home = folder / "home"

    def make(self) -> None:
        super().make()
        self.start.mkdir(exist_ok=True)
        self.log.touch()

    def words(self, speaker: str) -> Path:
        """Return the file with what fetch or sync says."""
        return self.folder / f"{speaker}.log"

    def prepare(self, order: Order, worker: Worker, bucket: Mapping[str, str]) -> None:
        """Write what launcher and sync need.

        Args:
            order: For sync.
            worker: Which of the job's workers it is.
            bucket: Variables by which the script's libraries find its bucket.

        Raises:
            MlctlError: The disk is full, or cannot be written.
        """
        try:
            (self.start / "order.json").write_bytes(msgspec.json.encode(order))
            (self.start / "exit.part").write_bytes(b"\n" * ROOM)
            (self.start / "command").write_bytes(command(order, self, worker, bucket).encode())
            (self.start / "beside").write_bytes(beside(order, self, worker, bucket).encode())
            if PACKAGES in order.task.guests:
                self.packages.mkdir(exist_ok=True)
                (self.start / "packages").write_bytes(packages(order, self).encode())
            shutil.copyfile(_LAUNCHER, self.start / "launch.sh")
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {self.start}") from error

    def order(self) -> Order:
        """Return what `prepare` was given."""
        return msgspec.json.decode((self.start / "order.json").read_bytes(), type=Order)

    def ask(self, what: str) -> None:
        """Ask the launcher: `term` or `kill` of the script; `saved` or `lost` says that it may end.

        An empty file can be made on a full disk, too.
        """
        (self.start / what).touch()

    def asked(self, what: str) -> bool:
        """Tell whether this was asked before."""
        return (self.start / what).exists()

    def started(self) -> float:
        """Return when the script started, in seconds since the epoch; 0 if it has not."""
        return _time_of(self.start / "started")

    def installing(self) -> bool:
        """Tell whether the launcher installs the job's own packages now."""
        return (self.start / "packages").exists() and not (self.start / "installed").exists()

    def memory(self) -> int:
        """Return the most memory that was seen in the script's container, in bytes; 0 if it is not known."""
        try:
            return int((self.start / "memory").read_text(encoding="ascii"))
        except (OSError, ValueError):  # written in place: it may be empty for a moment
            return 0

    def usage(self) -> tuple[float, int] | None:
        """Return seconds of CPU time and bytes of memory of the script's container, or None before it runs."""
        try:
            used, memory = (self.start / "usage").read_text(encoding="ascii").split()
            return int(used) / 1e6, int(memory)
        except (OSError, ValueError):  # written in place: it may be empty for a moment
            return None

    def gpus(self) -> str:
        """Return what `nvidia-smi` has said of the container's GPUs lately."""
        try:
            with (self.start / "gpus").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - RECENT))
                return file.read().decode("ascii", errors="replace")
        except OSError:
            return ""

    def exit(self, *, unless: Cause = "exit") -> Exit | None:
        """Return how the script ended, or None if the launcher has not said so.

        Args:
            unless: Who made it end, where that is known.
        """
        path = self.start / "exit"
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return None
        told = dict(line.split(" ", 1) for line in lines if line)
        end = Exit(cause=unless, started=self.started(), finished=_time_of(path), peak_memory=self.memory())
        if "missing" in told:
            end.cause, end.error = "not-started", told["missing"]
            return end
        code = int(told["code"])
        if SIGNALS < code <= SIGNALS + LAST_SIGNAL:
            end.signal = code - SIGNALS
        else:
            end.code = code
        if end.cause == "exit" and told["asked"] != "0":
            end.cause = "stopped"
        end.out_of_memory = told["oom"] != "0"
        end.disk_full = shutil.disk_usage(self.folder).free < ROOM
        end.cpu_seconds = _children(lines)
        if told["begun"] == "no" and end.cause == "exit":
            end.cause, end.reason, end.error = "not-started", Reason.REQUIREMENTS_FAILED, self._why_not_installed()
        return end

    def _why_not_installed(self) -> str:
        with contextlib.suppress(OSError):  # the installer itself failed
            return f"{FILE} cannot be installed: {_reason_file(self).read_text(encoding='utf-8')}"
        return f"{FILE} cannot be installed: the log tells"

    def killed(self, *, unless: Cause = "exit") -> Exit:
        """Return the end of a script whose container was killed as a whole."""
        return Exit(
            cause=unless,
            signal=9,
            started=self.started(),
            finished=time.time(),
            peak_memory=self.memory(),
        )


def command(order: Order, volume: Volume, worker: Worker, bucket: Mapping[str, str]) -> str:
    """Return a line of shell that sets the positional parameters to what `env` is to run.

    The launcher gives `$python` and `$cache`. Of the image's own environment all stays, and its PYTHONPATH comes last.
    """
    arguments = script_arguments(order.task, volume, worker)
    return f"set -- {_words(order, volume, worker, bucket, {}, arguments)}\n"


def packages(order: Order, volume: Volume) -> str:
    """Return a line of shell that sets the positional parameters to what `env` is to run to install packages.

    Of the job's own variables it sees those of the spec, such as PIP_INDEX_URL, and none of the code's modules.
    """
    program = volume.guests / PACKAGES / "mlctl_install.py"
    code = volume.job_dir / order.task.code_name
    settings = [quote(f"{name}={value}") for name, value in own_environment(order.task, volume).items()]
    words = [quote(str(word)) for word in (program, code, volume.packages, _reason_file(volume), *order.task.provided)]
    return " ".join(["set --", *settings, '"$python"', *words]) + "\n"


def _reason_file(volume: Volume) -> Path:
    return volume.start / "packages.reason"


def beside(order: Order, volume: Volume, worker: Worker, bucket: Mapping[str, str]) -> str:
    """Return lines of shell that start the servers beside the script, which end with the container."""
    lines = []
    for one in companions(order.task, worker):
        arguments = script_arguments(order.task, volume, worker, one.role)
        program = ["-c", one.statement] if one.statement else arguments
        words = _words(order, volume, worker, bucket, one.environment, program)
        lines.append(f'$session env {words} < /dev/null >> "$log" 2>&1 &\n')
    return "".join(lines)


def _words(
    order: Order,
    volume: Volume,
    worker: Worker,
    bucket: Mapping[str, str],
    more: Mapping[str, str],
    arguments: Sequence[str],
) -> str:
    task = order.task
    contract = contract_environment(task, volume, worker, attempt=order.status.attempt)
    code = contract.pop("PYTHONPATH")
    contract.pop("DLS_LOCAL_CACHE_PATH")
    words = [
        f'PYTHONPATH={quote(code)}"${{PYTHONPATH:+:$PYTHONPATH}}"',
        'DLS_LOCAL_CACHE_PATH="$cache"',
        *([f'PATH="$PATH"{quote(programs)}'] if (programs := programs_path(task, volume)) else []),
        *(f'{name}="${{AWS_{name}:-}}"' for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY") if bucket),
        *(
            quote(f"{name}={value}")
            for name, value in (contract | dict(bucket) | own_environment(task, volume) | dict(more)).items()
        ),
        '"$python"',
        *map(quote, arguments),
    ]
    return " ".join(words)


def _children(lines: list[str]) -> float:
    """Return the CPU seconds of a shell's children, from what `times` says: `0m1.5s 0m0.2s` in its second line."""
    times = [line for line in lines if line and line[0].isdigit()]
    return sum(
        60 * float(minutes) + float(seconds.rstrip("s")) for minutes, _, seconds in map(_at_m, times[-1].split())
    )


def _at_m(text: str) -> tuple[str, str, str]:
    return text.partition("m")


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
