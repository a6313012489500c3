"""How much room each thing in a store takes, every object counted once."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from orchestrator.datasets.versions import ROOT as DATASETS
from orchestrator.datasets.versions import version_prefix
from orchestrator.errors import StoreError
from orchestrator.jobs.record import ROOT as JOBS
from orchestrator.jobs.record import version_prefix as job_version_prefix
from orchestrator.models.record import ROOT as MODELS
from orchestrator.runtime.task import JOB
from orchestrator.specs.names import format_version
from orchestrator.store.archive import PREFIX as CODE
from orchestrator.store.base import Store, list_folders, list_objects
from orchestrator.sweeps.record import ROOT as SWEEPS
from orchestrator.sweeps.record import version_prefix as sweep_version_prefix
from orchestrator.upkeep.garbage import Findings
from orchestrator.upkeep.model_files import is_of_model
from orchestrator.upkeep.references import PackReferences, is_code
from orchestrator.upkeep.survey import Amount, DatasetSurvey, JobSurvey, SweepSurvey, total

UseKind = Literal["dataset", "job", "sweep", "model", "code", "garbage", "other"]

SHOWN = 3  # versions that are named


class Use(msgspec.Struct, frozen=True):
    """What takes room.

    Attributes:
        kind: `dataset`, `job`, `sweep`, `model`, `code`, `garbage` (what `store gc` deletes), or `other` (what is not
            mlctl's).
        name: Of the dataset and version, or of the job, sweep or model.
        what: Which part of it.
        objects: How many they are.
        size: Their bytes.
    """

    kind: UseKind
    name: str
    what: str
    objects: int
    size: int


def usage_of(store: Store, found: Findings) -> list[Use]:
    """Return what takes room in a store that was looked through; the parts of one thing stand together.

    Raises:
        PermissionDeniedError, StoreError: The store refuses or fails.
    """
    garbage = {one.where for one in found.garbage}
    code, foreign = Amount(), _not_ours(store, garbage)
    for item in list_objects(store, CODE):
        if item.key not in garbage:
            (code if is_code(item.key) else foreign).add(item)
    rows = [row for dataset in found.datasets for row in _of_dataset(dataset, found.references, garbage)]
    rows += [row for job in found.jobs for row in _of_job(job, garbage)]
    rows += [row for sweep in found.sweeps for row in _of_sweep(sweep, garbage)]
    models = _of_models(store, garbage, foreign)
    rows += [_use("model", name, "files and records", amount) for name, amount in sorted(models.items())]
    rows.append(_use("code", "", "archives", code))
    for kind in sorted({one.kind for one in found.garbage}):
        some = [one for one in found.garbage if one.kind == kind]
        rows.append(Use("garbage", "", kind, sum(one.objects for one in some), sum(one.size for one in some)))
    beside = [one.foreign for one in found.datasets] + [one.foreign for one in found.jobs]
    foreign = total([foreign, *beside, *(one.foreign for one in found.sweeps)])
    rows.append(_use("other", "", "not mlctl's", foreign))
    return [row for row in rows if row.objects]


def _of_dataset(survey: DatasetSurvey, references: PackReferences, garbage: Collection[str]) -> Iterator[Use]:
    name = survey.name
    exclusive: dict[int, Amount] = defaultdict(Amount)
    shared, unused = Amount(), Amount()
    sharing: set[int] = set()
    users = _users(survey, references)
    for key, item in survey.packs.items():
        numbers = users.get(key, [])
        if len(numbers) == 1:
            exclusive[numbers[0]].add(item)
        elif numbers:
            shared.add(item)
            sharing.update(numbers)
        elif key not in garbage:
            unused.add(item)
    tombs = Amount()
    for number, version in sorted(survey.versions.items()):
        ref = f"{name}/{format_version(number)}"
        dropped = version_prefix(name, number) in garbage
        if version.record and (dropped or not version.rest.objects):
            tombs.add(version.record)
        elif version.record:
            files = total([version.rest])
            files.add(version.record)
            yield _use("dataset", ref, "files", files)
        elif not dropped:
            yield _use("dataset", ref, "files of an unfinished push", version.rest)
        if number in exclusive:
            yield _use("dataset", ref, "packs", exclusive[number])
    yield _use("dataset", name, f"packs shared by {_named(sorted(sharing))}", shared)
    yield _use("dataset", name, "packs that no version has, or not yet", unused)
    yield _use("dataset", name, "records of deleted versions", tombs)


def _users(survey: DatasetSurvey, references: PackReferences) -> dict[str, list[int]]:
    """Return who uses each pack; a version whose manifest cannot be read is left out."""
    users: dict[str, list[int]] = defaultdict(list)
    for number in sorted(survey.versions):
        with suppress(StoreError):
            for key in references.of(survey.name, number) or ():
                users[key].append(number)
    return users


def _of_job(survey: JobSurvey, garbage: Collection[str]) -> Iterator[Use]:
    parts: dict[str, list[Amount]] = defaultdict(list)
    for number, version in survey.versions.items():
        dropped = job_version_prefix(survey.name, number) in garbage
        for part, amount in version.items():
            if part == JOB or not dropped:
                parts["records" if part == JOB else part].append(amount)
    parts["records"].append(survey.pages)
    for part in ("logs", "output", "records"):
        yield _use("job", survey.name, part, total(parts[part]))


def _of_sweep(survey: SweepSurvey, garbage: Collection[str]) -> Iterator[Use]:
    kept = [rest for number, rest in survey.rest.items() if sweep_version_prefix(survey.name, number) not in garbage]
    records = total(kept)
    for record in survey.records.values():
        records.add(record)
    yield _use("sweep", survey.name, "records", records)


def _of_models(store: Store, garbage: Collection[str], foreign: Amount) -> dict[str, Amount]:
    """Return what belongs to each model, by name; what is not mlctl's is counted as foreign."""
    found: dict[str, Amount] = defaultdict(Amount)
    for item in list_objects(store, MODELS):
        parts = item.key.split("/")
        if "/".join(parts[:4]) + "/" not in garbage:  # models/NAME/files/PREFIX/
            (found[parts[1]] if is_of_model(item.key) else foreign).add(item)
    return found


def _not_ours(store: Store, garbage: Collection[str]) -> Amount:
    """Return what is beside mlctl's own folders."""
    found = Amount()
    page = store.list_page("", delimiter="/")
    items = list(page.objects)
    for folder in list_folders(store, ""):
        if folder + "/" not in (DATASETS, JOBS, SWEEPS, MODELS, CODE):
            items += list_objects(store, folder + "/")
    for item in items:
        if item.key not in garbage:
            found.add(item)
    return found


def _named(numbers: Sequence[int]) -> str:
    names = [format_version(number) for number in numbers]
    if len(names) > SHOWN:
        names = [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
    return " and ".join([", ".join(names[:-1]), *names[-1:]]) if len(names) > 1 else "".join(names)


def _use(kind: UseKind, name: str, what: str, amount: Amount) -> Use:
    return Use(kind, name, what, amount.objects, amount.size)
