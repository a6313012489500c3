"""What this machine knows of the jobs that it runs, for while their store is away."""

from orchestrator.backends.base import Backend
from orchestrator.datasets.versions import author
from orchestrator.jobs.record import JobRecord, number_of


def known_here(backend: Backend, store: str, name: str, number: int | None) -> JobRecord | None:
    """Return as much of a record as is known, without asking the store.

    Args:
        backend: Whose runs are looked through.
        store: URL of the store that the job belongs to.
        name: Of the job.
        number: Of the version; None is the latest.
    """
    found = [run for run in backend.runs() if (run.task.job, run.task.store) == (name, store)]
    for run in sorted(found, key=lambda run: run.created, reverse=True):
        known = number_of(run.task.version)
        if number in (None, known):
            return JobRecord(
                name=name,
                number=known,
                created=run.created,
                author=author(),
                machine=backend.place,
                backend=backend.name,
                run=run.id,
                task=run.task,
            )
    return None
