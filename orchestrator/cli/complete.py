"""What the shell completes beyond fixed words: names and versions of what there is.

A completion that fails must not disturb the line that is being typed: it offers nothing instead.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from orchestrator.client import Client

Offer = tuple[str, str]  # a word, and what it is

_Source = Callable[[typer.Context], Iterator[Offer]]


def _offers(source: _Source) -> Callable[[typer.Context, list[str], str], list[Offer]]:
    def complete(ctx: typer.Context, args: list[str], incomplete: str) -> list[Offer]:
        found: list[Offer] = []
        # Whatever it is, the person who pressed the tabulator key cannot use it.
        with suppress(Exception):
            found += (offer for offer in source(ctx) if offer[0].startswith(incomplete))
        return found

    return complete


def _client(ctx: typer.Context) -> "Client":
    from orchestrator.client import Client

    return Client(ctx.params.get("context") or ctx.find_root().params.get("context"))


def _name(ctx: typer.Context) -> str:
    """Return the name that was written before; with an option still to be completed it is among the unparsed words."""
    name: str = ctx.params.get("name") or next(iter(ctx.args), "")
    return name.partition("/")[0]


@_offers
def jobs(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the jobs' names."""
    from orchestrator.jobs.record import job_names

    for name in job_names(_client(ctx).store):
        yield name, "job"


@_offers
def job_versions(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the versions of the job named before on the line, else of the folder's last one."""
    client = _client(ctx)
    for view in client.jobs.list(_name(ctx) or client.jobs.last()[0]):
        yield view.version, view.status.state.value


@_offers
def sweeps(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the sweeps' names."""
    from orchestrator.sweeps.record import sweep_names

    for name in sweep_names(_client(ctx).store):
        yield name, "sweep"


@_offers
def datasets(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the datasets' names."""
    for version in _client(ctx).datasets.list():
        yield version.name, version.description


@_offers
def dataset_versions(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the versions of the dataset named before on the line."""
    for version in _client(ctx).datasets.versions(_name(ctx)):
        yield version.version, version.description


@_offers
def models(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the models' names."""
    for version in _client(ctx).models.list():
        yield version.name, version.source


@_offers
def model_versions(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the versions of the model named before on the line, and its aliases."""
    models = _client(ctx).models
    for version in models.versions(_name(ctx)):
        yield version.version, version.source
    for alias, number in models.card(_name(ctx)).aliases.items():
        yield alias, f"v{number}"


@_offers
def services(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the services' names."""
    for view in _client(ctx).services.list():
        yield view.record.name, view.state.value


@_offers
def catalog(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the datasets that can be imported."""
    for entry in _client(ctx).datasets.catalog():
        yield entry.name, entry.description


@_offers
def engines(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the engines' names."""
    from orchestrator.engines import list_engines

    for engine in list_engines():
        yield engine.name, engine.description


@_offers
def flavors(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the flavors' names."""
    from orchestrator.specs.flavors import list_flavors

    for flavor in list_flavors():
        yield flavor.name, flavor.description


@_offers
def contexts(ctx: typer.Context) -> Iterator[Offer]:
    """Offer the contexts' names."""
    from orchestrator.config import list_contexts

    for context in list_contexts():
        yield context.name, context.store
