"""What happened to a job version, as its record and status tell."""

from orchestrator.backends.base import Event
from orchestrator.jobs.view import JobView


def happenings(view: JobView) -> list[Event]:
    """Return the events that the store knows of."""
    record, status = view.record, view.status
    about = f"job {view.ref}"
    found = [Event(record.created, about, "Created", f"by {record.author}")]
    if status.started:
        attempt = f", for the {status.attempt}. time" if status.attempt > 1 else ""
        found.append(Event(status.started, about, "Started", f"the script began{attempt}"))
    if status.finished:
        said = ": ".join(filter(None, (status.reason and status.reason.value, status.message)))
        found.append(Event(status.finished, about, status.state.value.capitalize(), said))
    return found
