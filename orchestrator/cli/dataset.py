"""`mlctl dataset`: data in the store, as numbered versions."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.group import group
from orchestrator.cli.options import (
    ContextOption,
    DatasetArgument,
    DatasetVersionOption,
    OutputOption,
    YesOption,
    open_client,
    pick,
    split,
)
from orchestrator.cli.render import count, next_steps, note, show_list, show_one, size, write, writing
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.datasets.push import PushResult

app = group("Bring data into the store, as numbered versions.")


class Layout(StrEnum):
    """What `--layout` takes."""

    AUTO = "auto"
    PLAIN = "plain"
    PACKED = "packed"


LayoutOption = Annotated[
    Layout,
    typer.Option(
        "--layout",
        metavar="plain|packed|auto",
        help="plain: each file is an object under its own name; packed: small files are in tar archives; "
        "auto: packed where there are many small files.",
    ),
]
BandwidthOption = Annotated[
    str | None, typer.Option("--bandwidth", metavar="RATE", help="Bytes per second at most, as in 10M or 500Ki.")
]


@app.command("import")
def import_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Its name in the catalog.", autocompletion=complete.catalog, show_default=False
        ),
    ],
    layout: LayoutOption = Layout.AUTO,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Bring a well-known dataset into the store: `mlctl dataset catalog` lists them."""
    result = open_client(context).datasets.import_(name, layout=layout.value)
    _tell_result(result, output)


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the data.", show_default=False)],
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="The dataset.", autocompletion=complete.datasets, show_default=False
        ),
    ],
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="For people.")] = "",
    layout: LayoutOption = Layout.AUTO,
    bandwidth: BandwidthOption = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Make a folder's content the next version of a dataset, sending only what is new."""
    from orchestrator.store.look import look_ahead

    limit = _bandwidth(bandwidth)
    with look_ahead(folder.resolve()) as look:
        result = open_client(context).datasets.push(
            folder, name=name, description=description, layout=layout.value, bandwidth=limit, look=look
        )
    _tell_result(result, output)


@app.command("list")
def list_(output: OutputOption = None, context: ContextOption = None) -> None:
    """List the datasets, each in its latest version."""
    from orchestrator.cli.dataset_view import document, version_columns

    show_list(
        open_client(context).datasets.list(),
        output,
        name=lambda version: version.name,
        columns=version_columns(),
        empty="no datasets yet; what can be had at once: mlctl dataset catalog",
        document=document,
    )


@app.command()
def versions(name: DatasetArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """List the versions of a dataset, the latest first."""
    from orchestrator.cli.dataset_view import document, version_columns

    show_list(
        open_client(context).datasets.versions(name),
        output,
        name=lambda version: f"{version.name}/{version.version}",
        columns=version_columns(),
        empty="it has none",
        document=document,
    )


@app.command()
def get(
    name: DatasetArgument,
    version: DatasetVersionOption = None,
    files: Annotated[bool, typer.Option("--files", help="List its files.")] = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Show one version of a dataset, or its files."""
    from orchestrator.cli.dataset_view import details, document

    datasets = open_client(context).datasets
    found = datasets.get(*pick(name, version))
    if not files:
        show_one(found, output, name=f"{found.name}/{found.version}", details=details, document=document)
        return
    show_list(
        datasets.manifest(found).entries,
        output,
        name=lambda entry: entry.path,
        columns={"PATH": lambda entry: entry.path, "SIZE": lambda entry: size(entry.size)},
        empty="it has no files",
    )


@app.command()
def ls(
    name: DatasetArgument,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="A folder in it.", show_default=False)] = "",
    version: DatasetVersionOption = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """List what is in a folder of a version: files, and folders with all that is below them."""
    show_list(
        open_client(context).datasets.ls(*pick(name, version), path),
        output,
        name=lambda listed: listed.path,
        columns={
            "PATH": lambda listed: listed.path,
            "FILES": lambda listed: f"{listed.files:,}",
            "SIZE": lambda listed: size(listed.size),
        },
        empty="an empty folder",
    )


@app.command()
def cat(
    name: DatasetArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file in it.", show_default=False)],
    version: DatasetVersionOption = None,
    context: ContextOption = None,
) -> None:
    """Write one file of a version to stdout, verified, without fetching the others."""
    with writing():
        for block in open_client(context).datasets.cat(*pick(name, version), path):
            sys.stdout.buffer.write(block)


@app.command()
def pull(
    name: DatasetArgument,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.", show_default=False)],
    version: DatasetVersionOption = None,
    bandwidth: BandwidthOption = None,
    context: ContextOption = None,
) -> None:
    """Download a version into a folder, verified; what is there already is not fetched again."""
    found = open_client(context).datasets.pull(*pick(name, version), target, bandwidth=_bandwidth(bandwidth))
    write(f"dataset {found.name}/{found.version}: {count(found.files, 'file')}, {size(found.size)} in {target}\n")


@app.command()
def verify(name: DatasetArgument, version: DatasetVersionOption = None, context: ContextOption = None) -> None:
    """Read every file of a version in the store again and compare its hash."""
    report = open_client(context).datasets.verify(*pick(name, version))
    found = report.version
    write(f"dataset {found.name}/{found.version} is whole: {count(report.files, 'file')}, {size(report.size)}\n")


@app.command()
def delete(
    name: DatasetArgument,
    version: DatasetVersionOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also what jobs have read.")] = False,
    yes: YesOption = False,
    context: ContextOption = None,
) -> None:
    """Delete a version, or with NAME alone all versions. Numbers stay taken; `mlctl store gc` frees unused packs."""
    datasets = open_client(context).datasets
    dataset, chosen = split(name, version)
    terminal.confirm_deletion(f"{dataset}/{chosen}" if chosen else f"all versions of {dataset}", yes=yes)
    deleted = datasets.delete(dataset, chosen, force=force)
    write("".join(f"{dataset}/{number} deleted\n" for number in deleted))


@app.command()
def catalog(output: OutputOption = None, context: ContextOption = None) -> None:
    """List what `mlctl dataset import` can bring."""
    show_list(
        open_client(context).datasets.catalog(),
        output,
        name=lambda entry: entry.name,
        columns={"NAME": lambda entry: entry.name, "DESCRIPTION": lambda entry: entry.title},
        empty="the catalog is empty",
    )


def _bandwidth(text: str | None) -> int | None:
    """Return bytes per second."""
    if text is None:
        return None
    from orchestrator.specs.quantities import parse_memory

    try:
        return parse_memory(text)
    except UsageError as error:
        raise UsageError(f"{text!r} is not a bandwidth", hint="bytes per second, for example: 10M") from error


def _tell_result(result: "PushResult", output: OutputOption) -> None:
    from orchestrator.cli.dataset_view import document, push_details, tell_left_out

    tell_left_out(result)
    version = result.version
    show_one(
        result,
        output,
        name=f"{version.name}/{version.version}",
        details=push_details,
        document=lambda done: {**document(done.version), "created_now": done.created, "sent": done.sent},
    )
    note(f"in a job's YAML file: data: {version.url}")
    next_steps(f"mlctl dataset get {version.name}")
