"""`mlctl context`: where things are kept and run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.group import group
from orchestrator.cli.options import OutputOption
from orchestrator.cli.render import next_steps, show_list, show_one, write
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.config import Context

app = group("Where things are kept and run: a store and a backend by name.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The context.", autocompletion=complete.contexts, show_default=False)
]


@app.command("list")
def list_(output: OutputOption = None) -> None:
    """List the contexts; the current one has a star."""
    from orchestrator import config

    current = config.current_name()
    show_list(
        config.list_contexts(),
        output,
        name=lambda context: context.name,
        columns={
            "": lambda context: "*" if context.name == current else "",
            "NAME": lambda context: context.name,
            "BACKEND": lambda context: context.backend,
            "STORE": lambda context: context.store,
        },
        empty="there is no context",
    )


@app.command()
def get(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The context; by default the current one.", autocompletion=complete.contexts
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show one context, by default the current one."""
    from orchestrator import config

    context = config.get_context(name)
    show_one(context, output, name=context.name, details=_details)


@app.command()
def use(name: NameArgument) -> None:
    """Make a context the current one."""
    from orchestrator import config

    context = config.use_context(name)
    write(f"context {context.name} is in use: {context.store}\n")
    next_steps("mlctl doctor")


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.", show_default=False)],
    store: Annotated[
        str,
        typer.Option(
            "--store", metavar="URL", help="The store, as in file:///data/mlctl or s3://bucket/me.", show_default=False
        ),
    ],
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="URL", help="The S3 service, if it is not AWS.", show_default=False)
    ] = "",
    profile: Annotated[
        str, typer.Option("--profile", metavar="NAME", help="Profile with the keys.", show_default=False)
    ] = "",
    region: Annotated[
        str, typer.Option("--region", metavar="NAME", help="Region of the bucket.", show_default=False)
    ] = "",
    ca_bundle: Annotated[
        Path | None,
        typer.Option("--ca-bundle", metavar="FILE", help="Authorities to trust, as PEM.", show_default=False),
    ] = None,
    path_style: Annotated[
        bool | None,
        typer.Option("--path-style/--virtual-host", help="How requests name the bucket.", show_default=False),
    ] = None,
    kube_context: Annotated[
        str, typer.Option("--kube-context", metavar="NAME", help="Cluster, as kubectl names it.", show_default=False)
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Where jobs run in the cluster.", show_default=False)
    ] = "",
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Where clusters are named.", show_default=False)
    ] = None,
    cluster_endpoint: Annotated[
        str,
        typer.Option(
            "--cluster-endpoint", metavar="URL", help="The S3 service as pods reach it, if not by --endpoint."
        ),
    ] = "",
    store_secret: Annotated[
        str,
        typer.Option("--store-secret", metavar="NAME", help="Secret with the store's keys; by default mlctl's own."),
    ] = "",
    service_account: Annotated[
        str, typer.Option("--service-account", metavar="NAME", help="ServiceAccount that has the keys, instead.")
    ] = "",
    runtime_image: Annotated[
        str, typer.Option("--runtime-image", metavar="IMAGE", help="Image of what runs beside a script.")
    ] = "",
    image_registry: Annotated[
        str, typer.Option("--image-registry", metavar="PREFIX", help="Where images are pulled from.")
    ] = "",
) -> None:
    """Add a context. With a cluster or a namespace, its jobs run on Kubernetes; else on this machine."""
    from orchestrator import config
    from orchestrator.specs.names import check_name
    from orchestrator.store import open_store

    if store.startswith(("/", "~", ".")):
        folder = Path(store).expanduser().absolute()
        raise UsageError(f"{store!r} is a folder, and a store is a URL", hint=f"--store {folder.as_uri()}")
    context = config.Context(
        name=check_name(name, "context"),
        store=store,
        endpoint=endpoint,
        profile=profile,
        region=region,
        ca_bundle=str(ca_bundle.absolute()) if ca_bundle else "",
        path_style=path_style,
        backend="kubernetes" if kube_context or namespace or kubeconfig else "local",
        kubeconfig=str(kubeconfig.absolute()) if kubeconfig else "",
        kube_context=kube_context,
        namespace=namespace,
        cluster_endpoint=cluster_endpoint,
        store_secret=store_secret,
        service_account=service_account,
        runtime_image=runtime_image,
        image_registry=image_registry,
    )
    open_store(store, context)
    config.add_context(context)
    write(f"context {context.name} added: {context.store}\n")
    check = "store check" if context.backend == "local" else "doctor"
    next_steps(f"mlctl {check} -c {context.name}", f"mlctl context use {context.name}")


def _details(context: "Context") -> dict[str, str]:
    style = {None: "", True: "path", False: "virtual host"}[context.path_style]
    return {
        "Name": context.name,
        "Store": context.store,
        "Endpoint": context.endpoint,
        "Region": context.region,
        "Profile": context.profile,
        "CA bundle": context.ca_bundle,
        "Addressing": style,
        "Backend": context.backend,
        "Cluster": context.kube_context,
        "Kubeconfig": context.kubeconfig,
        "Namespace": context.namespace,
        "Endpoint in the cluster": context.cluster_endpoint,
        "Store's Secret": context.store_secret,
        "Service account": context.service_account,
        "Runtime image": context.runtime_image,
        "Image registry": context.image_registry,
    }
