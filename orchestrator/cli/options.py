"""Arguments and options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import complete
from orchestrator.cli.render import Format
from orchestrator.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.client import Client

LATEST = "latest"


def _inherit(context: typer.Context, value: str | None) -> str | None:
    """Return the option's value here, else that before the sub-command."""
    return value or context.find_root().params.get("context")


def checked(kind: str) -> "Callable[[str | None], str | None]":
    """Return the callback of an argument that takes NAME or NAME/VERSION of such a kind.

    Args:
        kind: What the name is of, `job` or `dataset`.
    """

    def check(value: str | None) -> str | None:
        if value is not None:
            from orchestrator.specs.names import check_name

            check_name(value.partition("/")[0], kind)
        return value

    return check


ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        "-c",
        metavar="NAME",
        help="Context to use instead of the current one.",
        callback=_inherit,
        autocompletion=complete.contexts,
    ),
]
OutputOption = Annotated[
    Format | None, typer.Option("--output", "-o", metavar="json|yaml|name", help="Write this instead of a table.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsIsOption = Annotated[bool, typer.Option("--as-is", help="Whatever the model's config.json says of pictures.")]
RuleOption = Annotated[
    Path | None,
    typer.Option(
        "--rule",
        metavar="FILE",
        help="JSON: which column of a table is which input; by default the model's config.json.",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", metavar="TOKEN", envvar="MLCTL_TOKEN", help="If this machine does not know it."),
]
JobVersionOption = Annotated[
    str | None,
    typer.Option("--version", "-v", metavar="V", help="Version, as in v3.", autocompletion=complete.job_versions),
]
DatasetVersionOption = Annotated[
    str | None,
    typer.Option("--version", "-v", metavar="V", help="Version, as in v3.", autocompletion=complete.dataset_versions),
]
JobArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The job, as NAME or NAME/V0003.", callback=checked("job"), autocompletion=complete.jobs
    ),
]
LastJobArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The job, as NAME or NAME/V0003; by default the last one created from this folder.",
        callback=checked("job"),
        autocompletion=complete.jobs,
    ),
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The dataset, as NAME or NAME/V0003.",
        callback=checked("dataset"),
        autocompletion=complete.datasets,
    ),
]


def split(name: str, version: str | None) -> tuple[str, str | None]:
    """Return name and version of `NAME` or `NAME/V0003` and the `--version` option.

    Raises:
        UsageError: There are two different versions.
    """
    name, slash, written = name.partition("/")
    if not slash:
        return name, version
    if version and version != written:
        raise UsageError(f"version {written!r} in the name, and {version!r} as option", hint="give one of them")
    return name, written or None


def pick(name: str, version: str | None) -> tuple[str, str]:
    """Return name and version as `split`; without a version it is the latest."""
    name, version = split(name, version)
    return name, version or LATEST


def open_client(context: str | None) -> "Client":
    """Return a client that reports on stderr."""
    from orchestrator.cli.progress import reporter
    from orchestrator.client import Client

    return Client(context, reporter=reporter())


def read_rule(path: Path | None) -> dict[str, Any] | None:
    """Return what `--rule` names; None if it names nothing.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is no JSON object.
    """
    import json

    if path is None:
        return None
    try:
        rule = json.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(rule, dict):
        raise UsageError(f"{path} is no JSON object", hint='such as {"type": "number", "index": 0}')
    return rule
