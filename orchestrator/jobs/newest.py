"""The latest version of each of many jobs, by a listing of all that they have instead of some requests for each.

Keys come in order, and of each version only record and state count. A listing that gets lost among logs and
outputs is given up, and what is behind it is asked for job by job.
"""

from collections.abc import Iterator

from orchestrator.jobs.listing import Found, newest
from orchestrator.jobs.record import ROOT, JobRecord, job_names, number_of
from orchestrator.runtime.status import Status
from orchestrator.runtime.task import JOB, STATUS
from orchestrator.store.base import ObjectInfo, ObjectNotFoundError, Store
from orchestrator.store.cache import get_cached
from orchestrator.store.gather import gather
from orchestrator.store.records import decode

PAGE = 5000  # keys that are listed at once
WORTH = 20  # jobs; to ask for fewer one by one takes no longer than such a page

Infos = dict[str, ObjectInfo]  # of a version's record and state, by their names


def newest_of_all(store: Store) -> list[Found]:
    """Return record and status of the latest version of each job that has one which is not deleted."""
    names = job_names(store)
    many = len(names) >= WORTH and not store.url.startswith("file:")
    listed = dict(_listed(store)) if many else {}

    def latest(name: str) -> Found | None:
        return _read(store, listed.get(name, {})) or newest(store, name)

    return [pair for pair in gather(latest, names) if pair]


def _listed(store: Store) -> Iterator[tuple[str, Infos]]:
    """Yield jobs, each with what the listing shows of its latest version."""
    versions: dict[str, dict[int, Infos]] = {}
    token = ""
    while True:
        page = store.list_page(ROOT, token=token, limit=PAGE)
        keys = [info.key for info in page.objects]
        if keys != sorted(keys, key=str.encode):
            return  # a server with an order of its own: what comes later may belong to any job
        for info in page.objects:
            name, version, rest = _parts(info.key)
            if rest in (JOB, STATUS):
                versions.setdefault(name, {}).setdefault(number_of(version), {})[rest] = info
        unsure = _parts(keys[-1])[0] if page.token else ""  # of this one there may be more
        whole = [name for name in versions if name != unsure]
        for name in whole:
            found = versions.pop(name)
            yield name, found[max(found)]
        if not page.token or len(whole) < WORTH:
            return
        token = _behind(keys[-1])


def _parts(key: str) -> tuple[str, str, str]:
    """Return a job's name, the folder of a version, and what is in there."""
    name, _, rest = key.removeprefix(ROOT).partition("/")
    version, _, rest = rest.partition("/")
    return name, version, rest


def _behind(key: str) -> str:
    """Return a key to go on from: of a folder below a version, as that of an output, nothing more is needed."""
    name, version, rest = _parts(key)
    folder, inside, _ = rest.partition("/")
    return f"{ROOT}{name}/{version}/{folder}0" if inside else key  # 0 is what comes after the slash


def _read(store: Store, infos: Infos) -> Found | None:
    """Return record and status, or None if somebody has to look closer."""
    if JOB not in infos:
        return None
    try:
        # The status first, as always: one that is gone because the version was deleted comes with a marked record.
        status = decode(get_cached(store, infos[STATUS]).data, Status, STATUS) if STATUS in infos else None
        record = decode(get_cached(store, infos[JOB]).data, JobRecord, infos[JOB].key)
    except ObjectNotFoundError:
        return None
    return None if record.deleted else (record, status)
