"""How the workers of a job find each other, in the words of each framework; the same in a pod and on this machine.

Each node is one worker. Parameter servers are started beside the workers, one on each node: of a script that declares
the flags of ModelArts (`--ps_hosts`) they are the script itself, as `--job_name=ps`; MXNet brings its own.
"""

import json
from typing import NamedTuple

from orchestrator.runtime.task import Task
from orchestrator.runtime.worker import FIRST, Worker

WORKER, PS, SERVER, SCHEDULER = "worker", "ps", "server", "scheduler"
ROLES = (PS, SERVER, SCHEDULER)  # of companions
# What is passed to scripts that declare it, when there are several workers (CONTRACT, section 1).
FLAGS = ("job_name", "task_index", "ps_hosts", "worker_hosts", "init_method", "rank", "world_size")
_MXNET = "MXNet"
_NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}  # a server computes on the CPU and would take a GPU's memory


class Companion(NamedTuple):
    """A process that is started beside a worker's script, and ended when that has ended.

    Attributes:
        role: What it is.
        statement: Of Python, that it runs; None is the script itself.
        environment: On top of the script's.
    """

    role: str
    statement: str | None
    environment: dict[str, str]


def distributed_arguments(task: Task, worker: Worker, role: str = WORKER) -> list[str]:
    """Return the flags of a process among several, as far as the script declares them; none of one alone."""
    if worker.count == 1:
        return []
    master = worker.ports_of(FIRST).master
    values = {
        "job_name": role,
        "task_index": worker.index,
        "ps_hosts": ",".join(_servers(worker)) if _has_servers(task) else "",
        "worker_hosts": ",".join(_workers(worker)),
        "init_method": f"tcp://{worker.hosts[FIRST]}:{master}",
        "rank": worker.index,
        "world_size": worker.count,
    }
    return [f"--{name}={value}" for name, value in values.items() if name in task.flags]


def distributed_environment(task: Task, worker: Worker) -> dict[str, str]:
    """Return the variables by which a worker's framework finds the others; none of one alone."""
    if worker.count == 1:
        return {}
    count, index = str(worker.count), str(worker.index)
    found = {
        # As torchrun sets them, with one process on each node.
        "MASTER_ADDR": worker.hosts[FIRST],
        "MASTER_PORT": str(worker.ports_of(FIRST).master),
        "RANK": index,
        "WORLD_SIZE": count,
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "GROUP_RANK": index,
        "NODE_RANK": index,
        "TF_CONFIG": _tf_config(task, worker, WORKER),
        "BATCH_CUSTOM0_HOSTS": ",".join(_workers(worker)),
    }
    return found | _dmlc(worker, WORKER) if task.framework == _MXNET else found


def companions(task: Task, worker: Worker) -> list[Companion]:
    """Return what is to be started beside a worker's script."""
    found: list[Companion] = []
    if worker.count == 1:
        return found
    if _has_servers(task):
        found.append(Companion(PS, None, _NO_GPU | {"TF_CONFIG": _tf_config(task, worker, PS)}))
    if task.framework == _MXNET:
        # Importing it is running it, in these roles; it returns when all workers have ended.
        roles = [SCHEDULER, SERVER] if worker.first else [SERVER]
        found += [Companion(role, "import mxnet", _NO_GPU | _dmlc(worker, role)) for role in roles]
    return found


def _has_servers(task: Task) -> bool:
    return {"ps_hosts", "job_name"} <= set(task.flags)


def _workers(worker: Worker) -> list[str]:
    return [f"{host}:{worker.ports_of(index).worker}" for index, host in enumerate(worker.hosts)]


def _servers(worker: Worker) -> list[str]:
    return [f"{host}:{worker.ports_of(index).server}" for index, host in enumerate(worker.hosts)]


def _tf_config(task: Task, worker: Worker, role: str) -> str:
    """Return TensorFlow's own description; https://www.tensorflow.org/guide/distributed_training#TF_CONFIG."""
    servers = {PS: _servers(worker)} if _has_servers(task) else {}
    return json.dumps({"cluster": {**servers, WORKER: _workers(worker)}, "task": {"type": role, "index": worker.index}})


def _dmlc(worker: Worker, role: str) -> dict[str, str]:
    """Return the variables of MXNet's parameter server; https://mxnet.apache.org/api/faq/distributed_training."""
    return {
        "DMLC_ROLE": role,
        "DMLC_PS_ROOT_URI": worker.hosts[FIRST],
        "DMLC_PS_ROOT_PORT": str(worker.ports_of(FIRST).scheduler),
        "DMLC_NUM_WORKER": str(worker.count),
        "DMLC_NUM_SERVER": str(worker.count),
        "DMLC_WORKER_ID": str(worker.index),
        "DMLC_SERVER_ID": str(worker.index),
    }
