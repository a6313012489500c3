"""The levers for what a cluster has: nodes, quotas, queues and images."""

from pathlib import Path

from tests.kubernetes.standin import images
from tests.kubernetes.standin.api import Api
from tests.kubernetes.standin.images import Image, Images
from tests.kubernetes.standin.kubelet import Kubelets, Node, NodeSettings, node_object
from tests.kubernetes.standin.kueue import queues
from tests.kubernetes.standin.resources import CLUSTER_QUEUES, LOCAL_QUEUES, NODES, QUOTAS, Object

ROOM = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}
"""Of a node."""


class Furniture:
    """What can be put into the stand-in."""

    api: Api
    folder: Path
    images: Images
    kubelets: Kubelets
    node_settings: NodeSettings

    def add_node(
        self,
        name: str,
        *,
        gpus: int = 0,
        room: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        taints: list[Object] | None = None,
    ) -> Node:
        """Add a node.

        Args:
            name: Of it.
            gpus: How many `nvidia.com/gpu` it has.
            room: What it has besides, or instead, of the usual amounts.
            labels: Besides the usual ones.
            taints: Of its spec.
        """
        has = ROOM | ({"nvidia.com/gpu": str(gpus)} if gpus else {}) | (room or {})
        node = Node(self.api, name, self.folder, self.images, self.node_settings)
        node.folder.mkdir(parents=True, exist_ok=True)
        self.kubelets.nodes[name] = node
        obj = node_object(name, has, labels or {}, taints or [], self.api.schemas.version)
        status = obj["status"]
        self.api.create(NODES, "", obj)
        self.api.edit(NODES, "", name, lambda stored: stored.update(status=status))
        return node

    def taint(self, node: str, key: str, value: str = "", effect: str = "NoSchedule") -> None:
        """Give a node a taint."""

        def add(obj: Object) -> None:
            taint = {"key": key, **({"value": value} if value else {}), "effect": effect}
            obj.setdefault("spec", {}).setdefault("taints", []).append(taint)

        self.api.edit(NODES, "", node, add)

    def label(self, node: str, **labels: str) -> None:
        """Give a node labels; a `__` in a name stands for `/`, and `_` for `.`, as in `nvidia_com__gpu_product`."""
        table = {name.replace("__", "/").replace("_", "."): value for name, value in labels.items()}
        self.api.edit(NODES, "", node, lambda obj: obj["metadata"].setdefault("labels", {}).update(table))

    def quota(self, name: str, namespace: str = "default", **hard: str | int) -> None:
        """Limit a namespace; a `__` in a name stands for `/`, `_` for `.`, as in `requests_nvidia_com__gpu=1`."""
        table = {key.replace("__", "/").replace("_", "."): str(value) for key, value in hard.items()}
        self.api.create(QUOTAS, namespace, {"metadata": {"name": name}, "spec": {"hard": table}})

    def queue(self, name: str, quota: dict[str, str], namespace: str = "default") -> None:
        """Make a queue of Kueue's, with amounts by resource name."""
        cluster, local = queues(name, namespace, quota)
        self.api.create(CLUSTER_QUEUES, "", cluster)
        self.api.create(LOCAL_QUEUES, namespace, local)

    def image(self, name: str, image: Image) -> None:
        """Tell of an image; `images.ours()` has this project in it."""
        self.images.add(name, image)

    def image_missing(self, name: str) -> None:
        """Let the registry not have an image."""
        self.images.break_off(name, images.missing(name))

    def image_denied(self, name: str) -> None:
        """Let the registry not give an image away."""
        self.images.break_off(name, images.denied(name))

    def image_there(self, name: str) -> None:
        """Let an image be had again."""
        self.images.repair(name)
