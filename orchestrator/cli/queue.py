"""`mlctl queue`: what runs and what waits, and why."""

import typer

from orchestrator.cli.options import ContextOption, OutputOption, open_client
from orchestrator.cli.render import ago, show_list

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def queue(output: OutputOption = None, context: ContextOption = None) -> None:
    """List what runs and what waits, and for what.

    The order is that of submission.
    """
    from orchestrator.cli.job_view import document

    show_list(
        open_client(context).jobs.unfinished(),
        output,
        name=lambda view: view.ref,
        columns={
            "JOB": lambda view: view.ref,
            "STATE": lambda view: view.status.state.value,
            "REASON": lambda view: view.status.reason.value if view.status.reason else "",
            "CREATED": lambda view: ago(view.record.created),
            "AUTHOR": lambda view: view.record.author,
            "MESSAGE": lambda view: view.status.message,
        },
        empty="nothing runs and nothing waits",
        document=document,
    )
