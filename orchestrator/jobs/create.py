"""Submit a plan: everything it needs into the store, then claim a version, then start it.

Killed at any point and run again, the same command ends with one version: before the claim nothing
is visible, after it the version is taken up again by whoever submits the same thing.
"""

import time
from typing import Any

import msgspec

from orchestrator.backends.base import Backend, Launch, Submission
from orchestrator.datasets import Datasets
from orchestrator.datasets.layout import LayoutChoice
from orchestrator.datasets.versions import DatasetVersion, author
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.jobs import last
from orchestrator.jobs.foresight import urls_passed
from orchestrator.jobs.lineage import lineage_of
from orchestrator.jobs.listing import get_record, keep_pages_up
from orchestrator.jobs.measures import measures_of
from orchestrator.jobs.numbers import claim_number, last_number
from orchestrator.jobs.places import output_url
from orchestrator.jobs.plan import Plan, require_possible
from orchestrator.jobs.record import CodeRef, DataRef, JobRecord, version_prefix
from orchestrator.jobs.untold import forget, is_untold, telling
from orchestrator.jobs.view import JobView, look
from orchestrator.progress import Reporter
from orchestrator.runtime.guests import PACKAGES, USUAL
from orchestrator.runtime.status import Reason
from orchestrator.runtime.task import Registration, Task
from orchestrator.store.archive import store_code
from orchestrator.store.base import Store
from orchestrator.store.condemned import FRESH

PREVIEWED = "0" * 16  # id of a run that is only shown


def create(plan: Plan, store: Store, backend: Backend, datasets: Datasets, *, reporter: Reporter) -> JobView:
    """Do what the plan says and return the new version.

    Raises:
        PreflightError: The plan has problems.
        MlctlError: The engine could not be built, the data not be brought in, the store not be written.
    """
    begun = time.time()
    record = settle(plan, store, backend, datasets, reporter=reporter)
    assert plan.code
    if interrupted := _interrupted(store, record):
        with telling(interrupted.run):
            _go_on(interrupted, plan, store, backend, reporter)
            last.remember(interrupted.name, interrupted.version)
        return look(store, backend, interrupted)
    submission = backend.submission()
    assert submission is not None  # a new run is nobody else's
    record.run = submission.id
    with telling(record.run):
        try:
            record = claim(record, submission, plan, store)
        except BaseException:
            forget(record.run)
            raise
        if time.time() - begun > FRESH:  # a collector may have taken the code for garbage; now the record refers to it
            store_code(store, plan.code, reporter=reporter)
        status = submission.start(launch_of(record, plan))
        last.remember(record.name, record.version)
    keep_pages_up(store, record)
    return JobView(record, status) if status else look(store, backend, record)


def settle(plan: Plan, store: Store, backend: Backend, datasets: Datasets, *, reporter: Reporter) -> JobRecord:
    """Bring all that a plan needs to its place, and return what the record of a version of it begins as.

    Raises:
        PreflightError: The plan has problems.
        MlctlError: The engine could not be built, the data not be brought in, the store not be written.
    """
    require_possible(plan)
    assert plan.engine and plan.code
    assert plan.sizes and plan.budget
    backend.rehearse(plan.spec, plan.sizes)
    backend.prepare(plan.engine, plan.spec, plan.requirements, reporter)
    data = _bring_data(plan, datasets)
    store_code(store, plan.code, reporter=reporter)
    return _new_record(plan, backend, data)


def claim(record: JobRecord, submission: Submission, plan: Plan, store: Store) -> JobRecord:
    """Give the record the next free number, write it, and return it; if that fails, the submission is given up."""
    record.run = submission.id
    try:
        return claim_number(store, record, lambda numbered: _with_task(numbered, plan, store))
    except BaseException:
        submission.release()
        raise


def _interrupted(store: Store, wanted: JobRecord) -> JobRecord | None:
    """Return the latest version if it is this very submission and the command that made it was killed."""
    try:
        latest = get_record(store, wanted.name, None)
    except NotFoundError:
        return None
    same = latest.digest == wanted.digest and latest.machine == wanted.machine
    return latest if same and is_untold(latest.run) else None


def launch_of(record: JobRecord, plan: Plan) -> Launch:
    """Return what the backend needs to know to start a recorded version."""
    assert record.task and plan.engine and plan.sizes
    return Launch(record.task, plan.engine, plan.sizes, plan.spec, plan.requirements)


def _go_on(record: JobRecord, plan: Plan, store: Store, backend: Backend, reporter: Reporter) -> None:
    reporter.note(
        f"{record.name}/{record.version} is this very job; its create command was interrupted: going on with it"
    )
    status = look(store, backend, record).status
    unstarted = status.reason is Reason.NOT_STARTED
    if status.state.finished and not unstarted:
        return
    submission = backend.submission(record.run)
    if submission is None and not unstarted:  # somebody looks after it
        return
    if submission is None:
        hint = f"mlctl job get {record.name}"
        raise ConflictError(f"another command is submitting {record.name}/{record.version}", hint=hint)
    submission.start(launch_of(record, plan))


def _bring_data(plan: Plan, datasets: Datasets) -> DataRef | None:
    if plan.data is None:
        return None
    version = plan.data.version
    if plan.data.wanted == "import":
        version = datasets.import_(plan.data.name).version
    elif plan.data.folder:
        # A script that gets URLs must find each file under its name.
        layout: LayoutChoice = "plain" if plan.spec.data_mode == "url" else "auto"
        description = f"data of job {plan.name}"
        version = datasets.push(plan.data.folder, name=plan.data.name, description=description, layout=layout).version
    assert version is not None
    return _data_ref(version)


def _data_ref(version: DatasetVersion) -> DataRef:
    return DataRef(
        name=version.name,
        version=version.version,
        prefix=version.prefix,
        manifest=version.manifest_key,
        sha256=version.sha256,
        files=version.files,
        size=version.size,
    )


def preview(plan: Plan, store: Store, backend: Backend) -> list[dict[str, Any]]:
    """Return the objects that `create` would make in a cluster, with the number that is next now.

    Raises:
        PreflightError: The plan has problems.
    """
    require_possible(plan)
    data = _data_ref(plan.data.version) if plan.data and plan.data.version else None
    number = last_number(store, plan.name) + 1
    record = _with_task(msgspec.structs.replace(_new_record(plan, backend, data), number=number), plan, store)
    return backend.manifests(launch_of(record, plan), PREVIEWED)


def _code_ref(plan: Plan) -> CodeRef:
    assert plan.code
    return CodeRef(
        key=plan.code.key,
        sha256=plan.code.sha256,
        name=plan.code.folder.name,
        files=plan.code.hashes(),
        size=plan.code.size,
        git_commit=plan.code.git_commit or "",
        git_dirty=plan.code.git_dirty,
    )


def _new_record(plan: Plan, backend: Backend, data: DataRef | None) -> JobRecord:
    return JobRecord(
        name=plan.name,
        number=0,
        digest=plan.digest(data),
        created=time.time(),
        author=author(),
        machine=backend.place,
        backend=backend.name,
        spec=plan.spec_document(),
        parameters=dict(plan.spec.parameters),
        code=_code_ref(plan),
        data=data,
        engine=plan.engine_ref(),
        price=plan.budget.price if plan.budget else None,
    )


def _with_task(record: JobRecord, plan: Plan, store: Store) -> JobRecord:
    assert record.code and plan.sizes and plan.budget
    prefix = version_prefix(record.name, record.number)
    asked = plan.spec.resources
    task = Task(
        job=record.name,
        version=record.version,
        store=store.url,
        prefix=prefix,
        code_key=record.code.key,
        code_name=record.code.name,
        boot_file=plan.spec.boot_file,
        data_prefix=record.data.prefix if record.data else "",
        data_manifest=record.data.manifest if record.data else "",
        data_mode=plan.spec.data_mode,
        output_store=output_url(plan.spec, plan.folder, store),
        output_prefix=f"{record.version}/" if plan.spec.output else f"{prefix}output/",
        urls=urls_passed(plan.spec, plan.declared),
        arguments=plan.arguments,
        flags=plan.flags,
        framework=record.engine.framework if record.engine and asked.nodes > 1 else "",
        environment=({"MLCTL_COMPAT": "tf1"} if plan.spec.compat == "tf1" else {}) | plan.spec.env,
        cpus=plan.sizes.cpus,
        # A limit that nobody asked for would only surprise.
        memory=plan.sizes.memory_bytes if asked.flavor or asked.memory else 0,
        gpus=plan.gpus,
        max_duration=plan.budget.seconds,
        budget=plan.budget.limit,
        model=_registration(record, plan),
        provided=plan.engine.provided if plan.engine and plan.requirements and not plan.spec.kubernetes.image else (),
        measures=measures_of(plan.spec, plan.engine),
        guests=(*USUAL, *((PACKAGES,) if plan.requirements else ()), *_compatible(plan)),
    )
    return msgspec.structs.replace(record, task=task)


def _compatible(plan: Plan) -> tuple[str, ...]:
    assert plan.engine
    return () if plan.spec.compat == "none" else ("compat", *plan.engine.guests)


def _registration(record: JobRecord, plan: Plan) -> Registration | None:
    if plan.spec.model is None:
        return None
    lineage = lineage_of(record, plan.requirements.text if plan.requirements else "")
    return Registration(name=plan.spec.model.name, number=record.number, lineage=lineage)
