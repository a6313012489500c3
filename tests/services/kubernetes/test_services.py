"""A service on a cluster: deploy, share, roll back, scale, stop, delete; and what is told where that cannot be."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from orchestrator.client import Client
from orchestrator.errors import ConflictError, MlctlError, PreflightError
from orchestrator.progress import SILENT, Bar, Unit
from orchestrator.services.kubernetes.objects import Objects
from orchestrator.services.kubernetes.runner import InCluster
from orchestrator.services.place import Place
from orchestrator.services.state import ServiceState
from tests.engines.conftest import make_wheel
from tests.kubernetes.standin import Standin
from tests.kubernetes.standin.resources import SERVICES
from tests.services.conftest import ECHO
from tests.waiting import wait_until

ENGINE = "plain-1"


def answer_of(client, **options) -> str:
    return client.services.predict("echo", json=b"{}", **options).document["answer"]


def deploy(client, version, **options):
    return client.services.deploy(version, engine=ENGINE, **options)


@contextmanager
def asked_all_the_time(client) -> Iterator[list[tuple[int, str]]]:
    """Ask a service from two threads until the end; yield status and answer of each request."""
    found: list[tuple[int, str]] = []
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            try:
                answer = client.services.predict("echo", json=b"{}")
                found.append((answer.status, answer.document.get("answer", "")))
            except MlctlError as error:
                found.append((0, error.message))
            time.sleep(0.02)

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_versions_take_over_under_load_and_no_request_is_lost(client, model, standin: Standin):
    view, _ = deploy(client, model("one"))
    assert (view.state, view.url) == (ServiceState.RUNNING, "http://echo.default.svc")
    assert answer_of(client) == "one"
    assert client.services.predict("echo", json=b"{}", token="wrong").status == 401
    with asked_all_the_time(client) as answers:
        view, again = deploy(client, model("two"), traffic=10)
        assert ([share.text for share in view.record.shares], again) == (["echo/v1 90%", "echo/v2 10%"], "")
        wait_until(lambda: (200, "two") in answers)
        client.services.traffic("echo", {"2": 100})
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 10)
        assert {answer for _, answer in answers[seen + 5 :]} == {"two"}
        with pytest.raises(PreflightError, match="No module named 'nowhere'"):
            deploy(client, model("three", source="import nowhere"))
        assert client.services.get("echo").record.shares[0].text == "echo/v2 100%"
        view = client.services.rollback("echo")
        assert [share.text for share in view.record.shares] == ["echo/v1 90%", "echo/v2 10%"]
    assert {status for status, _ in answers} == {200}, {text for status, text in answers if status != 200}


def objects_of(standin: Standin) -> set[str]:
    """Return the kinds that there are of a service's objects."""
    kinds = ("deployments", "services", "secrets", "poddisruptionbudgets", "horizontalpodautoscalers", "ingresses")
    found = [one for kind in kinds for one in standin.objects(kind)]
    return {one["kind"] for one in found if "mlctl/service" in one["metadata"]["labels"]}


def test_scaled_stopped_started_and_deleted(client, model, standin: Standin, monkeypatch):
    deploy(client, model("one"), shape={"replicas": 2, "ingress": "echo.lab"})
    every = {"Deployment", "Service", "Secret", "PodDisruptionBudget", "Ingress"}
    assert objects_of(standin) == every
    log = b"".join(client.services.logs("echo"))
    assert log.count(b"in force") == 0
    assert {answer_of(client) for _ in range(5)} == {"one"}
    known, elsewhere = client.services.get("echo"), Place("echo@lab")
    token = elsewhere.token()
    elsewhere.save_token("")  # as on a machine that never knew it
    assert client.services.get("echo") == known
    assert client.services.predict("echo", json=b"{}").status == 401
    assert answer_of(client, token=token) == "one"
    elsewhere.save_token(token)
    monkeypatch.setattr("orchestrator.services.kubernetes.unused.DAY", 0.0)
    wait_until(lambda: client.services.get("echo").unused > 0)  # when both pods were heard
    assert b'"path":"/"' in b"".join(client.services.logs("echo"))
    view = client.services.scale("echo", 1)
    assert (view.record.shape.replicas, view.record.shape.ingress) == (1, "echo.lab")
    assert objects_of(standin) == every - {"PodDisruptionBudget"}
    token = client.services.new_token("echo")
    assert answer_of(client, token=token) == answer_of(client) == "one"
    assert len([one for one in standin.objects("secrets") if "settings.json" in one["data"]]) == 1
    assert client.services.stop("echo").state is ServiceState.STOPPED
    with pytest.raises(MlctlError, match="no endpoints available"):
        answer_of(client)
    assert client.services.start("echo").state is ServiceState.RUNNING
    assert answer_of(client) == "one"
    client.services.delete("echo")
    wait_until(lambda: not objects_of(standin))
    assert client.services.list() == []


def test_what_never_ran_leaves_nothing_and_what_is_others_stays(client, model, standin: Standin, monkeypatch):
    monkeypatch.setattr("orchestrator.services.kubernetes.await_ready.STUCK", 0.5)
    standin.images.break_off("example/plain", "not found")
    with pytest.raises(PreflightError, match="image example/plain cannot be pulled"):
        deploy(client, model("one"))
    standin.images.repair("example/plain")
    with pytest.raises(PreflightError, match="No module named 'nowhere'"):
        deploy(client, model("two", source="import nowhere"))
    changed = model("three")
    client.store.put(f"{changed.prefix}customize_service.py", b"something else")
    with pytest.raises(PreflightError, match=r"(?s)cannot be fetched: .*customize_service\.py"):
        deploy(client, changed)
    with pytest.raises(PreflightError, match="none of 1 node can take it"):
        deploy(client, model("one"), shape={"cpus": 1000})
    wait_until(lambda: not objects_of(standin))
    foreign = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": {"ports": [{"port": 1}]}}
    standin.api.create(SERVICES, "default", foreign)
    with pytest.raises(ConflictError, match="has a Service named shop that is not mlctl's"):
        deploy(client, model("one"), name="shop")


def test_packages_that_the_image_lacks_are_installed_in_the_pod(client, model, tmp_path):
    make_wheel(tmp_path, "beta")
    (wheel,) = tmp_path.glob("beta*.whl")
    source = ECHO.replace("import os", "import beta, os").replace('"ANSWER"', "beta.version")
    asked = [{"installer": "pip", "packages": [{"package_name": wheel.name}]}]
    version = model("one", source=source, dependencies=asked, files={wheel.name: wheel})
    deploy(client, version, environment={"PIP_NO_INDEX": "1"})
    assert answer_of(client) == "1.0"
    asked[0]["packages"].append({"package_name": "nowhere"})
    version = model("two", source=source, dependencies=asked, files={wheel.name: wheel})
    with pytest.raises(PreflightError, match=r"echo/v2 cannot be loaded: .*cannot be installed: .*nowhere") as caught:
        deploy(client, version, environment={"PIP_NO_INDEX": "1"})
    assert "PIP_INDEX_URL" in caught.value.hint
    assert answer_of(client) == "1.0"


def test_a_change_without_room_waits_says_so_and_is_taken_back(client, model, monkeypatch):
    deploy(client, model("one"), shape={"cpus": 5})  # of the node's eight
    monkeypatch.setattr("orchestrator.services.kubernetes.await_ready.STUCK", 0.5)
    monkeypatch.setattr("orchestrator.services.kubernetes.await_ready.PATIENCE", 5)
    full = "1 of 1 node could take it and is full"
    with pytest.raises(PreflightError, match=f"not ready after 5 s: {full}") as caught:
        deploy(Client("lab", reporter=(told := Notes())), model("two"))
    assert "room for one more pod" in caught.value.hint
    assert any(full in note for note in told.notes)
    assert answer_of(client) == "one"


def test_a_service_that_waits_for_room_is_starting(client, model, monkeypatch):
    deploy(client, model("one"), shape={"cpus": 5})  # of the node's eight
    monkeypatch.setattr("orchestrator.services.kubernetes.await_ready.STUCK", 0.5)
    found = []

    def look(message: str) -> None:
        if "could take it and is full" in message:
            found.append(client.services.get("more"))
            raise KeyboardInterrupt

    monkeypatch.setattr(told := Notes(), "note", look)
    with pytest.raises(KeyboardInterrupt):
        deploy(Client("lab", reporter=told), model("two"), name="more", shape={"cpus": 5})
    (view,) = found
    assert (view.state, "Insufficient cpu" in view.problem) == (ServiceState.STARTING, True)


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def bar(self, label: str, *, total: int | None, unit: Unit) -> AbstractContextManager[Bar]:
        return SILENT.bar(label, total=total, unit=unit)


def settings_of(standin: Standin) -> int:
    return len([one for one in standin.objects("secrets") if "settings.json" in one["data"]])


def test_an_interrupted_change_is_taken_back_and_a_killed_one_repeated(client, model, standin: Standin, monkeypatch):
    deploy(client, model("one"))
    two = model("two")
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr("orchestrator.services.kubernetes.runner.await_ready", interrupt)
        deploy(client, two)
    assert (answer_of(client), settings_of(standin)) == ("one", 1)
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("orchestrator.services.kubernetes.runner.await_ready", interrupt)
        killed.setattr(InCluster, "_go_back", lambda *_: None)
        deploy(client, two)
    assert client.services.get("echo").record.shares[0].number == 1
    deploy(client, two)
    assert (answer_of(client), settings_of(standin)) == ("two", 1)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_who_is_overtaken_says_so_and_takes_nothing_back(client, model, standin: Standin, monkeypatch):
    deploy(client, model("one"))
    two = model("two")
    apply = Objects.apply

    def apply_and_be_overtaken(self, plan):
        monkeypatch.setattr(Objects, "apply", apply)
        made = apply(self, plan)
        client.services.new_token("echo")
        return made

    monkeypatch.setattr(Objects, "apply", apply_and_be_overtaken)
    with pytest.raises(ConflictError, match="somebody else has changed the service echo meanwhile"):
        deploy(client, two)
    assert (answer_of(client), client.services.get("echo").record.shares[0].number) == ("one", 1)
