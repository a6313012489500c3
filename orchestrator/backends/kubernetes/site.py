"""From a context to what the manifests need: where jobs run, and how their pods reach the store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.backends.base import Launch
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.secret import secret_manifest, secret_name
from orchestrator.config import Context
from orchestrator.engines.catalog import Engine
from orchestrator.errors import NotFoundError
from orchestrator.specs.job import JobSpec
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.store.keys import keys_of
from orchestrator.version import __version__

RUNTIME_IMAGE = f"mlctl/runtime:{__version__}"


def site_of(context: Context, access_key: str) -> Site:
    """Return what all jobs of a context share.

    Args:
        context: With a cluster as its backend.
        access_key: Of the store, which names mlctl's own Secret; unused if the context has a Secret or ServiceAccount.
    """
    endpoint = context.cluster_endpoint or context.endpoint
    store: dict[str, str | bool] = {"store": context.store}
    store |= {"endpoint": endpoint} if endpoint else {}
    store |= {"region": context.region} if context.region else {}
    store |= {"path_style": context.path_style} if context.path_style is not None else {}
    secret = context.store_secret
    if not secret and not context.service_account:
        secret = secret_name(context.store, endpoint, access_key)
    return Site(
        namespace=context.namespace or "default",
        runtime_image=context.runtime_image or RUNTIME_IMAGE,
        image_registry=context.image_registry,
        store=store,
        store_secret=secret,
        ca_bundle=bool(context.ca_bundle),
        defaults=Kubernetes(service_account=context.service_account or None),
    )


def order_of(launch: Launch, run_id: str) -> Order:
    """Return one run as the manifests need it."""
    return Order(
        task=launch.task,
        run=run_id,
        image=image_of(launch.engine, launch.spec, gpus=launch.sizes.gpus),
        sizes=launch.sizes,
        nodes=launch.spec.resources.nodes,
        kubernetes=launch.spec.kubernetes,
        environment=launch.engine.env,
    )


def image_of(engine: Engine, spec: JobSpec, *, gpus: int) -> str:
    """Return the image that a job's script runs in, as it is named before any registry is put in front."""
    return spec.kubernetes.image or (engine.images.gpu if gpus and engine.images.gpu else engine.images.cpu)


def own_secret(context: Context, site: Site, keys: dict[str, str]) -> dict[str, Any]:
    """Return the Secret that mlctl makes of the user's own keys to the store."""
    try:
        bundle = Path(context.ca_bundle).read_bytes() if context.ca_bundle else b""
    except OSError as error:
        raise NotFoundError(f"cannot read {context.ca_bundle}: {error.strerror}", hint="correct the context") from error
    return secret_manifest(site.store_secret, site.namespace, keys, ca_bundle=bundle)


def user_keys(context: Context) -> Callable[[], dict[str, str]]:
    """Return what gives the user's own keys to the store, none where pods are not to have them."""
    return dict if context.store_secret or context.service_account else keys_of(context)


def site_and_secret(context: Context, keys: dict[str, str]) -> tuple[Site, dict[str, Any] | None]:
    """Return where jobs run, and the Secret that has to be there first, if mlctl looks after it.

    Args:
        context: With a cluster as its backend.
        keys: The user's own, where pods are to have them.
    """
    site = site_of(context, keys.get("AWS_ACCESS_KEY_ID", ""))
    return site, own_secret(context, site, keys) if keys else None
