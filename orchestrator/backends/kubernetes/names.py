"""Names, labels and annotations of what mlctl makes in a cluster."""

import hashlib
import re

from orchestrator.errors import UsageError
from orchestrator.specs.kubernetes_names import LABEL

FETCH, MAIN, SYNC = "fetch", "main", "sync"  # containers
JOB, VERSION, RUN = "mlctl/job", "mlctl/version", "mlctl/run"  # labels
DIGEST = "mlctl/digest"  # annotation of a Job: hash of its manifest
MANAGED_BY = "app.kubernetes.io/managed-by"
QUEUE = "kueue.x-k8s.io/queue-name"
MANAGER = "mlctl"

_SHOWN_NAME = 40  # characters of the job's name in that of the Job object
_SHOWN_RUN = 6  # characters of the run's id


def job_name(job: str, version: str, run: str, *, nodes: int = 1) -> str:
    """Return the name of the Job object: `mnist-mxnet-v0003-4f1a2b`.

    It is the same whenever it is asked for the same record, so that an object is never made twice. Pods append their
    number, `-0` to `-<nodes - 1>`, to make a host name of it.

    Args:
        job: Name of the job.
        version: As in `V0003`.
        run: Id of the run, as in the job's record.
        nodes: Number of pods.

    Raises:
        UsageError: There are too many nodes for a host name.
    """
    start = job[:_SHOWN_NAME].rstrip("-")
    short = hashlib.sha256(run.encode()).hexdigest()[:_SHOWN_RUN]
    name = f"{start}-{version.lower()}-{short}"
    if not re.fullmatch(LABEL, f"{name}-{nodes - 1}"):
        raise UsageError(f"{nodes} nodes are more than a job of {version} can have", hint="ask for fewer nodes")
    return name


def host_names(name: str, nodes: int) -> list[str]:
    """Return the names that the pods of a Job reach each other by; that needs the headless Service of its name."""
    return [f"{name}-{index}.{name}" for index in range(nodes)]


def labels(job: str, version: str, run: str, name: str) -> dict[str, str]:
    """Return the labels of a Job object and its pods.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    return {
        "app.kubernetes.io/name": MANAGER,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "training",
        "app.kubernetes.io/part-of": job,
        MANAGED_BY: MANAGER,
        JOB: job,
        VERSION: version,
        RUN: run,
    }
