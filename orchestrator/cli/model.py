"""`mlctl model`: what training made, as numbered versions that can be deployed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete, terminal
from orchestrator.cli.group import group
from orchestrator.cli.options import ContextOption, OutputOption, YesOption, checked, open_client, pick, split
from orchestrator.cli.render import count, moment, next_steps, show_list, show_one, size, write
from orchestrator.errors import PreflightError, UsageError

if TYPE_CHECKING:
    from orchestrator.models.models import Models
    from orchestrator.models.record import ModelVersion

app = group("What training made, as numbered versions that can be deployed.")
alias = group("Names for versions, such as champion, that others may use.")
app.add_typer(alias, name="alias", help="Names for versions, such as champion, that others may use.")

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The model, as NAME or NAME/V0003.",
        callback=checked("model"),
        autocompletion=complete.models,
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The model.", callback=checked("model"), autocompletion=complete.models),
]
VersionOption = Annotated[
    str | None,
    typer.Option(
        "--version", "-v", metavar="V", help="Version, as in v3, or an alias.", autocompletion=complete.model_versions
    ),
]
VersionArgument = Annotated[str, typer.Argument(metavar="V", help="Version, as in v3, or an alias.")]


@app.command("import")
def import_(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]", help="A folder, an s3:// prefix, or a file of `mlctl model export`.", show_default=False
        ),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="JOB", help="Its output, instead.", autocompletion=complete.jobs),
    ] = None,
    version: Annotated[str | None, typer.Option("--version", "-v", metavar="V", help="Of the job.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The model; by default what the job or the archive says."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The package's config.json, instead of its own.")
    ] = None,
    code: Annotated[
        Path | None,
        typer.Option("--code", metavar="PATH", help="The package's customize_service.py, or a folder that has it."),
    ] = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Make a version of a model, of what a job has written or of a folder that has model/ in it."""
    given = {"config.json": config, "customize_service.py": code}
    files = {to: path.expanduser().absolute() for to, path in given.items() if path}
    client = open_client(context)
    if (source is None) == (job is None):
        raise UsageError(
            "name either a source or a job", hint="mlctl model import --job JOB, or: mlctl model import DIR"
        )
    if job is not None:
        found = client.register(*pick(job, version), name=name, files=files)
    elif version is not None:
        raise UsageError("a source has no version", hint=f"mlctl model import {source} --name NAME")
    else:
        found = client.models.import_(str(source), name or "", files)
    _show(client.models, found, output)
    _lint(client.models, found)
    if output is None:
        next_steps(f"mlctl model get {found.name}", f"mlctl model alias set {found.name} champion v{found.number}")


@app.command("list")
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="Only this model, in all its versions.",
            callback=checked("model"),
            autocompletion=complete.models,
            show_default=False,
        ),
    ] = None,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """List the models, each in its latest version, or all versions of one."""
    from orchestrator.cli.model_view import columns, document

    models = open_client(context).models
    found = models.list() if name is None else models.versions(name)
    cards = {one: models.card(one) for one in {version.name for version in found}}
    show_list(
        found,
        output,
        name=lambda version: version.ref,
        columns=columns(cards),
        empty="no models yet: `model: {name: NAME}` in a job's file makes one, or mlctl model import",
        document=lambda version: document(version, cards[version.name]),
    )


@app.command()
def get(
    name: ModelArgument, version: VersionOption = None, output: OutputOption = None, context: ContextOption = None
) -> None:
    """Show all about a version: what it is, and what it was made of."""
    models = open_client(context).models
    _show(models, models.get(*pick(name, version)), output)


@alias.command("set")
def set_alias(
    name: NameArgument,
    label: Annotated[str, typer.Argument(metavar="ALIAS", help="For example champion.")],
    version: VersionArgument,
    context: ContextOption = None,
) -> None:
    """Let an alias name a version; what it named before is kept in the history."""
    before, found = open_client(context).models.set_alias(name, label, version)
    was = f" (before: v{before})" if before and before != found.number else ""
    write(f"{label} of {found.name} is {found.version}{was}\n")


@alias.command()
def remove(
    name: NameArgument,
    label: Annotated[str, typer.Argument(metavar="ALIAS", help="For example champion.")],
    context: ContextOption = None,
) -> None:
    """Take an alias away; the version stays."""
    before = open_client(context).models.remove_alias(name, label)
    write(f"{label} of {name} is nothing any more (before: v{before})\n")


@app.command()
def history(name: NameArgument, output: OutputOption = None, context: ContextOption = None) -> None:
    """Tell who changed which alias, tag or note, when, from what, to what."""
    from orchestrator.cli.model_view import told

    show_list(
        open_client(context).models.history(name),
        output,
        name=told,
        columns={
            "TIME": lambda change: moment(change.time),
            "WHO": lambda change: change.author,
            "WHAT": told,
        },
        empty="nothing was changed yet",
    )


@app.command()
def tag(
    name: NameArgument,
    version: VersionArgument,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Words.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them away.")] = False,
    context: ContextOption = None,
) -> None:
    """Give a version tags, or take them away."""
    models = open_client(context).models
    found = models.tag(name, version, tags, remove=remove)
    write(f"{found.ref}: {', '.join(models.card(found.name).tags.get(found.version, [])) or 'no tags'}\n")


@app.command()
def note(
    name: NameArgument,
    version: VersionArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="In the place of what was noted before.")],
    context: ContextOption = None,
) -> None:
    """Write down something about a version."""
    found = open_client(context).models.note(name, version, text)
    write(f"{found.ref}: {text}\n")


@app.command()
def diff(
    name: NameArgument,
    one: VersionArgument,
    other: VersionArgument,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Show in what two versions differ: data, code, parameters, metrics, files."""
    show_list(
        open_client(context).models.diff(name, one, other),
        output,
        name=lambda row: row.what,
        columns={"WHAT": lambda row: row.what, one: lambda row: row.one, other: lambda row: row.other},
        empty="they are the same",
        document=lambda row: row._asdict(),
    )


@app.command()
def lint(
    name: ModelArgument,
    version: VersionOption = None,
    load: Annotated[bool, typer.Option("--load", help="Load it with its engine, too.")] = False,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="Another engine than its own.", autocompletion=complete.engines),
    ] = None,
    context: ContextOption = None,
) -> None:
    """Check a version's package: its files, config.json, customize_service.py, and whether it can be loaded."""
    models = open_client(context).models
    found = models.get(*pick(name, version))
    if not _lint(models, found, engine):
        raise PreflightError(f"{found.ref} cannot be deployed as it is", hint=f"mlctl model pull {found.ref} DIR")
    if load or engine:
        loaded = models.load(found.name, found.version, engine=engine)
        names = [", ".join(one["name"] for one in side) or "unknown" for side in (loaded.inputs, loaded.outputs)]
        write(f"{loaded.service} is loaded with {loaded.engine}: inputs {names[0]}; outputs {names[1]}\n")
    write(f"{found.ref} can be deployed\n")


@app.command()
def pull(
    name: ModelArgument,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.", show_default=False)],
    version: VersionOption = None,
    context: ContextOption = None,
) -> None:
    """Download a version's package into a folder, verified."""
    found = open_client(context).models.pull(*pick(name, version), target)
    write(f"model {found.ref}: {count(found.manifest.files, 'file')}, {size(found.manifest.size)} in {target}\n")


@app.command()
def export(
    name: ModelArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive, as digits.tar.gz.", show_default=False)],
    version: VersionOption = None,
    context: ContextOption = None,
) -> None:
    """Write a version with all that is known of it into one file, for `mlctl model import` elsewhere."""
    found = open_client(context).models.export(*pick(name, version), file.absolute())
    write(f"model {found.ref} is in {file}\n")


@app.command()
def delete(
    name: ModelArgument, version: VersionOption = None, yes: YesOption = False, context: ContextOption = None
) -> None:
    """Delete a version, or with NAME alone all versions. Numbers stay taken, and jobs keep their output."""
    models = open_client(context).models
    model, chosen = split(name, version)
    terminal.confirm_deletion(f"{model}/{chosen}" if chosen else f"all versions of {model}", yes=yes)
    write("".join(f"{model}/{number} deleted\n" for number in models.delete(model, chosen)))


def _show(models: "Models", found: "ModelVersion", output: OutputOption) -> None:
    from orchestrator.cli.model_view import details, document

    card = models.card(found.name)
    show_one(
        found,
        output,
        name=found.ref,
        details=lambda version: details(version, card),
        document=lambda version: document(version, card),
    )


def _lint(models: "Models", found: "ModelVersion", engine: str | None = None) -> bool:
    """Say what is wrong with a version's package, and return whether it can be deployed."""
    from orchestrator.cli.model_view import tell_findings

    findings = models.lint(found.name, found.version, engine=engine)
    tell_findings(findings)
    return all(finding.level != "error" for finding in findings)
