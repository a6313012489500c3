"""The Kubernetes backend: submits jobs, tells the truth about them, reads their logs."""

import functools
import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from orchestrator.backends.base import Advice, Event, Launch, Run, Session, Usage
from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.cluster import JOBS, Cluster, when
from orchestrator.backends.kubernetes.container_log import ContainerLog
from orchestrator.backends.kubernetes.kubelet_log import KubeletLog
from orchestrator.backends.kubernetes.names import job_name
from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.backends.kubernetes.pod_log import PodLog
from orchestrator.backends.kubernetes.shell import kubectl_exec
from orchestrator.backends.kubernetes.site import image_of, order_of, site_and_secret, user_keys
from orchestrator.backends.kubernetes.state import judge
from orchestrator.backends.kubernetes.submit import manifests, submit
from orchestrator.backends.kubernetes.usage import metrics, usage_of
from orchestrator.config import Context
from orchestrator.engines.catalog import Engine
from orchestrator.engines.requirements import Requirements
from orchestrator.errors import ClusterError, MlctlError, PermissionDeniedError
from orchestrator.progress import SILENT, Reporter
from orchestrator.runtime.logread import PATIENCE, Live
from orchestrator.runtime.logship import first_chunk
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL, STATUS
from orchestrator.runtime.worker import FIRST, MAIN, Source, log_prefix
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.job import JobSpec
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import find, write

RUN_ID = 8  # bytes
AGAIN = 1.0  # seconds before it is looked again whether a pod has a log


class KubernetesSubmission:
    """The right to start one run: the objects' names are the run's, so whoever is first makes them."""

    def __init__(self, run_id: str, api: Api, site: Callable[[], tuple[Site, dict[str, Any] | None]]) -> None:
        self._id = run_id
        self._api = api
        self._site = site

    @property
    def id(self) -> str:
        return self._id

    def start(self, launch: Launch) -> Status:
        site, secret = self._site()
        submit(self._api, order_of(launch, self._id), site, secret)
        return Status(state=State.PENDING, message="the cluster has taken it")

    def release(self) -> None:
        pass  # nothing was made


class KubernetesBackend:
    """Runs jobs as pods of a cluster.

    Args:
        context: With the cluster and its namespace.
        reporter: Told once if the cluster cannot be asked.
    """

    name = "kubernetes"

    def __init__(self, context: Context, reporter: Reporter = SILENT) -> None:
        self._context = context
        self._reporter = reporter
        self._api = Api(context)
        self._cluster = Cluster(self._api)
        self._open = functools.cache(functools.partial(open_store, context=context.name))
        self._logs: dict[tuple[str, Source, int], Live] = {}
        self._looked: dict[tuple[str, Source, int], float] = {}
        self._told = False

    @functools.cached_property
    def place(self) -> str:
        return f"{self._api.namespace}@{self._api.host}"

    def advise(self, spec: JobSpec, sizes: Flavor, engine: Engine | None) -> Advice:
        self._api.prepare()
        warnings = []
        self._trial(spec, sizes)
        if self._keys().get("AWS_SESSION_TOKEN"):
            warnings.append("the keys to the store are temporary: a job that outlives them cannot save its output")
        return Advice(sizes.gpus, warnings)

    def rehearse(self, spec: JobSpec, sizes: Flavor) -> None:
        self._api.create(self._api.path(JOBS), self._trial(spec, sizes), rehearse=True)

    def environment(self, engine: Engine, spec: JobSpec, *, gpus: int) -> str:
        return image_of(engine, spec, gpus=gpus)

    def is_ready(self, engine: Engine, spec: JobSpec) -> bool:
        return True

    def check_requirements(self, engine: Engine, spec: JobSpec, requirements: Requirements) -> None:
        pass  # what is in the image, and which index pods reach, shows there

    def prepare(self, engine: Engine, spec: JobSpec, requirements: Requirements | None, reporter: Reporter) -> None:
        pass  # nodes pull images by themselves, and pods install packages

    def manifests(self, launch: Launch, run_id: str) -> list[dict[str, Any]]:
        return manifests(order_of(launch, run_id), self._site()[0])

    def submission(self, run_id: str | None = None) -> KubernetesSubmission:
        return KubernetesSubmission(run_id or secrets.token_hex(RUN_ID), self._api, self._site)

    def in_bulk(self) -> AbstractContextManager[None]:
        return nullcontext()  # to start a run is one request

    def observe(self, run: Run, status: Status | None, *, closely: bool, since: float = math.inf) -> Status:
        try:
            seen = self._cluster.seen(_name(run), closely=closely, since=since)
        except (ClusterError, PermissionDeniedError) as error:
            return self._unseen(status, error)
        store = self._open(run.task.store)
        ended = seen.job is None or pods.holds(seen.job, "Failed")
        cancelled = ended and store.head(run.task.prefix + CANCEL) is not None
        found = judge(status, seen, created=run.created, cancelled=cancelled, now=time.time())
        if found.hint:
            hint = found.hint.replace("{job}", run.task.job).replace("{version}", run.task.version)
            found = msgspec.structs.replace(found, hint=hint)
        if found.state.finished and found != status and found.reason is not Reason.NOT_STARTED:
            if seen.job is not None and not (ended or (status and status.state.finished)):
                self.forget(run)  # nothing will come of it any more, and its pod would stay
            return self._write(store, run, found)
        return found

    def last_known(self, run_id: str) -> Status | None:
        return None  # nothing of it is on this machine

    def runs(self) -> Iterator[Run]:
        return iter(())

    def events(self, run: Run) -> list[Event]:
        try:
            found = self._cluster.events(self._cluster.seen(_name(run), closely=False))
        except ClusterError as error:
            self._tell_unseen(error)
            return []
        return [
            Event(when(one), f"{about.get('kind', '').lower()} {about.get('name', '')}", one["reason"], one["message"])
            for one in found
            if (about := one.get("involvedObject") or {})
        ]

    def usage(self, runs: Sequence[Run]) -> dict[str, Usage]:
        try:
            found = metrics(self._api)
        except MlctlError as error:
            self._reporter.note(f"{error.message}: what jobs use is not known; {error.hint}")
            return {}
        every = self._cluster.all()
        return {run.id: usage for run in runs if (usage := usage_of(every.get(_name(run)), found)) is not None}

    def session(self, run: Run, command: Sequence[str], *, worker: int, terminal: bool) -> Session | None:
        seen = self._cluster.seen(_name(run), closely=False)
        running = [pod for pod in seen.pods if pods.index_of(pod) == worker and pods.is_running(pod, MAIN)]
        return Session(kubectl_exec(self._context, pods.name_of(running[0]), command, terminal)) if running else None

    def request_cancel(self, run: Run) -> None:
        self.forget(run)  # its pods get SIGTERM, and save what there is

    def live_log(self, run: Run, *, source: Source = MAIN, worker: int = FIRST) -> Live | None:
        which = run.id, source, worker
        if log := self._logs.get(which):
            return log
        now = time.monotonic()
        if now - self._looked.get(which, float("-inf")) < AGAIN:
            return None
        self._looked[which] = now
        try:
            seen = self._cluster.seen(_name(run), closely=False)
        except MlctlError:
            return None
        mine = [pod for pod in seen.pods if pods.index_of(pod) == worker]
        # Of a pod that replaces another, or a container that was started again, the log does not begin with the
        # first byte.
        if len(mine) != 1 or not pods.is_first_start(mine[0], source):
            return None
        pod, prefix = pods.name_of(mine[0]), run.task.prefix + log_prefix(source, worker)
        store = open_store(run.task.store, self._context.name, patience=PATIENCE)
        if source != MAIN:
            self._logs[which] = ContainerLog(self._api, pod, source, functools.partial(first_chunk, store, prefix))
        elif pods.is_running(mine[0], source):
            self._logs[which] = PodLog(KubeletLog(self._api, pod, source), store, prefix)
        return self._logs.get(which)

    def live_output(self, run: Run) -> None:
        return None  # what sync saves meanwhile is in the store

    def forget(self, run: Run) -> None:
        self._api.delete(self._api.path(JOBS, _name(run)))

    def _trial(self, spec: JobSpec, sizes: Flavor) -> dict[str, Any]:
        """Return a Job object like the one that will be made."""
        return manifests(Order.trial(spec, sizes), self._site()[0])[0]

    def _site(self) -> tuple[Site, dict[str, Any] | None]:
        return site_and_secret(self._context, self._keys())

    @functools.cached_property
    def _keys(self) -> Callable[[], dict[str, str]]:
        return user_keys(self._context)

    def _write(self, store: Store, run: Run, found: Status) -> Status:
        """Write down an end that nobody else will, unless somebody has."""
        key = run.task.prefix + STATUS
        written = find(store, key, Status)
        if written and written.state.finished and not written.unclear:
            return written
        write(store, key, found)
        return found

    def _unseen(self, status: Status | None, error: MlctlError) -> Status:
        """Return what is known without the cluster."""
        self._tell_unseen(error)
        if status is not None:
            return status
        return Status(state=State.PENDING, message=error.message, hint=error.hint)

    def _tell_unseen(self, error: MlctlError) -> None:
        if not self._told:
            self._told = True
            self._reporter.note(f"{error.message}: this is what the store knows; {error.hint}")


def _name(run: Run) -> str:
    return job_name(run.task.job, run.task.version, run.id)
