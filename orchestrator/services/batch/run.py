"""Ask a service about all files below a place, and keep every answer: what is done stays done."""

import hashlib
import json
import time
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import ConflictError, UsageError
from orchestrator.progress import SILENT, Reporter
from orchestrator.services.batch.record import Batch, Mapping, Outcome
from orchestrator.services.batch.runner import BatchRunner
from orchestrator.services.form import Forms
from orchestrator.services.rows import Rule, check_rule, rule_of
from orchestrator.services.services import Services
from orchestrator.services.state import ServiceState
from orchestrator.store import open_store
from orchestrator.store.base import Store

PARALLEL = 4  # requests under way


def run_batch(
    services: Services,
    name: str,
    source: Store,
    target: Store,
    *,
    only: str = "",
    mapping: Mapping = "file",
    rule: Rule | None = None,
    as_is: bool = False,
    parallel: int = PARALLEL,
    token: str = "",
    reporter: Reporter = SILENT,
) -> Outcome:
    """Ask a service about all files below a place that have no answer in the target yet.

    Args:
        services: The service's.
        name: Of the service.
        source: The files.
        target: Where answers go; it has nothing else, or those of the same batch.
        only: The key of the one file that is asked about; empty is all.
        mapping: A request for each file, or for each row of CSV files.
        rule: Which column of a row is which input; by default as the model's config.json says.
        as_is: Whether pictures are sent as they are, whatever config.json says.
        parallel: Number of requests under way.
        token: Instead of the one that this machine knows.
        reporter: Told of the progress.

    Raises:
        ConflictError: The service does not run; or the target has the answers of another batch.
        NotFoundError: There is no such service, or there are no files.
        ServiceError: The service does not answer any more; the same call goes on from there.
        PermissionDeniedError: It does not take the token.
        UsageError: The rule or config.json cannot be used, or the target is below the source.
    """
    view = services.get(name)
    if view.state in (ServiceState.STOPPED, ServiceState.FAILED):
        raise ConflictError(f"service {name} is {view.state}", hint=view.problem or f"mlctl service start {name}")
    if not only:
        _check_places(source, target)
    config = services.newest(name).config
    if mapping == "csv":
        rule = rule_of(config) if rule is None else rule
        check_rule(rule)
    elif rule is not None:
        raise UsageError("a rule is for rows of tables", hint="--mapping csv")
    batch = Batch(
        service=name,
        source=f"{source.url.rstrip('/')}/{only}",
        mapping=mapping,
        rule=_rule_hash(rule),
        as_is=as_is,
        created=time.time(),
    )
    runner = BatchRunner(
        services.asker(name, token),
        Forms(config, as_is=as_is),
        batch,
        source=source,
        target=target,
        only=only,
        rule=rule,
        parallel=parallel,
    )
    return runner.run(reporter)


def place_of(text: str, context: str) -> Store:
    """Return the store at a URL or a folder of this machine. Raises UsageError."""
    return open_store(_url(text), context)


def source_of(text: str, context: str) -> tuple[Store, str]:
    """Return the store at a URL or a path of this machine; if it is one file, the store around it and its key.

    Raises:
        UsageError: It is no URL of a store.
    """
    url = _url(text)
    parent, _, name = url.rpartition("/")
    if name and not parent.endswith("/"):
        around = open_store(f"{parent}/", context)
        if around.head(key := unquote(name) if url.startswith("file:") else name):
            return around, key
    return open_store(url, context), ""


def _url(text: str) -> str:
    return text if "://" in text else Path(text).expanduser().resolve().as_uri()


def _check_places(source: Store, target: Store) -> None:
    """Refuse to put answers where they would be taken for files to ask about. Raises UsageError."""
    inner, outer = f"{target.url.rstrip('/')}/", f"{source.url.rstrip('/')}/"
    if inner.startswith(outer):
        message = f"{target.url} is below {source.url}: answers would be asked about"
        raise UsageError(message, hint="choose another --output")


def _rule_hash(rule: Rule | None) -> str:
    """Return what tells a rule from others."""
    return hashlib.sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()[:16] if rule else ""
