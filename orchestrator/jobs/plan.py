"""What `create` is going to do, found out without changing anything."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orchestrator.backends.base import Advice, Backend
from orchestrator.config import bucket_of
from orchestrator.datasets import Datasets
from orchestrator.datasets.versions import DatasetVersion
from orchestrator.engines.catalog import Engine, get_engine
from orchestrator.engines.requirements import Requirements, RequirementsError
from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError, PreflightError, StoreError
from orchestrator.jobs.budget import Budget, budget_of
from orchestrator.jobs.changes import Change, changes_between
from orchestrator.jobs.code import look_at_code
from orchestrator.jobs.foresight import argument_warnings, layout_warnings, passed, require_gpus_of_use, syntax_warnings
from orchestrator.jobs.listing import get_record
from orchestrator.jobs.places import output_url
from orchestrator.jobs.record import DataRef, EngineRef, JobRecord
from orchestrator.jobs.requirements import look_at_requirements
from orchestrator.jobs.script_args import Declared, render_arguments
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.distributed import FLAGS
from orchestrator.specs.flavors import Flavor, resolve_resources
from orchestrator.specs.job import JobSpec, parse_dataset_url
from orchestrator.specs.load import LoadedSpec
from orchestrator.store import open_store
from orchestrator.store.archive import CodeSnapshot
from orchestrator.store.base import CorruptObjectError, Store
from orchestrator.store.scan import Scan, scan_data

Found = TypeVar("Found")
FEW_FILES = 1000  # of which it is looked whether the script names others


class DataPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job's data comes from.

    Attributes:
        name: The dataset.
        version: Its version, if it is in the store (of a folder: as far as names, sizes and times tell).
        folder: The local folder that is pushed as its next version, if its content has changed.
        scan: What that folder holds.
        wanted: What has to be done first: nothing, `push` or `import`.
    """

    name: str
    version: DatasetVersion | None = None
    folder: Path | None = None
    scan: Scan | None = None
    wanted: str = ""


class Plan(msgspec.Struct, kw_only=True):
    """Everything that determines a job version, and what is to be said about it beforehand.

    Attributes:
        name: Of the job.
        spec: As written, overrides applied.
        folder: Where its paths start from.
        source: The spec's file, or its folder.
        code: The snapshot of the code folder, not yet stored; None if there is a problem with it.
        data: Where the data comes from; None for a job without data.
        engine: The framework environment; None if it is unknown.
        engine_ready: Whether its environment is built.
        requirements: The packages that the job brings.
        environment: What that is: the hash of a local one, or an image.
        sizes: What the job gets.
        gpus: GPUs it gets here.
        budget: How long it may run, and what that costs; None if there is a problem with it.
        arguments: The script's, after data_url and train_url.
        declared: What arguments the script declares.
        flags: Those for workers of several that it declares.
        previous: The version before, if there is one.
        changes: What differs from it.
        warnings: What will probably go wrong, or is not as asked.
        problems: What makes the job impossible; `create` refuses.
    """

    name: str
    spec: JobSpec
    folder: Path
    source: Path
    code: CodeSnapshot | None
    data: DataPlan | None
    engine: Engine | None
    engine_ready: bool
    requirements: Requirements | None
    environment: str
    sizes: Flavor | None
    gpus: int
    budget: Budget | None
    arguments: list[str]
    declared: Declared
    flags: tuple[str, ...]
    previous: JobRecord | None
    changes: list[Change]
    warnings: list[str]
    problems: list[MlctlError]

    def engine_ref(self) -> EngineRef:
        """Return the engine as it goes into the record."""
        assert self.engine is not None
        engine = self.engine
        return EngineRef(
            name=engine.name, framework=engine.framework, version=engine.version, environment=self.environment
        )

    def digest(self, data: DataRef | None) -> str:
        """Return the hash of all that determines the run, given the dataset version it reads."""
        assert self.code is not None
        parts = [self.code.sha256, data and data.sha256, self.engine_ref(), self.arguments, self.spec_document()]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def spec_document(self) -> dict[str, Any]:
        """Return the spec as plain data."""
        document: dict[str, Any] = msgspec.to_builtins(self.spec)
        return document


def make_plan(
    loaded: LoadedSpec,
    store: Store,
    datasets: Datasets,
    *,
    backend: Backend,
    context: str | None,
    reporter: Reporter = SILENT,
) -> Plan:
    """Look at everything a job needs, change nothing.

    Args:
        loaded: The spec and the folder that its paths start from.
        store: Where the job's record will be.
        datasets: The datasets of that store.
        backend: Where it will run.
        context: Name of the context that stores are reached by.
        reporter: Told of what is fetched.

    Returns:
        The plan, with all problems and warnings that could be found, not only the first.
    """
    spec = loaded.spec
    problems: list[MlctlError] = []
    code, declared = look_at_code(spec, loaded.folder, context, problems, reporter=reporter)
    data = _look_at_data(spec, loaded.folder, datasets, problems)
    engine = _try(lambda: get_engine(spec.engine), problems)
    sizes = _try(lambda: resolve_resources(spec.resources), problems)
    previous = _previous(store, spec.name)
    advice = (_try(partial(backend.advise, spec, sizes, engine), problems) if sizes else None) or Advice(0, [])
    warnings = [*advice.warnings, *argument_warnings(spec, declared)]
    if code and engine and (script := code.folder / spec.boot_file).is_file():
        warnings += syntax_warnings(script, engine)
        warnings += layout_warnings(script, _try(lambda: _data_files(data, datasets), []) or [], datasets.catalog())
    requirements = None
    if code and engine:
        requirements = _try(partial(look_at_requirements, spec, code, engine, sizes, backend), problems)
    if engine and sizes:
        _try(partial(require_gpus_of_use, spec, engine, sizes.gpus), problems)
    _try(store.check_writable, problems)
    output = output_url(spec, loaded.folder, store)
    if spec.output:
        _try(lambda: open_store(output, context).check_writable(), problems)
    if spec.data_mode == "url" and not (bucket_of(store.url) and bucket_of(output)):
        what, hint = (
            ("this output", "an output in a bucket")
            if bucket_of(store.url)
            else ("this store", "a context with a bucket")
        )
        message = f"data_mode `url` gives the script URLs of a bucket; {what} is a folder"
        problems.append(PreflightError(message, hint=f"use `data_mode: local`, or {hint}"))
    plan = Plan(
        name=spec.name,
        spec=spec,
        folder=loaded.folder,
        source=loaded.path or loaded.folder,
        code=code,
        data=data,
        engine=engine,
        requirements=requirements,
        engine_ready=bool(engine and _try(partial(backend.is_ready, engine, spec), [])),
        environment=backend.environment(engine, spec, gpus=sizes.gpus if sizes else 0) if engine else "",
        sizes=sizes,
        gpus=advice.gpus,
        budget=_try(partial(budget_of, spec, sizes, backend.name), problems) if sizes else None,
        arguments=arguments_of(spec, declared, advice.gpus),
        declared=declared,
        flags=tuple(name for name in FLAGS if name in passed(spec, declared)) if spec.resources.nodes > 1 else (),
        previous=previous,
        changes=[],
        warnings=warnings,
        problems=problems,
    )
    plan.changes = changes_between(previous, plan) if previous else []
    return plan


def _look_at_data(spec: JobSpec, folder: Path, datasets: Datasets, problems: list[MlctlError]) -> DataPlan | None:
    if spec.data is None:
        return None
    if dataset := parse_dataset_url(spec.data):
        plan = _try(lambda: _dataset_plan(*dataset, datasets), problems)
        if plan and plan.version and not _suits(plan.version, spec):
            message = (
                f"data {plan.version.url} is stored packed, and with data_mode `url` the script reads files itself"
            )
            hint = f"mlctl dataset push FOLDER --name {plan.name} --layout plain; or use `data_mode: local`"
            problems.append(PreflightError(message, hint=hint))
        return plan
    if spec.data.startswith(("s3://", "obs://")):
        hint = "bring it in: mlctl dataset push FOLDER --name NAME, then data: dataset://NAME"
        problems.append(NotFoundError(f"data {spec.data} is in a bucket that this context does not have", hint=hint))
        return None
    source = folder / spec.data.removeprefix("file://")
    meant = None if source.exists() else _try(lambda: _dataset_plan(str(spec.data), None, datasets), [])
    if meant:
        message, hint = f"there is no folder {source}, but a dataset {meant.name}", f"data: dataset://{meant.name}"
        problems.append(NotFoundError(message, hint=hint))
        return None
    scan = _try(lambda: scan_data(source), problems)
    if scan is None:
        return None
    if not scan.files:
        problems.append(
            NotFoundError(f"data folder {source} has no files", hint="put the data there, or correct `data:`")
        )
        return None
    name = f"{spec.name}-data"
    version = _looks_same(scan, name, datasets)
    if version and not _suits(version, spec):
        version = None
    return DataPlan(name=name, version=version, folder=source, scan=scan, wanted="" if version else "push")


def _suits(version: DatasetVersion, spec: JobSpec) -> bool:
    """Return whether a script that gets URLs finds the version's files under their names."""
    return spec.data_mode == "local" or version.layout == "plain"


def _looks_same(scan: Scan, name: str, datasets: Datasets) -> DatasetVersion | None:
    """Return the dataset's latest version if names, sizes and times are the folder's; `create` looks closer."""
    try:
        version = datasets.get(name)
        entries = datasets.manifest(version).entries
    except (NotFoundError, CorruptObjectError):
        return None
    before = {(entry.path, entry.size, entry.mtime_ns) for entry in entries if entry.kind == "file"}
    return version if before == {(file.path, file.size, file.mtime_ns) for file in scan.files} else None


def _dataset_plan(name: str, number: int | None, datasets: Datasets) -> DataPlan:
    try:
        return DataPlan(name=name, version=datasets.get(name, number))
    except NotFoundError:
        if number in (None, 1) and any(entry.name == name for entry in datasets.catalog()):
            return DataPlan(name=name, wanted="import")
        raise


def _try(look: Callable[[], Found], problems: list[MlctlError]) -> Found | None:
    """Return what `look` returns; collect its error instead of raising it, so that all are shown at once."""
    try:
        return look()
    except MlctlError as error:
        problems.append(error)
        return None


def _previous(store: Store, name: str) -> JobRecord | None:
    try:
        return get_record(store, name, None)
    except NotFoundError:
        return None


def arguments_of(spec: JobSpec, declared: Declared, gpus: int) -> list[str]:
    """Return the script's arguments after data_url and train_url."""
    wanted = passed(spec, declared)
    platform: dict[str, str | int | float | bool] = {"num_gpus": gpus} if "num_gpus" in wanted else {}
    return render_arguments({**platform, **spec.parameters}, declared)


def _data_files(data: DataPlan | None, datasets: Datasets) -> list[str]:
    """Return the paths of the data, if they are known without much ado."""
    if data and data.scan:
        return [found.path for found in data.scan.files]
    if data and data.version and data.version.files <= FEW_FILES:
        return [entry.path for entry in datasets.manifest(data.version).entries if entry.kind == "file"]
    return []


def require_possible(plan: Plan, *also: Path) -> None:
    """Raise the plan's problems, if it has any, as one PreflightError.

    Args:
        plan: The plan.
        also: Files that the problems may be in, beside that of the spec.
    """
    if plan.problems:
        lines = [f"\n  - {error.message}" + (f" ({error.hint})" if error.hint else "") for error in plan.problems]
        elsewhere = PermissionDeniedError | StoreError | RequirementsError
        hint = f"correct {' or '.join(dict.fromkeys(map(str, (*also, plan.source))))} and run it again"
        if all(isinstance(error, elsewhere) for error in plan.problems):  # nothing is wrong with the spec
            lines, hint = [f"\n  - {error.message}" for error in plan.problems], plan.problems[0].hint
        raise PreflightError(f"job {plan.name} cannot work:{''.join(lines)}", hint=hint)
