"""`mlctl images`: the container images that jobs on a cluster run in."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import complete
from orchestrator.cli.group import group
from orchestrator.cli.options import ContextOption, OutputOption
from orchestrator.cli.render import next_steps, show_list, write
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.containers.catalog import Image

app = group("The container images that jobs on a cluster run in.")

ToolOption = Annotated[
    str | None,
    typer.Option("--tool", metavar="docker|podman|buildah", help="By default the first that is there."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the commands, and run none.")]


@app.command("list")
def list_(output: OutputOption = None) -> None:
    """List the images, and whether docker, podman or buildah has them on this machine."""
    from orchestrator.containers.catalog import list_images
    from orchestrator.containers.tool import find_tool

    tool = find_tool()
    present = tool.present() if tool else set()

    def here(image: "Image") -> str:
        return ("yes" if image.name in present else "no") if tool else "?"

    def document(image: "Image") -> dict[str, Any]:
        return {"owner": image.owner, "variant": image.variant, "image": image.name, "here": here(image)}

    show_list(
        list_images(),
        output,
        name=lambda image: image.name,
        columns={
            "OF": lambda image: image.owner,
            "VARIANT": lambda image: image.variant,
            "IMAGE": lambda image: image.name,
            "HERE": here,
        },
        empty="there is no image",
        document=document,
    )


@app.command()
def build(
    owner: Annotated[
        str,
        typer.Argument(metavar="ENGINE", help="An engine, or `runtime`.", autocompletion=complete.engines),
    ] = "runtime",
    gpu: Annotated[bool, typer.Option("--gpu", help="The variant with CUDA.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Send it to its registry.")] = False,
    registry: Annotated[
        str | None, typer.Option("--registry", metavar="R", help="Put in front of its name; by default the context's.")
    ] = None,
    build_arg: Annotated[
        list[str] | None, typer.Option("--build-arg", metavar="K=V", help="For the Dockerfile; may be repeated.")
    ] = None,
    tool: ToolOption = None,
    dry_run: DryRunOption = False,
    context: ContextOption = None,
) -> None:
    """Build an image from its Dockerfile.

    The arguments `BASE` and `PIP_INDEX_URL` name a base image and a package index of your own.
    """
    from orchestrator.cli.progress import reporter
    from orchestrator.config import get_context
    from orchestrator.containers.build import build as build_image
    from orchestrator.containers.catalog import get_image
    from orchestrator.containers.tool import Tool

    image = get_image(owner, gpu=gpu)
    place = get_context(context).image_registry if registry is None else registry
    program = Tool(tool, reporter=reporter(), dry_run=dry_run)
    name = build_image(program, image, registry=place, push=push, build_args=build_arg or ())
    write(f"{name}\n")
    if not push and not dry_run:
        next_steps(f"{program.name} push {name}")


@app.command()
def mirror(
    to: Annotated[
        str | None, typer.Option("--to", metavar="REGISTRY", help="Where they go, as in registry.lab/ml.")
    ] = None,
    tool: ToolOption = None,
    dry_run: DryRunOption = False,
    context: ContextOption = None,
) -> None:
    """Copy all images that jobs may need to another registry: pull, tag, push.

    Contexts take them from there with `mlctl context add --image-registry REGISTRY`.
    """
    from orchestrator.cli.progress import reporter
    from orchestrator.config import get_context
    from orchestrator.containers.catalog import needed
    from orchestrator.containers.mirror import mirror as copy
    from orchestrator.containers.tool import Tool

    chosen = get_context(context)
    if not (registry := to or chosen.image_registry):
        raise UsageError("there is no registry to copy to", hint="mlctl images mirror --to REGISTRY")
    names = copy(Tool(tool, reporter=reporter(), dry_run=dry_run), needed(chosen), registry)
    write("".join(f"{name}\n" for name in names))
