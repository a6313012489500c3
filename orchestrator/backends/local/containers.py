"""Scripts in containers of this machine: the same folders under the same paths, in an engine's image.

The container's program (podman or docker) runs in a guard, as a script does. What it starts is not always below it,
so containers have names, by which they are removed whatever became of anybody.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from orchestrator.backends.local.guard import CACHE
from orchestrator.backends.local.rundir import Contained, WorkerDir
from orchestrator.errors import NotFoundError, PreflightError
from orchestrator.progress import Reporter
from orchestrator.runtime.exits import Exit
from orchestrator.runtime.status import Reason
from orchestrator.runtime.task import Task

PROGRAMS = ("podman", "docker")
LAUNCHER = Path(__file__).with_name("contain.sh")
SHARED_MEMORY = "1g"  # /dev/shm, which PyTorch's data loaders use; the default is 64 MB
SIGNALS = 128  # a shell's exit code of a script that signal n ended is 128 + n
REMOVALS = 3  # tries to remove a container
NOT_STARTED = (125, 126, 127)  # exit codes of the program itself
_NO_SHELL = ("/bin/sh", "no such file")
# What the program itself reads from its environment; a container's own values of these go onto the command line.
_PROGRAMS_OWN = ("PATH", "HOME", "TMPDIR", "XDG_", "LD_", "DOCKER_", "CONTAINER", "BUILDAH_", "STORAGE_")


@functools.cache
def find_program() -> str:
    """Return the name of the container program that works here.

    Raises:
        PreflightError: There is none.
    """
    faults = []
    for name in filter(shutil.which, PROGRAMS):
        done = subprocess.run([name, "info"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        # A client that reaches no daemon may all the same say 0.
        fault = next((line for line in done.stderr.splitlines() if "annot connect" in line), "")
        if done.returncode == 0 and not fault:
            return name
        faults.append(f"{name} does not work: {fault or _last_line(done.stderr)}")
    what = "; ".join(faults) or f"there is no {' or '.join(PROGRAMS)} on the PATH"
    hint = "install one (apt install podman), or run the job in the engine's environment: --runtime environment"
    raise PreflightError(f"a container cannot be run: {what}", hint=hint)


def has_image(image: str) -> bool:
    """Tell whether an image is on this machine."""
    command = [find_program(), "image", "inspect", image]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def ensure_image(image: str, engine: str, reporter: Reporter) -> None:
    """Pull an image if it is not on this machine.

    Raises:
        NotFoundError: It cannot be had.
    """
    if has_image(image):
        return
    reporter.note(f"pulling {image}")
    command = [find_program(), "pull", image]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        message = f"the image {image} is not on this machine and cannot be pulled: {_last_line(done.stderr)}"
        raise NotFoundError(message, hint=f"build it: mlctl images build {engine}")


def container_name(place: WorkerDir, role: str = "") -> str:
    """Return the name of a worker's container, or of one beside it."""
    return "-".join(filter(None, ("mlctl", place.id, str(place.index), role)))


def ended_path(place: WorkerDir, role: str = "") -> Path:
    """Return the file that tells how what runs in a container has ended."""
    return place.workspace.work / f"ended{role and '-'}{role}"


def run_command(
    contained: Contained,
    place: WorkerDir,
    task: Task,
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    user: tuple[int, int],
    processors: int,
    role: str = "",
    layer: str = "",
) -> list[str]:
    """Return the command line that runs Python with `words` in a container.

    Values of variables are secrets, and come from the program's own environment.

    Args:
        contained: Program and image.
        place: The worker's folders.
        task: The work order.
        words: What follows `python`.
        environment: The variables that it gets, beside the image's.
        user: User and group, who own what is written.
        processors: Of this machine.
        role: Of what runs beside a script.
        layer: Folder of the packages that the job brings, if it brings some.
    """
    work = place.workspace
    path = environment.get("PYTHONPATH", "")
    names = [name for name in environment if name != "PYTHONPATH"]
    uid, gid = user
    keep_user = ["--userns", "keep-id"] if contained.program == "podman" and uid else []
    memory = ["--memory", f"{task.memory}b", "--memory-swap", f"{task.memory}b"] if task.memory else []
    # Reading the data is what a script beside the first one has of its folders.
    folders = dict.fromkeys((work.work, work.data, work.log))
    mounts = [*(f"{folder}:{folder}" for folder in folders), f"{work.cache}:{CACHE}", f"{LAUNCHER}:{LAUNCHER}:ro"]
    if layer:
        mounts.append(f"{layer}:{layer}:ro")
    return [
        *(contained.program, "run", "--rm", "--interactive", "--pull", "never"),
        *("--name", container_name(place, role), "--network", "host", "--security-opt", "label=disable"),
        *("--user", f"{uid}:{gid}", *keep_user),
        *("--cpus", f"{min(task.cpus, processors):g}", *memory, "--shm-size", SHARED_MEMORY, *_gpus(contained, task)),
        *(word for mount in mounts for word in ("--volume", mount)),
        *variables({name: environment[name] for name in names}),
        *("--workdir", str(work.job_dir), "--entrypoint", "/bin/sh", contained.image),
        *(str(LAUNCHER), str(work.log), str(ended_path(place, role)), path, *words),
    ]


def variables(environment: Mapping[str, str]) -> list[str]:
    """Return the arguments by which a container gets variables, whose values `client_environment` has."""
    told = (f"{name}={value}" if _is_programs_own(name) else name for name, value in environment.items())
    return [word for one in told for word in ("--env", one)]


def client_environment(environment: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program itself, from which the container's variables are taken."""
    return dict(inherited) | {name: value for name, value in environment.items() if not _is_programs_own(name)}


def remove(contained: Contained, names: Collection[str]) -> None:
    """Remove containers with all that runs in them; those that are gone are no error."""
    command = [contained.program, "rm", "--force", "--volumes", *names]
    for _ in range(REMOVALS if names else 0):
        # podman gives up when a container ends by itself at that very moment.
        if subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            return


def names_of(place: WorkerDir, roles: Collection[str]) -> list[str]:
    """Return the names of all containers of a worker."""
    return [container_name(place), *(container_name(place, role) for role in roles)]


def true_end(place: WorkerDir, end: Exit) -> Exit:
    """Return how a script in a container has ended, given how its program did."""
    try:
        code, kills, peak, cpu = map(int, ended_path(place).read_text(encoding="ascii").split())
        end.code, end.signal = (None, code - SIGNALS) if code > SIGNALS else (code, 0)
        end.out_of_memory, end.peak_memory, end.cpu_seconds = kills > 0, peak, cpu / 1e6
    except (OSError, ValueError):  # the container was killed as a whole, or never was
        code = end.code or 0
        if code > SIGNALS:
            end.code, end.signal = None, code - SIGNALS
        elif end.cause == "exit" and code in NOT_STARTED:
            end.cause, end.code = "not-started", None
            end.error = _last_line(place.container_log.read_text(encoding="utf-8", errors="replace"))
            if all(word in end.error for word in _NO_SHELL):
                end.reason = Reason.NO_SHELL
    return end


def _gpus(contained: Contained, task: Task) -> list[str]:
    if not task.gpus:
        return []
    if contained.program == "docker":
        return ["--gpus", str(task.gpus)]
    return [word for number in range(task.gpus) for word in ("--device", f"nvidia.com/gpu={number}")]


def _is_programs_own(name: str) -> bool:
    return name.startswith(_PROGRAMS_OWN)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "it said nothing"


def here() -> tuple[tuple[int, int], int]:
    """Return user and group of this process, and the number of processors of this machine."""
    return (os.getuid(), os.getgid()), os.cpu_count() or 1
