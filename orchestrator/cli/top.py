"""`mlctl top`: what running jobs use."""

import typer

from orchestrator.cli.options import ContextOption, OutputOption, open_client
from orchestrator.cli.render import duration, show_list, size

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def top(output: OutputOption = None, context: ContextOption = None) -> None:
    """Show what running jobs use, of what they asked for.

    On a cluster that is what its metrics server measured last, fetch and sync included.
    """
    show_list(
        open_client(context).jobs.top(),
        output,
        name=lambda used: used.view.ref,
        columns={
            "JOB": lambda used: used.view.ref,
            "RUNS": lambda used: duration(used.view.duration),
            "NODES": lambda used: str(used.nodes),
            "CPUS": lambda used: f"{used.usage.cpus:.2f} of {used.cpus:g}" if used.usage else f"? of {used.cpus:g}",
            "MEMORY": lambda used: " of ".join(
                [size(used.usage.memory) if used.usage else "?", size(used.memory) if used.memory else "all"]
            ),
            "GPUS": lambda used: str(used.gpus) if used.gpus else "",
        },
        empty="nothing runs here",
        document=lambda used: {
            "name": used.view.name,
            "version": used.view.version,
            "usage": used.usage._asdict() if used.usage else None,
            "requests": {"nodes": used.nodes, "cpus": used.cpus, "memory": used.memory, "gpus": used.gpus},
        },
    )
