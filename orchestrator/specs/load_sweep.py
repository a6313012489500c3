"""A sweep's YAML file, with the job that it names, to a validated sweep spec."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from orchestrator.specs.dimension import Dimension
from orchestrator.specs.document import Document, fail, parse_document
from orchestrator.specs.job import JobSpec, ParameterValue
from orchestrator.specs.load import LoadedSpec, check_flavor, load_job_spec, read_text
from orchestrator.specs.overrides import assign
from orchestrator.specs.scalars import describe, show
from orchestrator.specs.sweep import SweepSpec
from orchestrator.specs.validate import Problems, build
from orchestrator.specs.variables import substitute

_HINT = "every key, with examples: mlctl schema sweep"


class LoadedSweep(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep spec and the job that it is about.

    Attributes:
        spec: The sweep.
        job: The job, whose parameters are those of the first corner of the search space.
        path: The sweep's file.
    """

    spec: SweepSpec
    job: LoadedSpec
    path: Path


def load_sweep_spec(
    path: str | Path, *, assignments: Iterable[str] = (), environ: Mapping[str, str] = os.environ
) -> LoadedSweep:
    """Read a sweep's YAML file, and that of its job.

    Args:
        path: The file.
        assignments: `--set` arguments, such as `budget.trials=5`, applied in order.
        environ: Where the job's variables are looked up.

    Raises:
        SpecError: One of them is not a valid spec; each line of the message is one problem and starts with its place.
        NotFoundError: There is no such file.
        PermissionDeniedError: It cannot be read.
        UsageError: It is a folder, or cannot be a file.
    """
    file, text = read_text(path, "a sweep's YAML file", "sweep.yaml")
    document = parse_document(text, str(path))
    if not isinstance(document.data, dict):
        reason = f"a sweep is a mapping with name, job, parameters and objective, not {describe(document.data)}"
        fail(document.place(()), reason, hint=_HINT)
    for assignment in assignments:
        assign(document, assignment)
    problems = Problems()
    inline = isinstance(document.data.get("job"), dict)
    if inline:
        part = document.part("job")
        substitute(part, environ)
        document.data = {**document.data, "job": part.data}
        check_flavor(part, problems)
    spec = build(document, SweepSpec, problems)
    problems.raise_if_any(hint=_HINT)
    assert spec is not None  # without problems there is a spec
    if isinstance(spec.job, JobSpec):
        job = LoadedSpec(spec=spec.job, folder=file.parent, path=file)
    else:
        job = load_job_spec(file.parent / spec.job, environ=environ)
        _require_same_kinds(document, spec, job.spec)
    first = {name: corner(dimension) for name, dimension in spec.space.items()}
    job = msgspec.structs.replace(job, spec=with_parameters(job.spec, first))
    return LoadedSweep(spec=spec, job=job, path=file)


def corner(dimension: Dimension) -> ParameterValue:
    """Return the first value of a dimension."""
    return dimension.at(0) if dimension.size else float(dimension.bounds[0])


def with_parameters(spec: JobSpec, parameters: Mapping[str, ParameterValue]) -> JobSpec:
    """Return the spec with some of its parameters changed or added."""
    return msgspec.structs.replace(spec, parameters={**spec.parameters, **parameters})


def _require_same_kinds(document: Document, spec: SweepSpec, job: JobSpec) -> None:
    """Refuse to search among numbers what the job's own file gives as text, or the other way round."""
    problems = Problems()
    for name, dimension in spec.space.items():
        if name in job.parameters and not dimension.has(value := job.parameters[name]):
            reason = f"`parameters.{name}` has nothing of the kind of {show(value)}, which {spec.job} gives"
            problems.add(document.place(("parameters", name)), reason)
    problems.raise_if_any(hint="is it another parameter that is meant?")
