"""A stand-in for a Kubernetes cluster: a real HTTP API, and nodes that run containers as processes of this machine.

    with Standin(folder, Settings(gpus=4)) as standin:
        client = kubernetes.config.new_client_from_config(str(standin.kubeconfig()))

As in a real cluster: the verbs with their errors (`Status` bodies, causes, warnings), strict fields from the published
schemas, defaults, names, selectors, paging, patches, finalizers, owner references, watches with bookmarks and 410, logs
with every option and rotation, commands in containers, quotas, limit ranges, pod security, the scheduler's and the Job
controller's decisions, conditions, events and messages, init containers, native sidecars, grace, back-offs, exit codes.

Left out: images (a name only decides the environment: `images.py`), users unless asked for, cgroups and real memory
limits (a lever kills), networks and services, probes and lifecycle hooks, field ownership of server-side apply and
`managedFields`, protobuf, preemption by priority (a lever preempts), pod affinity and topology spread. Back-offs are
shorter (`Settings`).

Where it differs from a real cluster otherwise, it is wrong: `tests/kubernetes/test_standin*.py` run against both.
"""

from tests.kubernetes.standin.images import Image, ours
from tests.kubernetes.standin.kubelet import NodeSettings
from tests.kubernetes.standin.standin import Settings, Standin

__all__ = ["Image", "NodeSettings", "Settings", "Standin", "ours"]
