"""What the manifests of a service are made from."""

import hashlib

import msgspec

from orchestrator.backends.kubernetes.images import from_registry
from orchestrator.backends.kubernetes.names import MANAGED_BY, MANAGER
from orchestrator.backends.kubernetes.order import Site
from orchestrator.backends.kubernetes.volumes import SHARED
from orchestrator.engines import Engine, get_engine
from orchestrator.services.record import Share
from orchestrator.services.shape import Shape
from orchestrator.serving.model_server import ADDRESS
from orchestrator.serving.settings import Deployed, Settings

SERVICE, REVISION = "mlctl/service", "mlctl/revision"  # labels
STORE = "mlctl/store"  # annotation: which store has the service's record
PORT, PORT_NAME = 8080, "http"
GRPC_PORT, GRPC_NAME = 8081, "grpc"
FRONT = "front"  # container
MODEL = "model-"  # containers: model-1 and so on, one for each engine

SHARED_GPU = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}  # else the first version takes all of a GPU's memory
TFSERVING = "tensorflow/serving:2.18.0"  # image
TFSERVING_PORT = 8501  # of its REST protocol
_SHOWN = 10  # characters of the hash


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A container that runs models with its engine.

    Attributes:
        name: Of the container.
        image: The engine's own, or TensorFlow Serving's.
        environment: Variables that the engine needs.
        server: Whether it is TensorFlow Serving, which has all versions itself.
    """

    name: str
    image: str
    environment: dict[str, str]
    server: bool = False

    @property
    def socket(self) -> str:
        """Where it takes orders."""
        return f"{SHARED}/{self.name}.sock"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A service as a cluster is to run it.

    Attributes:
        settings: What its front is told.
        hosts: Containers of the engines.
        shape: How large it is.
        site: Where it runs.
        token: That lets in; empty where it is not known, and the cluster's own is left as it is.
        replicas: That it has now, if the cluster decides on their number; 0 is what the shape says.
        owner: `metadata.uid` of the Deployment, with which all else goes; empty if there is none yet.
    """

    settings: Settings
    hosts: tuple[Host, ...]
    shape: Shape
    site: Site
    token: str = ""
    replicas: int = 0
    owner: str = ""

    @property
    def name(self) -> str:
        """Name of the service, and of what there is one of."""
        return self.settings.name

    @property
    def revision(self) -> str:
        """What tells these settings from all others."""
        return hashlib.sha256(msgspec.json.encode(self.settings, order="sorted")).hexdigest()[:_SHOWN]

    @property
    def secret(self) -> str:
        """Name of the Secret with the settings."""
        return f"{self.name}-{self.revision}"

    @property
    def labels(self) -> dict[str, str]:
        """Of everything that is made."""
        return {
            "app.kubernetes.io/name": MANAGER,
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": "serving",
            MANAGED_BY: MANAGER,
            SERVICE: self.name,
        }


def plan_of(
    name: str, shares: list[Share], tokens: tuple[str, ...], shape: Shape, site: Site, *, token: str = ""
) -> Plan:
    """Return what has a service answer with these shares; the same for the same input.

    Args:
        name: Of the service.
        shares: The versions.
        tokens: Hashes of those that let in.
        shape: How large it is.
        site: Where it runs.
        token: One of them.

    Raises:
        NotFoundError: There is no such engine.
    """
    if shape.server == "tfserving":
        return _beside_tensorflow_serving(name, shares, tokens, shape, site, token)
    engines = {engine: f"{MODEL}{number}" for number, engine in enumerate(sorted({one.engine for one in shares}), 1)}
    hosts = {engine: _host(container, get_engine(engine), shape, site) for engine, container in engines.items()}
    models = tuple(
        Deployed(
            model=share.model,
            number=share.number,
            weight=share.weight,
            shadow=share.shadow,
            environment=share.environment,
            folder=f"{SHARED}/models/{share.model}-v{share.number}",
            provided=get_engine(share.engine).provided,
            host=hosts[share.engine].socket,
            gpu=0 if shape.gpus else None,
        )
        for share in shares
    )
    return Plan(
        settings=_settings(name, models, tokens), hosts=tuple(hosts.values()), shape=shape, site=site, token=token
    )


def _beside_tensorflow_serving(
    name: str, shares: list[Share], tokens: tuple[str, ...], shape: Shape, site: Site, token: str
) -> Plan:
    """Return a plan whose models are in TensorFlow Serving; the packages' own code runs beside the front."""
    models = tuple(
        Deployed(
            model=share.model,
            number=share.number,
            weight=share.weight,
            shadow=share.shadow,
            folder=f"{SHARED}/models/{share.model}/{share.number}",  # as TensorFlow Serving wants it
            environment={
                **share.environment,
                ADDRESS: f"{TFSERVING_PORT}/v1/models/{share.model}/versions/{share.number}",
            },
        )
        for share in shares
    )
    image = from_registry(f"{TFSERVING}-gpu" if shape.gpus else TFSERVING, site.image_registry)
    host = Host(name=f"{MODEL}1", image=image, environment=SHARED_GPU if shape.gpus else {}, server=True)
    return Plan(settings=_settings(name, models, tokens), hosts=(host,), shape=shape, site=site, token=token)


def _settings(name: str, models: tuple[Deployed, ...], tokens: tuple[str, ...]) -> Settings:
    return Settings(name=name, models=models, tokens=tokens, host="", port=PORT, grpc_port=GRPC_PORT)


def _host(container: str, engine: Engine, shape: Shape, site: Site) -> Host:
    image = engine.images.gpu if shape.gpus and engine.images.gpu else engine.images.cpu
    environment = {**engine.env, **(SHARED_GPU if shape.gpus else {})}
    return Host(name=container, image=from_registry(image, site.image_registry), environment=environment)
