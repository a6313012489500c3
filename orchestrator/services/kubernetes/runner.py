"""Services in a cluster."""

import contextlib
import shutil
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from orchestrator.backends.kubernetes.api import Api
from orchestrator.backends.kubernetes.refusals import TroubleError, UnknownKindError
from orchestrator.backends.kubernetes.site import site_and_secret, user_keys
from orchestrator.backends.kubernetes.submit import SECRETS
from orchestrator.backends.kubernetes.usage import has_metrics
from orchestrator.config import Context
from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError, PreflightError, UsageError
from orchestrator.progress import Reporter
from orchestrator.services.ask import Answer, ServiceError
from orchestrator.services.kubernetes.await_ready import OvertakenError, await_ready
from orchestrator.services.kubernetes.kserve import kserve_manifests
from orchestrator.services.kubernetes.logs import read_logs
from orchestrator.services.kubernetes.manifests import HPA, ROUTE, SERVICES, manifests
from orchestrator.services.kubernetes.objects import END, POLL, Objects
from orchestrator.services.kubernetes.plan import GRPC_PORT, PORT_NAME, Plan, plan_of
from orchestrator.services.kubernetes.rollout import (
    is_done,
    not_growing,
    not_routed,
    restarts,
    short_of_memory,
    trouble,
)
from orchestrator.services.kubernetes.unused import unused
from orchestrator.services.place import Place
from orchestrator.services.record import ServiceRecord
from orchestrator.services.runner import Asker, Form
from orchestrator.services.shape import Shape
from orchestrator.services.state import ServiceState, ServiceView, elsewhere, of_answer

Json = dict[str, Any]


class InCluster:
    """Runs services as Deployments of a cluster.

    Args:
        context: With the cluster and its namespace.
        reporter: Told what a change waits for.
    """

    def __init__(self, context: Context, reporter: Reporter) -> None:
        self._context = context
        self._reporter = reporter
        self._api = Api(context)
        self._objects = Objects(self._api)

    @property
    def machine(self) -> str:
        return f"{self._api.namespace}@{self._api.host}"

    def changing(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()  # who is overtaken is told, see `await_ready`

    def new(self, name: str, port: int, shape: dict[str, object]) -> ServiceRecord:
        if port:
            raise UsageError("--port is for services of this machine", hint="in a cluster: --ingress HOST")
        return ServiceRecord(
            name=name,
            backend="kubernetes",
            machine=self.machine,
            grpc_port=GRPC_PORT,
            host=f"{self._api.place}, namespace {self._api.namespace}",
            shape=Shape().changed(**shape),
            created=time.time(),
        )

    def reshaped(self, record: ServiceRecord, shape: dict[str, object]) -> ServiceRecord:
        return msgspec.structs.replace(record, shape=record.shape.changed(**shape))

    def put(self, record: ServiceRecord, before: ServiceRecord) -> None:
        plan, secret = self._plan(record)
        live = self._objects.require_free(record.name, self._context.store)
        if live:
            now = live["spec"]["replicas"] if record.shape.max_replicas else 0
            fitting = min(max(now, record.shape.replicas), record.shape.max_replicas)
            plan = msgspec.structs.replace(plan, owner=live["metadata"]["uid"], replicas=fitting)
        self._objects.rehearse(plan)
        if record.shape.max_replicas and not has_metrics(self._api):
            self._reporter.note(f"{self._api.place} has no metrics server: it makes no more replicas under load")
        if secret is not None:
            self._api.apply(self._api.path(SECRETS, secret["metadata"]["name"]), secret)
        old = self._plan(before)[0] if before.shares else None
        try:
            if old:
                self._objects.drop(old, plan, only=HPA)  # else it would go on to say how many replicas there are
            plan = self._objects.apply(plan)
            await_ready(self._api, self._objects, plan, self._reporter)
        except OvertakenError:
            raise
        except BaseException:  # Ctrl-C as well
            self._go_back(live, plan, old)
            raise
        self._objects.apply_token(plan)
        if old:
            self._objects.drop(old, plan)

    def end(self, record: ServiceRecord) -> None:
        if live := self._objects.deployment(record.name):
            self._objects.again(live, replicas=0)
        deadline = time.monotonic() + END
        while self._objects.pods(record.name) and time.monotonic() < deadline:
            time.sleep(POLL)

    def forget(self, record: ServiceRecord) -> None:
        self._objects.delete(record.name)
        shutil.rmtree(self._place(record.name).folder, ignore_errors=True)

    def look(self, record: ServiceRecord) -> ServiceView:
        if record.machine != self.machine:
            return elsewhere(record)
        live = self._objects.deployment(record.name)
        if live is None:
            problem = f"its Deployment is gone from the cluster; mlctl service start {record.name}"
            return ServiceView(record, ServiceState.FAILED, problem)
        if record.stopped:
            return ServiceView(record, ServiceState.STOPPED)
        every = self._objects.pods(record.name)
        found = None if is_done(live) else trouble(live, every, {}, None)
        problem, times = found.message if found else "", restarts(every)
        available = live.get("status", {}).get("availableReplicas", 0)
        if not available:
            state = ServiceState.FAILED if found and not found.passes else ServiceState.STARTING
            return ServiceView(record, state, problem, times)
        try:
            told = self._told(record.name)
            view = of_answer(record, told, times)
            asked = [pod for pod in every if not pod["metadata"].get("deletionTimestamp")]
            idle = view.unused if len(asked) == 1 else unused(told, lambda: self._told(record.name), len(asked))
        except MlctlError as error:
            return ServiceView(record, ServiceState.RUNNING, problem or error.message, times, replicas=available)
        problem = view.problem or problem or short_of_memory(every) or self._beside(record)
        calls = view.calls if len(asked) == 1 else ()
        return msgspec.structs.replace(view, problem=problem, unused=idle, replicas=available, calls=calls)

    def asker(self, record: ServiceRecord, token: str) -> Asker:
        return lambda request: self._request("POST", record.name, "", request.body, request.kind, token)

    def token(self, name: str) -> str:
        return self._place(name).token()

    def save_token(self, name: str, token: str) -> None:
        self._place(name).save_token(token)

    def logs(self, record: ServiceRecord, *, models: bool, follow: bool) -> Generator[bytes]:
        return read_logs(self._api, self._objects, record.name, models=models, follow=follow)

    def manifests(self, record: ServiceRecord, token: str, form: Form) -> list[Json]:
        plan = msgspec.structs.replace(self._plan(record)[0], token=token)
        return kserve_manifests(plan) if form == "kserve" else list(manifests(plan).values())

    def _beside(self, record: ServiceRecord) -> str:
        """Return what is wrong beside the pods; empty if nothing is, or that may not be looked at."""
        wanted = ((HPA, record.shape.max_replicas, not_growing), (ROUTE, record.shape.gateway, not_routed))
        for kind, is_wanted, judge in wanted:
            with contextlib.suppress(PermissionDeniedError, UnknownKindError):
                found = self._api.find(self._api.path(kind, record.name)) if is_wanted else None
                if found and (said := judge(found, time.time())):
                    return said
        return ""

    def _plan(self, record: ServiceRecord) -> tuple[Plan, Json | None]:
        """Return what the manifests are made from, and the Secret of the store, if mlctl looks after it."""
        site, secret = site_and_secret(self._context, user_keys(self._context)())
        token = self.token(record.name)
        return plan_of(record.name, record.shares, record.tokens, record.shape, site, token=token), secret

    def _place(self, name: str) -> Place:
        """Return the folder of a service's token; `@` cannot be in the name of a service of this machine."""
        return Place(f"{name}@{self._context.name}")

    def _go_back(self, live: Json | None, plan: Plan, old: Plan | None) -> None:
        """Have what was in force before be so again."""
        if live is None:
            self._objects.delete(plan.name)
            return
        if old is None:
            self._objects.again(live)
            return
        self._objects.restore(live, old)
        self._objects.drop(plan, old)

    def _told(self, name: str) -> Json:
        """Return what a pod of a service, any of them, tells of itself. Raises ServiceError."""
        told: Json = self._request("GET", name, "service", b"", "", self.token(name)).document
        return told

    def _request(self, method: str, name: str, path: str, body: bytes, kind: str, token: str) -> Answer:
        """Ask a service through the API server.

        Raises:
            ServiceError: Nobody answers, or not in JSON.
        """
        headers = {key: value for key, value in (("Content-Type", kind), ("X-Auth-Token", token)) if value}
        url = self._api.path(SERVICES, f"{name}:{PORT_NAME}", part=f"proxy/{path}")
        try:
            answer = self._api.proxy(method, url, body, headers)
            return Answer(answer.status, msgspec.json.decode(answer.data), answer.headers.get("X-Mlctl-Model", ""))
        except (NotFoundError, PreflightError, TroubleError) as error:
            raise ServiceError(f"service {name} does not answer: {error.message}", hint="mlctl service list") from error
        except msgspec.DecodeError as error:
            raise ServiceError(f"service {name} answers something else than a service of mlctl") from error
