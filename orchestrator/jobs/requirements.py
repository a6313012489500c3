"""What a job's `pip-requirements.txt` asks for, and what is wrong with it, told before anything is submitted."""

import hashlib

from orchestrator.backends.base import Backend
from orchestrator.engines.catalog import Engine
from orchestrator.engines.lines import check_lines, is_plain, lines_of
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError
from orchestrator.errors import PermissionDeniedError
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.job import JobSpec
from orchestrator.store.archive import CodeSnapshot


def look_at_requirements(
    spec: JobSpec, code: CodeSnapshot, engine: Engine, sizes: Flavor | None, backend: Backend
) -> Requirements | None:
    """Return the packages that a job brings, as far as can be told such that can be had; None if it brings none.

    Raises:
        MlctlError: They cannot be had; see `requirements_of`.
    """
    # Of other images than the engine's for CPUs it is not known what is in them.
    pinned = not (spec.kubernetes.image or (sizes and sizes.gpus and engine.images.gpu))
    found = requirements_of(code, engine if pinned else None)
    if found:
        backend.check_requirements(engine, spec, found)
    return found


def requirements_of(code: CodeSnapshot, engine: Engine | None) -> Requirements | None:
    """Return the packages that a job brings; None if it brings none.

    Args:
        code: With the file.
        engine: Whose packages stay as they are; None if it is not known which these are.

    Raises:
        RequirementsError: A line cannot be understood, names what is not in the code, or contradicts the engine.
        PermissionDeniedError: The file cannot be read.
    """
    entry = next((entry for entry in code.manifest.entries if entry.path == FILE and entry.kind == "file"), None)
    if entry is None:
        return None
    path = code.folder / FILE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequirementsError(f"{path} is not UTF-8 text: {error.reason}", hint="save it as UTF-8") from error
    except OSError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    lines = list(lines_of(text, FILE))
    if not lines:
        return None
    check_lines(lines, engine, {found.path for found in code.manifest.entries})
    # What is named by its path may change without the file changing.
    sha256 = (
        entry.sha256
        if all(map(is_plain, lines))
        else hashlib.sha256(f"{entry.sha256} {code.sha256}".encode()).hexdigest()
    )
    return Requirements(folder=code.folder, text=text, sha256=sha256)
