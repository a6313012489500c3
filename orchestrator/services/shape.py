"""How large a service is, and how it is reached: what only a cluster knows of it."""

from typing import Annotated, Literal

import msgspec

from orchestrator.errors import UsageError
from orchestrator.specs.quantities import parse_memory

MOST = 1000  # replicas
Server = Literal["engine", "tfserving"]


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a service on a cluster is made as; every change of its versions keeps it.

    Attributes:
        replicas: Pods; with `max_replicas` the fewest.
        max_replicas: The most, made as the load grows; 0 keeps to `replicas`.
        cpus: Of each engine's container.
        memory: Of each engine's container.
        gpus: Of each engine's container.
        ingress: Name of the host by which it is reached from outside.
        gateway: Name of the Gateway that leads to it, as in `web` or `namespace/web`.
        server: What has the models: the engine itself, or `tfserving`, the image of TensorFlow Serving.
    """

    replicas: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1
    max_replicas: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 0
    cpus: Annotated[float, msgspec.Meta(gt=0)] = 1
    memory: str = "2Gi"
    gpus: Annotated[int, msgspec.Meta(ge=0)] = 0
    ingress: str = ""
    gateway: str = ""
    server: Server = "engine"

    def changed(self, **fields: object) -> "Shape":
        """Return it with what is given; None leaves a field as it is.

        Raises:
            UsageError: It is not possible.
        """
        given = {key: value for key, value in fields.items() if value is not None}
        try:
            shape = msgspec.convert({**msgspec.structs.asdict(self), **given}, Shape)
        except msgspec.ValidationError as error:
            raise UsageError(f"a service cannot be made like that: {error}", hint="mlctl deploy --help") from error
        parse_memory(shape.memory)
        if shape.max_replicas and shape.max_replicas < shape.replicas:
            message = f"at most {shape.max_replicas} replicas are fewer than {shape.replicas}"
            raise UsageError(message, hint="raise --max-replicas, or give 0 for as many as --replicas")
        return shape
