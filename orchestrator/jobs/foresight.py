"""What of a script will probably go wrong, told from its source before anything is submitted."""

import ast
import re
from collections.abc import Container, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.datasets.catalog import CatalogEntry
from orchestrator.engines.catalog import Engine, list_engines
from orchestrator.errors import PreflightError
from orchestrator.jobs.script_args import Declared
from orchestrator.runtime.task import URLS
from orchestrator.specs.job import JobSpec
from orchestrator.specs.names import nearest

SHOWN = 5  # files that are named
_PYTHON_2 = re.compile(
    r"^\s*(?:print\s+[\"'\w]|exec\s+[\"'\w]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)", re.MULTILINE
)


def passed(spec: JobSpec, declared: Declared) -> Container[str]:
    """Return the names of the platform's arguments that the script gets: those it declares, or those the spec says."""
    return declared.names if spec.pass_args is None else spec.pass_args


def urls_passed(spec: JobSpec, declared: Declared) -> tuple[str, ...]:
    """Return which of data_url and train_url the script gets as arguments of these names.

    They are kept from a script that would refuse them, and from one for which the spec says where they go.
    """
    refused = bool(declared.names) and not declared.tolerant and not declared.computed
    asked = (*declared.names, *(spec.pass_args or ()))
    return tuple(url for url in URLS if url in asked or not (refused or _named(spec)))


def _named(spec: JobSpec) -> set[str]:
    """Return which of the two the spec has in its parameters and variables, as in `${data_url}`."""
    values = [str(value) for value in (*spec.parameters.values(), *spec.env.values())]
    return {url for url in URLS if any(f"${{{url}}}" in value for value in values)}


def argument_warnings(spec: JobSpec, declared: Declared) -> list[str]:
    """Tell of parameters that the script does not declare, and of a script without data_url or train_url."""
    if not declared.names or declared.computed:
        return []  # not all is known of this script
    warnings = []
    for key in spec.parameters:
        if key not in declared.names:
            near = nearest(key, declared.names - set(URLS))
            meant = f"; did you mean {near}?" if near else ""
            effect = "ignores it" if declared.tolerant else "will probably refuse it"
            warnings.append(f"{spec.boot_file} does not declare --{key} and {effect}{meant}")
    from_variables = {name.removeprefix("DLS_").lower() for name in declared.variables}
    told = {*urls_passed(spec, declared), *_named(spec), *from_variables}
    for url, what in zip(URLS, ("the data is", "output goes"), strict=True):
        if url not in told and (spec.data or url != "data_url"):
            warnings.append(
                f"{spec.boot_file} does not declare --{url} and does not get it; "
                f"say which of its own tells where {what}: parameters: {{NAME: '${{{url}}}'}} (docs/job-spec.md)"
            )
    return warnings


def syntax_warnings(script: Path, engine: Engine) -> list[str]:
    """Tell of a script that is written for another Python than the engine's, and which engine has that.

    Args:
        script: The boot file.
        engine: What it is to run in.
    """
    source = script.read_text(encoding="utf-8", errors="replace")
    here = engine.python[0]
    if (error := _error(source, here)) is None:
        return []
    where = f"{script.name}, line {error.lineno}"
    if match := _PYTHON_2.search(source):
        line = source.count("\n", 0, match.end())
        return [
            f"{script.name}, line {line + 1} is written for Python 2, and {engine.name} has {here}: "
            "convert it (2to3 -w); no engine has Python 2"
        ]
    suiting = [one for one in list_engines() if _error(source, one.python[0]) is None]
    suiting.sort(key=lambda one: (one.framework != engine.framework, one.name))
    if not suiting:
        return [f"{where}: {error.msg}"]
    names = " or ".join(f"{one.name} ({one.python[0]})" for one in suiting[:2])
    return [f"{where} is written for a later Python than {here}, which {engine.name} has; try engine {names}"]


def _error(source: str, version: str) -> SyntaxError | None:
    """Return what a Python of that version would not understand, as far as ours can tell."""
    major, minor = map(int, version.split("."))
    try:
        ast.parse(source, feature_version=(major, minor))
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError):
        return None
    return None


def require_gpus_of_use(spec: JobSpec, engine: Engine, gpus: int) -> None:
    """Refuse GPUs that would stand idle wherever the job runs.

    Raises:
        PreflightError: The engine computes on CPUs alone.
    """
    if not gpus or engine.images.gpu or engine.local.gpu or spec.kubernetes.image:
        return
    suiting = ", ".join(one.name for one in list_engines() if one.images.gpu)
    raise PreflightError(
        f"engine {engine.name} computes on CPUs alone, and the job asks for {gpus} GPU{'s' if gpus > 1 else ''}",
        hint=f"leave the GPUs out, or take an engine that uses them ({suiting})",
    )


def layout_warnings(script: Path, files: Sequence[str], catalog: Sequence[CatalogEntry]) -> list[str]:
    """Tell of files that the script names, and that its data does not have.

    Only what is surely meant as a file of data counts: what a dataset of the catalog has, or what differs from the name
    of a file that is there by signs such as `.` and `-`.

    Args:
        script: The boot file.
        files: Paths of the data.
        catalog: Datasets that can be imported.
    """
    there = {PurePosixPath(path).name for path in files}
    if not there:
        return []
    datasets = {entry.name: {PurePosixPath(path).name for path in entry.paths} for entry in catalog}
    shown = ", ".join(sorted(there)[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
    missing: dict[str, list[str]] = {}
    for name in sorted(_names(script) - there):
        having = [dataset for dataset, names in datasets.items() if name in names]
        if having:
            remedy = f"in the catalog: data: {' or '.join(f'dataset://{dataset}' for dataset in having)}"
        elif near := next((other for other in sorted(there) if _alike(name, other)), None):
            remedy = f"did you mean {near}?"
        else:
            continue
        missing.setdefault(remedy, []).append(name)
    return [
        f"{script.name} reads {', '.join(names)}, which its data does not have (it has {shown}); {remedy}"
        for remedy, names in missing.items()
    ]


def _names(script: Path) -> set[str]:
    """Return the last parts of all texts in a script that may be paths."""
    try:
        tree = ast.parse(script.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {PurePosixPath(text).name for text in texts if text and not any(sign.isspace() for sign in text)}


def _alike(one: str, other: str) -> bool:
    """Tell whether two names differ by their signs between words alone, as in `a.b` and `a-b`."""
    return re.split(r"[._-]", one) == re.split(r"[._-]", other)
