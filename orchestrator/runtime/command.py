"""How a training script is started: its arguments and environment (CONTRACT, section 1)."""

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.runtime.distributed import WORKER, distributed_arguments, distributed_environment
from orchestrator.runtime.guests import PACKAGES, python_path
from orchestrator.runtime.task import URLS, Task, Workspace
from orchestrator.runtime.worker import ALONE, Worker

_FOLDER = re.compile(r"\$\{train_url\}((?:[^\s/,:;$]+/)+)")
# Variables that steer this process's own Python and must not reach the engine's.
_OURS = {"PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV"}


def script_urls(task: Task, workspace: Workspace) -> tuple[str, str]:
    """Return data_url and train_url as the script gets them; both end in a slash."""
    if task.data_mode == "url":
        data = f"{task.store}/{task.data_prefix}" if task.data_prefix else ""
        return data, f"{task.output_store}/{task.output_prefix}"
    return f"{workspace.data}/" if task.data_prefix else "", f"{workspace.output}/"


def script_arguments(task: Task, workspace: Workspace, worker: Worker = ALONE, role: str = WORKER) -> list[str]:
    """Return what follows `python`: `boot_file --data_url=.../ --train_url=.../ --key=value ...`."""
    boot_file = workspace.job_dir / task.code_name / task.boot_file
    urls = [
        f"--{name}={url}" for name, url in zip(URLS, script_urls(task, workspace), strict=True) if name in task.urls
    ]
    own = [_filled(argument, task, workspace) for argument in task.arguments]
    return [str(boot_file), *urls, *distributed_arguments(task, worker, role), *own]


def own_environment(task: Task, workspace: Workspace) -> dict[str, str]:
    """Return the variables that the spec sets."""
    return {name: _filled(value, task, workspace) for name, value in task.environment.items()}


def named_folders(task: Task, workspace: Workspace) -> list[Path]:
    """Return the folders below train_url that the spec names, as `model` in `${train_url}model/weights.pt`.

    Scripts take the folder that somebody tells them to write to for one that is there.
    """
    if task.data_mode == "url":
        return []
    texts = [*task.arguments, *task.environment.values()]
    return [workspace.output / found for text in texts for found in _FOLDER.findall(text) if ".." not in found]


def _filled(text: str, task: Task, workspace: Workspace) -> str:
    """Return a text with the URLs that it names, which nobody knows before the script runs."""
    for name, url in zip(URLS, script_urls(task, workspace), strict=True):
        text = text.replace(f"${{{name}}}", url)
    return text


def contract_environment(
    task: Task, workspace: Workspace, worker: Worker = ALONE, *, attempt: int = 1
) -> dict[str, str]:
    """Return the variables that every script gets, wherever it runs.

    Args:
        task: The work order.
        workspace: Its folders.
        worker: Which of the job's workers it is.
        attempt: How many times the script was started, this time included.
    """
    data_url, train_url = script_urls(task, workspace)
    code = workspace.job_dir / task.code_name
    return {
        "PYTHONPATH": ":".join(python_path(task, workspace)),
        "PYTHONUNBUFFERED": "1",
        "MLCTL_JOB": task.job,
        "MLCTL_VERSION": task.version,
        "MLCTL_ATTEMPT": str(attempt),
        "MLCTL_SOCKET": str(workspace.socket),
        "MLCTL_SHARED": str(workspace.work),
        "MLCTL_METRICS": str(workspace.calls),
        "MLCTL_EXCHANGE": str(workspace.exchange),
        "DLS_JOB_ID": f"{task.job}-{task.version.lower()}",
        "BATCH_JOB_ID": f"{task.job}-{task.version.lower()}",
        "DLS_TASK_INDEX": str(worker.index),
        "DLS_TASK_NUMBER": str(worker.count),
        "DLS_APP_URL": f"{code}/",
        "DLS_DATA_URL": data_url,
        "DLS_TRAIN_URL": train_url,
        "DLS_LOCAL_CACHE_PATH": str(workspace.cache),
        "BATCH_TASK_CURRENT_HOST_IP": worker.address,
        "MA_JOB_DIR": str(workspace.job_dir),
        "MA_NUM_GPUS": str(task.gpus),
        "MA_NUM_HOSTS": str(worker.count),
        "MA_CURRENT_IP": worker.address,
        "MA_TASK_NAME": "worker",
        "MA_LOG_DIR": str(workspace.logs),
        "VC_TASK_INDEX": str(worker.index),
        "VC_WORKER_NUM": str(worker.count),
        "VC_WORKER_HOSTS": ",".join(worker.hosts),
        **({"MLCTL_PACKAGES": str(workspace.packages)} if PACKAGES in task.guests else {}),
        **distributed_environment(task, worker),
    }


def programs_path(task: Task, workspace: Workspace) -> str:
    """Return what goes to the end of PATH: programs of the packages that the job brings."""
    if PACKAGES not in task.guests:
        return ""
    return "".join(f":{workspace.packages / folder}" for folder in ("bin", "local/bin"))  # the latter is Debian's


def script_environment(
    task: Task,
    workspace: Workspace,
    python: Path,
    engine: Mapping[str, str],
    inherited: Mapping[str, str],
    worker: Worker = ALONE,
) -> dict[str, str]:
    """Return the script's environment: this machine's, the engine's, the contract's, the spec's; the last wins.

    Args:
        task: The work order.
        workspace: Its folders on this machine.
        python: The engine's interpreter, whose folder comes first on PATH.
        engine: Variables that the engine asks for.
        inherited: The environment of this process.
        worker: Which of the job's workers it is.
    """
    own = {name: value for name, value in inherited.items() if name not in _OURS}
    path = {"PATH": f"{python.parent}:{inherited.get('PATH', '/usr/bin:/bin')}{programs_path(task, workspace)}"}
    shared = {"MLCTL_SHARED": "/"}  # script and supervisor see the same files
    contract = contract_environment(task, workspace, worker)
    return own | dict(engine) | path | contract | shared | own_environment(task, workspace)
