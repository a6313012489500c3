"""A job's code: where it is, what it holds, and whether it can be started."""

from pathlib import Path

from orchestrator.config import bucket_of
from orchestrator.errors import MlctlError, NotFoundError
from orchestrator.jobs.script_args import Declared, declared_arguments
from orchestrator.progress import Reporter
from orchestrator.specs.job import JobSpec
from orchestrator.specs.names import nearest
from orchestrator.store import open_store
from orchestrator.store.archive import CodeSnapshot, snapshot_code

SHOWN = 5  # scripts that are named


def look_at_code(
    spec: JobSpec, folder: Path, context: str | None, problems: list[MlctlError], *, reporter: Reporter
) -> tuple[CodeSnapshot | None, Declared]:
    """Return a snapshot of the code, None where there is a problem with it, and the arguments that its script declares.

    Args:
        spec: The job's spec; its code is a folder, or a prefix in a bucket, which is fetched.
        folder: Where its relative paths start from.
        context: Name of the context that buckets are reached by.
        problems: Where problems are collected.
        reporter: Told of what is fetched.
    """
    try:
        snapshot = _snapshot(spec.code, folder, context, reporter)
    except MlctlError as error:
        problems.append(error)
        return None, Declared()
    paths = {entry.path for entry in snapshot.manifest.entries}
    if spec.boot_file in paths:
        return snapshot, declared_arguments(snapshot.folder / spec.boot_file, snapshot.folder)
    scripts = sorted(path for path in paths if path.endswith(".py"))
    near = nearest(spec.boot_file, scripts)
    ignored = next((skip for skip in snapshot.skipped if skip.path == spec.boot_file), None)
    if ignored:
        message, hint = f"boot_file {spec.boot_file} is left out of the code: {ignored.reason}", "change the rule"
    else:
        where = spec.code if bucket_of(spec.code) else snapshot.folder
        message = f"there is no boot_file {spec.boot_file} in {where}"
        hint = f"did you mean {near}?" if near else f"scripts there: {', '.join(scripts[:SHOWN]) or 'none'}"
    problems.append(NotFoundError(message, hint=hint))
    return snapshot, Declared()


def _snapshot(code: str, folder: Path, context: str | None, reporter: Reporter) -> CodeSnapshot:
    if not bucket_of(code):
        return snapshot_code(folder / code.removeprefix("file://"))
    from orchestrator.store.checkout import check_out

    return snapshot_code(check_out(open_store(code, context), reporter=reporter), alone=True)
