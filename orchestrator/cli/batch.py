"""`mlctl batch`: a service's answers to many files."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import complete
from orchestrator.cli.group import group
from orchestrator.cli.options import AsIsOption, ContextOption, RuleOption, TokenOption, checked, open_client, read_rule
from orchestrator.cli.render import Format, plain, show_one

if TYPE_CHECKING:
    from orchestrator.services.batch.record import Outcome

app = group("Answers to many files or rows: what is done stays done.")


class _Mapping(StrEnum):
    file = "file"
    csv = "csv"


@app.command()
def create(
    service: Annotated[
        str,
        typer.Option(
            "--service",
            metavar="NAME",
            help="Who is asked.",
            callback=checked("service"),
            autocompletion=complete.services,
        ),
    ],
    source: Annotated[str, typer.Option("--input", metavar="URL|PATH", help="One file, or all below a folder.")],
    target: Annotated[str, typer.Option("--output", metavar="URL|DIR", help="Where the answers go.")],
    mapping: Annotated[
        _Mapping, typer.Option("--mapping", metavar="file|csv", help="A request for each file, or for each row.")
    ] = _Mapping.file,
    rule: RuleOption = None,
    parallel: Annotated[int, typer.Option("--parallel", metavar="N", help="Requests under way.", min=1, max=256)] = 4,
    as_is: AsIsOption = False,
    token: TokenOption = None,
    output: Annotated[
        Format | None, typer.Option("-o", metavar="json|yaml|name", help="Write this instead of lines.")
    ] = None,
    context: ContextOption = None,
) -> None:
    """Ask a service about many files, and keep each answer beside the others.

    Pictures are sent as the model's config.json says that it takes them, and what is done to them is told.
    Run again, it goes on where it stopped, and tries again what failed.
    """
    from orchestrator.store.parallel import raise_failures

    outcome = open_client(context).batch(
        service,
        source,
        target,
        mapping=mapping.value,
        rule=read_rule(rule),
        as_is=as_is,
        parallel=parallel,
        token=token or "",
    )
    show_one(outcome, output, name=outcome.manifest, details=_details, document=_document)
    raise_failures(outcome.failures, f"asking {service}")


def _details(outcome: "Outcome") -> dict[str, str]:
    before = f" ({outcome.before} by earlier runs)" if outcome.before else ""
    return {
        "Answered": f"{outcome.done}{before}",
        "Failed": str(len(outcome.failures)),
        "Prepared": outcome.changed.words,
        "Manifest": outcome.manifest,
    }


def _document(outcome: "Outcome") -> dict[str, Any]:
    return {
        "answered": outcome.done,
        "before": outcome.before,
        "prepared": plain(outcome.changed),
        "failed": {failure.path: failure.error.message for failure in outcome.failures},
        "manifest": outcome.manifest,
    }
