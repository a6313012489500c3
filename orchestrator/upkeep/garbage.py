"""What of a store nobody needs any more: found here, deleted by `collect`."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Literal

import msgspec

from orchestrator.datasets.versions import PACKS, version_prefix
from orchestrator.datasets.versions import ROOT as DATASETS
from orchestrator.errors import PermissionDeniedError, StoreError
from orchestrator.jobs.listing import read_versions
from orchestrator.jobs.record import ROOT as JOBS
from orchestrator.jobs.record import JobRecord, job_names
from orchestrator.jobs.record import version_prefix as job_version_prefix
from orchestrator.models.record import model_names
from orchestrator.progress import Reporter
from orchestrator.runtime.task import JOB
from orchestrator.specs.names import NAME_PATTERN, format_version
from orchestrator.store.archive import PREFIX as CODE
from orchestrator.store.base import Store, Unfinished, list_folders, list_objects
from orchestrator.store.condemned import PREFIX as LISTS
from orchestrator.store.condemned import is_list
from orchestrator.store.gather import gather
from orchestrator.store.records import find
from orchestrator.sweeps.record import RECORD as SWEEP
from orchestrator.sweeps.record import SweepRecord, sweep_names
from orchestrator.sweeps.record import version_prefix as sweep_version_prefix
from orchestrator.upkeep.model_files import OF_MODELS, unused_files
from orchestrator.upkeep.references import PackReferences, read_dataset_record, unused_code, unused_packs
from orchestrator.upkeep.survey import (
    Amount,
    DatasetSurvey,
    JobSurvey,
    SweepSurvey,
    survey_dataset,
    survey_job,
    survey_sweep,
)

Kind = Literal["pack", "code", "push", "dataset", "job", "sweep", "model", "upload", "list"]

_NAME = NAME_PATTERN.strip("^$")
_OF_DATASETS = rf"{DATASETS}{_NAME}/(?:V[0-9]{{4,}}/(?:files/.+|manifest\.json)|{PACKS}[0-9a-f]{{64}}\.tar)"
_OF_JOBS = rf"{JOBS}{_NAME}/V[0-9]{{4,}}/.+"
_UPLOAD = re.compile(rf"{_OF_DATASETS}|{_OF_JOBS}|{OF_MODELS}|{CODE}[0-9a-f]{{64}}\.tar\.gz")


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be deleted.

    Attributes:
        kind: `pack`: of a dataset; `code`: an archive; `push`: files of a version that never came to be; `dataset`,
            `job`, `sweep`: what a deleted version left; `model`: files of an import; `upload`: never ended; `list`:
            left by a collector that was killed.
        where: Key of the object; of a version, its prefix.
        why: Nobody needs it.
        objects: How many they are.
        size: Their bytes.
        modified: Seconds since the epoch, of the latest.
        name: Of the dataset, job, sweep or model.
        number: Of the version.
        upload: Its id.
    """

    kind: Kind
    where: str
    why: str
    objects: int = 1
    size: int
    modified: float
    name: str = ""
    number: int = 0
    upload: str = ""


class Findings(msgspec.Struct):
    """A whole store, looked through.

    Attributes:
        datasets, jobs, sweeps: What belongs to each.
        garbage: What can be deleted.
        references: The packs that versions refer to.
    """

    datasets: list[DatasetSurvey]
    jobs: list[JobSurvey]
    sweeps: list[SweepSurvey]
    garbage: list[Garbage]
    references: PackReferences


def look_through(store: Store, before: float, *, reporter: Reporter) -> Findings:
    """Find what nobody needs, in time proportional to the number of objects.

    Args:
        store: What to look through.
        before: Seconds since the epoch: what is younger is no garbage.
        reporter: Told of what could not be judged.

    Raises:
        PermissionDeniedError, StoreError: The store refuses or fails, or a job's record is damaged.
    """
    uploads = _uploads(store, reporter)
    references = PackReferences(store)
    datasets = gather(partial(survey_dataset, store), sorted(list_folders(store, DATASETS)))
    for dataset in datasets:
        references.learn(dataset)
    jobs = gather(partial(survey_job, store), job_names(store))
    garbage = [
        found
        for dataset in datasets
        for found in _of_dataset(store, dataset, uploads, references, before, reporter=reporter)
    ]
    garbage += [found for job in jobs for found in _of_job(store, job, before)]
    sweeps = gather(partial(survey_sweep, store), sweep_names(store))
    garbage += [found for sweep in sweeps for found in _of_sweep(store, sweep, before)]
    garbage += [found for name in model_names(store) for found in _of_model(store, name, uploads, before, reporter)]
    garbage += [
        Garbage(kind="code", where=item.key, why="no job refers to it", size=item.size, modified=item.modified)
        for item in unused_code(store)
        if item.modified < before
    ]
    garbage += [
        Garbage(
            kind="upload", where=one.key, why="it was never ended", size=one.size, modified=one.modified, upload=one.id
        )
        for one in uploads or ()
        if one.modified < before
    ]
    garbage += [
        Garbage(kind="list", where=item.key, why="its `store gc` was killed", size=item.size, modified=item.modified)
        for item in list_objects(store, LISTS)
        if is_list(item.key) and item.modified < before
    ]
    return Findings(datasets, jobs, sweeps, garbage, references)


def _uploads(store: Store, reporter: Reporter) -> list[Unfinished] | None:
    """Return the uploads that are mlctl's, None where the store does not tell: then nobody knows which pushes go on."""
    try:
        return [upload for upload in store.list_unfinished() if not upload.key or _UPLOAD.fullmatch(upload.key)]
    except (PermissionDeniedError, StoreError) as error:
        reporter.note(f"unfinished uploads and pushes are left alone: {error.message}")
        return None


def _of_dataset(
    store: Store,
    survey: DatasetSurvey,
    uploads: list[Unfinished] | None,
    references: PackReferences,
    before: float,
    *,
    reporter: Reporter,
) -> Iterator[Garbage]:
    name = survey.name
    if not survey.versions:
        return  # nothing tells that it is ours
    open_ = [version for version in survey.versions.values() if not version.record]
    unclear = False
    try:
        unused = unused_packs(store, name, references, over=frozenset(version.number for version in open_))
    except StoreError as error:
        reporter.note(f"the packs of dataset {name} are left alone: {error.message}")
        unused, unclear = list(survey.packs.values()), True  # as signs of life of a push, where they are young
    going_on = False
    for version in open_:
        prefix = version_prefix(name, version.number)
        signs = [upload.modified for upload in uploads or () if upload.key.startswith(prefix)]
        signs += [version.rest.modified, *(item.modified for item in unused)]
        if max(signs) < before and uploads is not None:
            yield _left("push", prefix, version.rest, "its push was never finished", name, version.number)
        else:
            going_on = True
    for version in survey.versions.values():
        if version.record and version.rest.objects and version.rest.modified < before:
            record = read_dataset_record(store, version.record)
            if record and record.deleted and record.deleted < before:
                prefix = version_prefix(name, version.number)
                yield _left("dataset", prefix, version.rest, "its version is deleted", name, version.number)
    for item in () if going_on or unclear else unused:
        if item.modified < before:
            why = f"no version of {name} refers to it"
            yield Garbage(kind="pack", where=item.key, why=why, size=item.size, modified=item.modified, name=name)


def _of_job(store: Store, survey: JobSurvey, before: float) -> Iterator[Garbage]:
    alive = {record.number for record, _ in read_versions(store, survey.name)}
    for number in survey.versions:
        amount = survey.left(number)
        if number in alive or not amount.objects or amount.modified >= before:
            continue
        prefix = job_version_prefix(survey.name, number)
        record = find(store, prefix + JOB, JobRecord)
        if record and record.deleted and record.deleted < before:
            yield _left("job", prefix, amount, "its version is deleted", survey.name, number)


def _of_sweep(store: Store, survey: SweepSurvey, before: float) -> Iterator[Garbage]:
    for number, amount in survey.rest.items():
        if number in survey.records and amount.modified < before:
            prefix = sweep_version_prefix(survey.name, number)
            record = find(store, prefix + SWEEP, SweepRecord)
            if record and record.deleted and record.deleted < before:
                yield _left("sweep", prefix, amount, "its version is deleted", survey.name, number)


def _of_model(
    store: Store, name: str, uploads: list[Unfinished] | None, before: float, reporter: Reporter
) -> Iterator[Garbage]:
    if uploads is None:
        return
    try:
        unused = unused_files(store, name)
    except StoreError as error:
        reporter.note(f"the files of model {name} are left alone: {error.message}")
        return
    for one in unused:
        signs = [upload.modified for upload in uploads if upload.key.startswith(one.prefix)]
        if max([one.amount.modified, *signs]) < before:
            yield _left("model", one.prefix, one.amount, f"no version of {name} refers to it", name, 0)


def _left(kind: Kind, prefix: str, amount: Amount, why: str, name: str, number: int) -> Garbage:
    return Garbage(
        kind=kind,
        where=prefix,
        why=why,
        objects=amount.objects,
        size=amount.size,
        modified=amount.modified,
        name=name,
        number=number,
    )


def ref_of(garbage: Garbage) -> str:
    """Return what people call it: the version, or the object's key."""
    return f"{garbage.name}/{format_version(garbage.number)}" if garbage.number else garbage.where or garbage.upload
