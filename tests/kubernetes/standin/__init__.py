"""A stand-in for a Kubernetes cluster: a real HTTP API, and nodes that run containers as processes of this machine.

    with Standin(folder, Settings(gpus=4)) as standin:
        client = kubernetes.config.new_client_from_config(str(standin.kubeconfig()))

As in a real cluster: the verbs with their errors (`Status` bodies, causes, warnings), strict fields from the published
schemas, defaults, names, selectors, paging, patches, finalizers, owner references, watches with bookmarks and 410, logs
with every option and rotation, commands in containers, quotas, limit ranges, pod security, the scheduler's, the Job and
the Deployment controller's decisions, conditions, events and messages, init containers, native sidecars, HTTP probes,
`preStop`, grace, back-offs, exit codes, Services by the API server's proxy.

Left out: images (a name only decides the environment: `images.py`), users unless asked for, cgroups and real memory
limits (a lever kills), networks (each pod has its own address of 127/8), ReplicaSets, other probes and hooks, conflicts
of server-side apply and `managedFields`, what autoscalers, budgets and Ingresses do, protobuf, preemption by priority
(a lever preempts), pod affinity and topology spread. Back-offs and the periods of probes are shorter.

Where it differs from a real cluster otherwise, it is wrong: `tests/kubernetes/test_standin*.py` run against both.
"""

from tests.kubernetes.standin.images import Image, ours
from tests.kubernetes.standin.kubelet import NodeSettings
from tests.kubernetes.standin.standin import Settings, Standin

__all__ = ["Image", "NodeSettings", "Settings", "Standin", "ours"]
