"""Versions of one job that differ by their parameters alone: code, data and engine are looked at and brought once."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from orchestrator.backends.base import Backend
from orchestrator.config import bucket_of
from orchestrator.datasets import Datasets
from orchestrator.jobs.create import claim, launch_of
from orchestrator.jobs.listing import keep_pages_up
from orchestrator.jobs.places import output_url
from orchestrator.jobs.plan import Plan, arguments_of, make_plan, require_possible
from orchestrator.jobs.record import JobRecord, SweepRef
from orchestrator.progress import Reporter
from orchestrator.specs.job import JobSpec, ParameterValue
from orchestrator.specs.load import LoadedSpec
from orchestrator.store.archive import extract_code
from orchestrator.store.base import Store

Parameters = Mapping[str, ParameterValue]


class Series:
    """Makes versions of a job.

    Args:
        template: What the records begin as; its number, run and task do not count.
        plan: Of one of them, without problems.
        store: Where they are.
        backend: Where they run.
    """

    def __init__(self, template: JobRecord, plan: Plan, store: Store, backend: Backend) -> None:
        self._template = template
        self._plan = plan
        self._store = store
        self._backend = backend

    def create(self, parameters: Parameters, sweep: SweepRef) -> JobRecord:
        """Make a version with some of the parameters changed, and start it.

        Raises:
            MlctlError: The store cannot be written, or it cannot be started.
        """
        plan, template = self._with(parameters), self._template
        assert plan.code
        record = msgspec.structs.replace(
            template,
            number=0,
            created=time.time(),
            digest=plan.digest(template.data),
            machine=self._backend.place,
            backend=self._backend.name,
            spec={**template.spec, "parameters": plan.spec.parameters},
            parameters=plan.spec.parameters,
            engine=plan.engine_ref(),
            price=plan.budget.price if plan.budget else None,
            sweep=sweep,
        )
        submission = self._backend.submission()
        assert submission is not None  # a new run is nobody else's
        record = claim(record, submission, plan, self._store)
        submission.start(launch_of(record, plan))
        keep_pages_up(self._store, record)
        return record

    def start(self, record: JobRecord) -> bool:
        """Start a version that was recorded and never started; tell whether nobody else does."""
        submission = self._backend.submission(record.run)
        if submission is None:
            return False
        submission.start(launch_of(record, self._with(record.parameters)))
        return True

    def _with(self, parameters: Parameters) -> Plan:
        plan = self._plan
        spec = msgspec.structs.replace(plan.spec, parameters={**plan.spec.parameters, **parameters})
        return msgspec.structs.replace(plan, spec=spec, arguments=arguments_of(spec, plan.declared, plan.gpus))


def as_template(record: JobRecord, plan: Plan, store: Store) -> JobRecord:
    """Return a record that versions can be made of anywhere: it names no relative folder for the output."""
    if not plan.spec.output or bucket_of(plan.spec.output):
        return record
    return msgspec.structs.replace(record, spec={**record.spec, "output": output_url(plan.spec, plan.folder, store)})


def plan_again(
    template: JobRecord,
    folder: Path,
    store: Store,
    datasets: Datasets,
    *,
    backend: Backend,
    context: str | None,
    reporter: Reporter,
) -> Plan:
    """Return the plan that a template was made by, from what the store has of it alone.

    Args:
        template: As `as_template` returned it.
        folder: Where the code is unpacked, unless it is there.
        store: Where the code is.
        datasets: Of that store.
        backend: Where versions will run.
        context: Name of the context that stores are reached by.
        reporter: Told of what is fetched.

    Raises:
        PreflightError: It is impossible here, or now.
        MlctlError: The code is not in the store any more.
    """
    assert template.code
    code = folder / template.code.sha256 / template.code.name
    if not code.exists():
        extract_code(store, template.code.key, code)
    data = f"dataset://{template.data.name}@{template.data.version}" if template.data else None
    # A version does not become a model by itself: what is best does, when it is deployed.
    spec = msgspec.convert({**template.spec, "code": str(code), "data": data, "model": None}, JobSpec)
    loaded = LoadedSpec(spec=spec, folder=folder)
    plan = make_plan(loaded, store, datasets, backend=backend, context=context, reporter=reporter)
    require_possible(plan)
    return plan
