"""`mlctl job events`."""

from orchestrator.cli.options import ContextOption, JobArgument, JobVersionOption, OutputOption, open_client, pick
from orchestrator.cli.render import moment, show_list


def events(
    name: JobArgument, version: JobVersionOption = None, output: OutputOption = None, context: ContextOption = None
) -> None:
    """Show what happened to a job version, the oldest first; on a cluster with the events of its pods."""
    show_list(
        open_client(context).jobs.events(*pick(name, version)),
        output,
        name=lambda event: event.reason,
        columns={
            "TIME": lambda event: moment(event.time),
            "ABOUT": lambda event: event.about,
            "REASON": lambda event: event.reason,
            "MESSAGE": lambda event: event.message,
        },
        empty="nothing is known",
        document=lambda event: event._asdict(),
    )
