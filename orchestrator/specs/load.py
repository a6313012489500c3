"""A job's YAML file, with what the command line changes, to a validated job spec."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from orchestrator.errors import NotFoundError, PermissionDeniedError, UsageError
from orchestrator.specs.document import MAX_BYTES, Document, fail, parse_document
from orchestrator.specs.flavors import list_flavors
from orchestrator.specs.job import JobSpec
from orchestrator.specs.names import nearest
from orchestrator.specs.overrides import assign, assign_parameter
from orchestrator.specs.scalars import describe
from orchestrator.specs.validate import Problems, build
from orchestrator.specs.variables import substitute

SHOWN = 5  # files of a folder named in a hint

_HINT = "every key, with examples: mlctl schema job"


class LoadedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A job spec and where it came from.

    Attributes:
        spec: The job, paths as they were written.
        folder: Absolute folder that relative paths count from.
        path: The YAML file, or None for text.
    """

    spec: JobSpec
    folder: Path
    path: Path | None = None

    def resolve(self, path: str) -> Path:
        """Return the absolute path of a folder that the spec names."""
        return self.folder / path


def load_job_spec(
    path: str | Path,
    *,
    assignments: Iterable[str] = (),
    parameters: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> LoadedSpec:
    """Read a job's YAML file.

    Args:
        path: The file.
        assignments: `--set` arguments, such as `resources.gpus=2`, applied in order.
        parameters: `-p` arguments, such as `num_epochs=3`, applied after them.
        environ: Where the spec's variables are looked up.

    Raises:
        SpecError: It is not a valid spec; each line of the message is one problem and starts with
            its place, `file.yaml:LINE:COLUMN: ` or the argument.
        NotFoundError: There is no such file.
        PermissionDeniedError: It cannot be read.
        UsageError: It is a folder, or cannot be a file.
    """
    file, text = read_text(path, "a job's YAML file", "job.yaml")
    return parse_job_spec(
        text,
        source=str(path),
        folder=file.parent,
        path=file,
        assignments=assignments,
        parameters=parameters,
        environ=environ,
    )


def read_text(path: str | Path, what: str, example: str) -> tuple[Path, bytes]:
    """Return a file that a user named and what is in it, but no more than a spec may be.

    Args:
        path: Of the file.
        what: It should be, as in `a job's YAML file`.
        example: Such a file's usual name.

    Raises:
        NotFoundError, PermissionDeniedError, UsageError: As `load_job_spec`.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            return file.absolute(), stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", hint=_suggest_file(file)) from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a folder, not {what}", hint=_suggest_file(file / example)) from error
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        raise UsageError(f"cannot read {str(path)!r}: {error}", hint="check the path") from error


def parse_job_spec(
    text: str | bytes,
    *,
    folder: Path,
    source: str = "<text>",
    path: Path | None = None,
    assignments: Iterable[str] = (),
    parameters: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> LoadedSpec:
    """Validate the text of a job's YAML file; `load_job_spec` says more.

    Args:
        text: YAML.
        folder: Absolute folder that relative paths count from.
        source: Name of the text in messages.
        path: The file that it was read from.
        assignments: `--set` arguments.
        parameters: `-p` arguments.
        environ: Where the spec's variables are looked up.

    Raises:
        SpecError: It is not a valid spec.
    """
    document = parse_document(text, source)
    if document.data is None:
        fail(document.place(()), "there is nothing in it; a job needs name, engine, code and boot_file", hint=_HINT)
    if not isinstance(document.data, dict):
        reason = f"a job is a mapping of keys to values, such as `name: mnist-mxnet`, not {describe(document.data)}"
        fail(document.place(()), reason, hint=_HINT)
    for assignment in assignments:
        assign(document, assignment)
    for parameter in parameters:
        assign_parameter(document, parameter)
    substitute(document, environ)
    problems = Problems()
    spec = build(document, JobSpec, problems)
    check_flavor(document, problems)
    problems.raise_if_any(hint=_HINT)
    assert spec is not None  # without problems there is a spec
    return LoadedSpec(spec=spec, folder=folder, path=path)


def check_flavor(document: Document, problems: Problems) -> None:
    """Add to the problems of a job's document that it names a flavor which does not exist."""
    resources = document.data.get("resources")
    wanted = resources.get("flavor") if isinstance(resources, dict) else None
    if not isinstance(wanted, str):
        return
    names = [flavor.name for flavor in list_flavors()]
    if wanted not in names:
        meant = nearest(wanted, names)
        advice = f"did you mean `{meant}`?" if meant else f"there are {', '.join(names)}"
        problems.add(document.place(("resources", "flavor")), f"there is no flavor {describe(wanted)}; {advice}")


def _suggest_file(path: Path) -> str:
    """Return the hint for a missing file: the nearest YAML file of its folder."""
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml")]
    except OSError:
        return "give the path of a job's YAML file, such as job_specs/mnist-mxnet.yaml"
    if not names:
        return f"there is no YAML file in {path.parent}"
    stems = {Path(name).stem: name for name in sorted(names)}  # what all names end with makes none of them near
    if meant := nearest(path.stem, stems):
        return f"did you mean {path.parent / stems[meant]}?"
    return f"YAML files in {path.parent}: {', '.join(sorted(names)[:SHOWN])}{', ...' * (len(names) > SHOWN)}"
