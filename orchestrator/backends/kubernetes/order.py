"""What the manifests of a job are made from."""

import msgspec

from orchestrator.backends.kubernetes.names import job_name
from orchestrator.runtime.task import Task
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.job import JobSpec
from orchestrator.specs.kubernetes import Kubernetes, defaults_and
from orchestrator.specs.names import format_version


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What all jobs of a context share: where in the cluster they run, and how their pods reach the store.

    Attributes:
        namespace: Where everything is made.
        runtime_image: Image with this package, which fetches and saves.
        image_registry: Registry (and path) that the engines' images and the runtime image come from instead of the
            one that their names tell; empty if there is none.
        store: What a pod is told about the store: fields of a context such as `store`, `endpoint`, `region`.
        store_secret: Name of the Secret with the store's keys; empty where the ServiceAccount has access by itself.
        ca_bundle: Whether that Secret holds the authorities to trust, as `ca.crt`.
        defaults: What jobs that leave it open get.
    """

    namespace: str
    runtime_image: str
    image_registry: str = ""
    store: dict[str, str | bool]
    store_secret: str = ""
    ca_bundle: bool = False
    defaults: Kubernetes = Kubernetes()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One job version, as a cluster is to run it.

    Attributes:
        task: The work order.
        run: Id of the run, as in the job's record.
        image: The engine's image for these sizes.
        sizes: Of each node.
        nodes: Number of pods.
        kubernetes: The spec's section.
        environment: The engine's own variables.
    """

    task: Task
    run: str
    image: str
    sizes: Flavor
    nodes: int = 1
    kubernetes: Kubernetes = Kubernetes()
    environment: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Return the name of the Job object.

        Raises:
            UsageError: It has too many nodes.
        """
        return job_name(self.task.job, self.task.version, self.run, nodes=self.nodes)

    @classmethod
    def trial(cls, spec: JobSpec, sizes: Flavor) -> "Order":
        """Return an order of a job that has no record yet, to find out whether its manifests can be made."""
        task = Task(
            job=spec.name,
            version=format_version(1),
            store="",
            prefix="",
            code_key="",
            code_name="",
            boot_file=spec.boot_file,
            output_store="",
            output_prefix="",
            data_mode=spec.data_mode,
            max_duration=spec.max_seconds,
        )
        nodes = spec.resources.nodes
        return cls(task=task, run="", image="image", sizes=sizes, nodes=nodes, kubernetes=spec.kubernetes)

    def settled(self, site: Site) -> Kubernetes:
        """Return the section with what it leaves open filled in by the context."""
        return defaults_and(site.defaults, self.kubernetes)
