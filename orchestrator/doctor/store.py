"""The store, as this machine reaches it."""

from collections.abc import Iterator

from orchestrator.config import get_context
from orchestrator.doctor.finding import Finding, Level
from orchestrator.store import open_store
from orchestrator.store.conditions import check_conditions


def store(name: str | None) -> Iterator[Finding]:
    """Yield whether the store of a context can be written, and safely."""
    context = get_context(name)
    opened = open_store(context.store, context.name)
    opened.check_writable()
    check_conditions(opened)
    yield Finding(Level.OK, "store", f"{opened.url} ({context.name}) is writable; conditional writes hold")
