"""Packages that a version's service needs and its engine lacks.

They are those that its job's code asked for in pip-requirements.txt, and those of `dependencies` in config.json:
https://support.huaweicloud.com/intl/en-us/inference-modelarts/inference-modelarts-0056.html
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.engines import Engine
from orchestrator.engines.extend import ensure_local_layer
from orchestrator.engines.lines import ARCHIVES, Line, check_lines, is_plain, lines_of
from orchestrator.engines.requirements import FILE, Requirements, RequirementsError
from orchestrator.models.package import CONFIG, FOLDER
from orchestrator.models.record import ModelVersion
from orchestrator.progress import Reporter
from orchestrator.store.archive import archive_key, extract_code
from orchestrator.store.base import ObjectNotFoundError, Store
from orchestrator.store.parallel import as_mlctl_error

DEPENDENCIES = "dependencies"
_SIGNS = {"EXACT": "==", "ATLEAST": ">=", "ATMOST": "<="}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?")
_HINT = "repair it and import the model again: mlctl model import ... --config config.json"


def dependencies_of(config: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the packages that a config.json names, as lines in pip's format; an archive by its path in the package.

    Raises:
        RequirementsError: It does not say what a package is.
    """
    dependencies = config.get(DEPENDENCIES)
    if dependencies is None:
        return
    if not isinstance(dependencies, list):
        raise _wrong(f'"{DEPENDENCIES}" is not a list')
    for one in dependencies:
        packages = one.get("packages") if isinstance(one, dict) else None
        if not isinstance(packages, list):
            raise _wrong(f'"{DEPENDENCIES}" has an entry without a list of "packages"')
        if one.get("installer", "pip") != "pip":
            raise _wrong(f'"{DEPENDENCIES}" has installer {one.get("installer")!r}: only pip is known')
        for package in packages:
            yield Line(CONFIG, _line(package))


def packages_of(version: ModelVersion) -> list[Line]:
    """Return all that a version asks for. Raises RequirementsError: its config.json does not say what a package is."""
    own = _of_job(version)
    known = {line.text for line in own}  # some versions of pip refuse to be asked twice
    return [*own, *(line for line in dependencies_of(version.config) if line.text not in known)]


def check_packages(version: ModelVersion, engine: Engine | None) -> None:
    """Refuse what a version asks for as far as it surely cannot be had, without asking any index.

    Args:
        version: Of a model.
        engine: Whose packages stay as they are; None if it is not known which these are.

    Raises:
        RequirementsError: It cannot be had; says why.
    """
    check_lines(_of_job(version), engine, None)
    check_dependencies(version.config, {entry.path for entry in version.manifest.entries}, engine)


def check_dependencies(config: Mapping[str, Any], paths: Collection[str], engine: Engine | None = None) -> None:
    """Refuse packages of a config.json that cannot be had, as `check_packages` does.

    Args:
        config: What is in it.
        paths: Of the package's files.
        engine: Whose packages stay as they are.

    Raises:
        RequirementsError: One cannot be had; the message begins with the file's name.
    """
    for line in dependencies_of(config):
        if line.text.endswith(ARCHIVES) and line.text not in paths:
            raise _wrong(f'"{DEPENDENCIES}" names {line.text}, and there is no {FOLDER}{line.text}')
        check_lines([line], engine, None)


def write_requirements(store: Store, version: ModelVersion, package: Path, folder: Path) -> Requirements | None:
    """Write the file that asks for a version's packages, with what its lines name beside it; None if it needs none.

    Args:
        store: Where the registry is, and the code of jobs.
        version: Of a model.
        package: Its files, which may be archives of packages.
        folder: Where to write; must not exist.

    Raises:
        RequirementsError: It cannot be understood what is asked for, or what it refers to is gone.
        MlctlError: The store fails, or the folder cannot be written.
    """
    lines = packages_of(version)
    if not lines:
        return None
    dependencies = [line.text for line in lines if line.place == CONFIG]
    # Without any this is the hash of the job's file: what was installed for the job does for the service, too.
    hashed = [version.lineage.requirements, *dependencies]
    hashed += [entry.sha256 for entry in version.manifest.entries if entry.path in dependencies]
    own = [str(package / text) if text.endswith(ARCHIVES) else text for text in dependencies]
    text = "\n".join([version.lineage.requirements, *own])
    try:
        if all(map(is_plain, _of_job(version))):
            folder.mkdir(parents=True)
        else:
            hashed.append(version.lineage.code_sha256)
            _bring_code(store, version, folder)
        (folder / FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise as_mlctl_error(error, f"cannot write {folder}") from error
    sha256 = hashlib.sha256("\n".join(hashed).encode()).hexdigest()
    return Requirements(folder=folder, text=text, sha256=sha256, what=f"the packages of {version.ref}")


def ensure_packages(
    store: Store, version: ModelVersion, package: Path, engine: Engine, *, reporter: Reporter
) -> Path | None:
    """Install a version's packages over an engine's environment on this machine, unless that was done before.

    Args:
        store: Where the registry is, and the code of jobs.
        version: Of a model.
        package: Its files.
        engine: What serves it.
        reporter: Told of long work.

    Returns:
        The folder that they are in; None if it needs none.

    Raises:
        RequirementsError: They cannot be had, or would change a package of the engine.
        MlctlError: The engine cannot be built, or the cache not be written.
    """
    check_packages(version, engine)
    with TemporaryDirectory(prefix="mlctl-packages-") as scratch:
        wanted = write_requirements(store, version, package, Path(scratch, "code"))
        return ensure_local_layer(engine, wanted, reporter=reporter) if wanted else None


def _of_job(version: ModelVersion) -> list[Line]:
    return list(lines_of(version.lineage.requirements, f"{FILE} of {version.lineage.job}"))


def _line(package: Any) -> str:
    name = package.get("package_name") if isinstance(package, dict) else None
    if not (name and isinstance(name, str)):
        raise _wrong(f'"{DEPENDENCIES}" has a package without "package_name"')
    version, restraint = package.get("package_version") or "", package.get("restraint") or "EXACT"
    if restraint not in _SIGNS:
        raise _wrong(f'"{DEPENDENCIES}" has {name} with restraint {restraint!r}: known are {", ".join(_SIGNS)}')
    if name.endswith(ARCHIVES):
        return name.removeprefix("./")
    if not _NAME.fullmatch(name):
        raise _wrong(f'"{DEPENDENCIES}" has "package_name" {name!r}: neither a package nor a wheel beside the model')
    return f"{name}{_SIGNS[restraint]}{version}" if version else name


def _bring_code(store: Store, version: ModelVersion, folder: Path) -> None:
    try:
        extract_code(store, archive_key(version.lineage.code_sha256), folder)
    except ObjectNotFoundError as error:
        message = f"{FILE} of {version.lineage.job} names files of its code, which is not in {store.url}"
        hint = f'put wheels beside the model, and their names into "{DEPENDENCIES}" of {CONFIG}'
        raise RequirementsError(message, hint=hint) from error


def _wrong(message: str) -> RequirementsError:
    return RequirementsError(f"{CONFIG}: {message}", hint=_HINT)
