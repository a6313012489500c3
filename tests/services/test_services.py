"""From a version to answers: deploy, share, roll back, stop; and what is told when something is in the way."""

import os
import re
import signal
import socket
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import msgspec
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_service_pb2_grpc

from orchestrator import config
from orchestrator.client import Client
from orchestrator.config import home_dir, machine_id
from orchestrator.errors import ConflictError, MlctlError, NotFoundError, PreflightError, UsageError
from orchestrator.ports import free_ports
from orchestrator.services import here, local
from orchestrator.services.place import Place
from orchestrator.services.record import ServiceRecord, find_service, record_key
from orchestrator.services.state import ServiceState
from orchestrator.store.gather import gather
from orchestrator.store.records import change, claim
from tests.engines.conftest import make_wheel, take_from
from tests.jobs.conftest import processes_of
from tests.services.conftest import DOUBLE, ECHO
from tests.serving.tensorflow_client import request
from tests.waiting import wait_until

ENGINE = "plain-1"


def answer_of(client, **options) -> str:
    return client.services.predict("echo", json=b"{}", **options).document["answer"]


def deploy(client, version, **options):
    return client.services.deploy(version, engine=ENGINE, **options)


def test_a_version_answers_and_the_next_one_takes_over(client, model):
    view, token = deploy(client, model("one"))
    assert (view.state, view.record.shares[0].text) == (ServiceState.RUNNING, "echo/v1 100%")
    begun = time.time()
    assert answer_of(client) == "one"
    asked = time.time()
    assert client.services.get("echo").unused > 0
    looked = time.time()
    unused = client.services.get("echo").unused  # being looked at is no use
    assert looked - asked <= unused <= time.time() - begun
    assert client.services.predict("echo", json=b"{}", token="wrong").status == 401
    port = view.record.port
    view, again = deploy(client, model("two"))
    assert (token != "", again, view.record.port) == (True, "", port)
    assert answer_of(client) == "two"
    view = client.services.rollback("echo")
    assert (view.record.shares[0].text, answer_of(client)) == ("echo/v1 100%", "one")
    client.services.rollback("echo")
    assert answer_of(client) == "two"
    assert [one.what for one in view.record.history] == ["deploy", "deploy", "rollback"]


def test_it_is_asked_over_grpc_too(client, model):
    view, token = deploy(client, model("one", source=DOUBLE))
    options = {"metadata": [("x-auth-token", token)], "wait_for_ready": True, "timeout": 60}
    with grpc.insecure_channel(view.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.name = "echo"
        assert stub.GetModelMetadata(asked, **options).model_spec.version.value == 1
        with pytest.raises(grpc.RpcError, match="the model's engine has no NumPy"):
            stub.Predict(request(np.array([[1, 2]], np.float32)), **options)


def test_an_open_service_asks_for_no_token_until_it_has_one(client, model):
    view, token = deploy(client, model("one"), open=True)
    assert (token, view.record.token) == ("", "")
    with grpc.insecure_channel(view.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.name = "echo"
        assert stub.GetModelMetadata(asked, 60.0, wait_for_ready=True).model_spec.version.value == 1
    _, token = deploy(client, model("two"))
    assert (token, answer_of(client)) == ("", "two")
    client.services.new_token("echo")
    assert answer_of(client) == "two"
    assert client.services.predict("echo", json=b"{}", token="wrong").status == 401
    with pytest.raises(UsageError, match="service echo asks for a token"):
        deploy(client, model("three"), open=True)


def test_a_file_goes_into_the_field_that_the_model_names(client, model, tmp_path):
    deploy(client, model("one"))
    picture = tmp_path / "seven.png"
    picture.write_bytes(b"\x89PNG")
    assert client.services.predict("echo", files=[picture]).document["fields"] == ["picture"]
    with pytest.raises(NotFoundError, match=r"nothing\.png"):
        client.services.predict("echo", files=[tmp_path / "nothing.png"])


def test_requests_are_shared(client, model):
    deploy(client, model("one"))
    view, _ = deploy(client, model("two"), traffic=20)
    assert [share.text for share in view.record.shares] == ["echo/v1 80%", "echo/v2 20%"]
    assert {answer_of(client) for _ in range(100)} == {"one", "two"}
    view = client.services.traffic("echo", {"v1": 0, "v2": 100})
    assert {answer_of(client) for _ in range(20)} == {"two"}
    for weights in ({"v1": 50}, {"v1": 150, "v2": -50}, {}):
        with pytest.raises(UsageError, match="must be 100 together"):
            client.services.traffic("echo", weights)
    with pytest.raises(NotFoundError, match="has no version 9"):
        client.services.traffic("echo", {"v9": 100})
    with pytest.raises(UsageError, match="not possible"):
        deploy(client, model("two"), traffic=0)


def test_shares_are_named_as_versions_are_named_elsewhere(client, model, tmp_path):
    deploy(client, model("one"))
    model("two")
    client.models.set_alias("echo", "champion", "v2")
    other = client.models.import_(str(tmp_path / "two"), "other")
    texts = lambda view: [share.text for share in view.record.shares]  # noqa: E731
    with pytest.raises(UsageError, match="echo/V0001 is named twice"):
        client.services.traffic("echo", {"v1": 60, "V0001": 40})
    view, _ = deploy(client, other, name="echo", traffic=50)
    assert texts(view) == ["echo/v1 50%", "other/v1 50%"]
    with pytest.raises(UsageError, match="v1 could be echo/v1 or other/v1"):
        client.services.traffic("echo", {"v1": 100})
    assert texts(client.services.traffic("echo", {"other/v1": 10, "echo/1": 90})) == ["other/v1 10%", "echo/v1 90%"]
    deploy(client, client.models.get("echo", "v2"), traffic=10)
    assert texts(client.services.traffic("echo", {"echo/champion": 100})) == ["echo/v2 100%"]


def test_pictures_are_prepared_for_who_answers(client, model):
    deploy(client, model("one"))
    deploy(client, model("two"), traffic=None)
    assert client.services.newest("echo").number == 1
    deploy(client, client.models.get("echo", "v2"), traffic=50)
    assert client.services.newest("echo").number == 2


def test_a_shadow_gets_copies_and_nobody_gets_its_answers(client, model, tmp_path):
    with pytest.raises(UsageError, match="no version yet that answers"):
        deploy(client, model("one"), traffic=None)
    deploy(client, model("one"))
    with pytest.raises(UsageError, match="echo/v1 is what answers"):
        deploy(client, model("one"), traffic=None)
    seen = tmp_path / "seen"
    view, _ = deploy(
        client,
        model("two", source=ECHO.replace("return {", f"open({str(seen)!r}, 'a').write('x'); return {{")),
        traffic=None,
    )
    assert [share.text for share in view.record.shares] == ["echo/v1 100%", "echo/v2 shadow"]
    assert {answer_of(client) for _ in range(10)} == {"one"}
    wait_until(lambda: seen.exists() and len(seen.read_text()) == 10)
    view, _ = deploy(client, model("three"), traffic=50)
    assert [share.text for share in view.record.shares] == ["echo/v1 50%", "echo/v3 50%", "echo/v2 shadow"]
    view = client.services.traffic("echo", {"2": 100})
    assert ([share.text for share in view.record.shares], answer_of(client)) == (["echo/v2 100%"], "two")


def test_a_versions_own_variables_stay_with_it(client, model):
    source = ECHO.replace('"ANSWER"', 'os.environ.get("OWN", "nothing")')
    deploy(client, model("one", source=source), environment={"OWN": "a=b c"})
    assert answer_of(client) == "a=b c"
    deploy(client, model("two", source=source.replace("nothing", "two")), traffic=10)
    client.services.traffic("echo", {"v1": 0, "v2": 100})
    assert answer_of(client) == "two"
    client.services.traffic("echo", {"V0001": 100})
    assert answer_of(client) == "a=b c"


def test_packages_that_the_engine_lacks_are_there(client, model, tmp_path, monkeypatch):
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "beta")
    take_from(tmp_path / "wheels", monkeypatch)
    source = ECHO.replace("import os", "import beta, os").replace('"ANSWER"', "beta.version")
    with pytest.raises(PreflightError, match=r"packages of echo/V0001 cannot be installed for plain-1: .*gamma"):
        deploy(client, model("one", source=source, dependencies=asking("beta", "gamma")))
    assert not Place("echo").settings_path.exists()
    deploy(client, model("two", source=source, dependencies=asking("beta")))
    assert answer_of(client) == "1.0"


def asking(*names):
    return [{"installer": "pip", "packages": [{"package_name": name} for name in names]}]


def test_what_cannot_be_loaded_leaves_what_is_in_force(client, model):
    deploy(client, model("one"))
    with pytest.raises(PreflightError, match="No module named 'nowhere'"):
        deploy(client, model("two", source="import nowhere"))
    assert answer_of(client) == "one"
    assert [share.text for share in client.services.get("echo").record.shares] == ["echo/v1 100%"]
    deploy(client, model("three"))
    assert answer_of(client) == "three"


def test_a_first_version_that_cannot_be_loaded_leaves_nothing_running(client, model):
    with pytest.raises(PreflightError, match="No module named 'nowhere'") as caught:
        deploy(client, model("one", source="import nowhere"))
    assert not re.search(r"exit code|Application|started again|\n", caught.value.message)
    assert "mlctl model lint echo/v1 --load" in caught.value.hint
    assert not Place("echo").folder.exists()
    assert client.services.list() == []
    deploy(client, model("two"))
    assert answer_of(client) == "two"


SLOW = ECHO.replace(
    "class Echo",
    "import time\nopen(BEGUN, 'w').close()\nwhile not os.path.exists(GO): time.sleep(0.05)\n\nclass Echo",
)


def test_who_loses_patience_leaves_nothing_running(client, model, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    slow = model("slow", source=SLOW.replace("BEGUN", repr(str(begun))).replace("GO", repr(str(go))))
    with interrupted(begun, go), pytest.raises(KeyboardInterrupt):
        deploy(client, slow)
    assert (client.services.list(), Place("echo").is_kept, Place("echo").folder.exists()) == ([], False, False)
    deploy(client, model("one"))
    begun.unlink()
    go.unlink()
    with interrupted(begun, go), pytest.raises(KeyboardInterrupt):
        deploy(client, slow)
    deploy(client, model("two"), traffic=50)  # when the slow one was loaded and dropped
    assert {answer_of(client) for _ in range(40)} == {"one", "two"}


@contextmanager
def interrupted(begun: Path, go: Path):
    """Interrupt this thread, as Ctrl-C does, when the one file is there; then make the other."""

    def interrupt() -> None:
        wait_until(begun.exists)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        go.touch()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_home_that_cannot_be_written_is_named(client, model):
    version = model("one")
    (home_dir() / "locks").write_text("in the way")
    with pytest.raises(MlctlError, match=r"cannot write .*locks/service-echo"):
        deploy(client, version)
    assert client.services.list() == []


def test_changes_at_the_same_time_come_one_after_the_other(client, model):
    deploy(client, model("one"))
    versions = [model(answer) for answer in ("two", "three", "four")]
    gather(lambda one: deploy(Client(), one, traffic=50), versions)
    record = client.services.get("echo").record
    assert [len(change.shares) for change in record.history] == [1, 2, 3, 4]
    assert sorted(share.weight for share in record.shares) == [12, 13, 25, 50]
    every = {answer_of(client) for _ in range(300)}
    assert every == {"one", "two", "three", "four"}


def test_a_port_is_for_new_services_and_has_to_be_free(client, model):
    version, port = model("one"), free_ports(1)[0]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        begun = time.monotonic()
        with pytest.raises(ConflictError, match=f"port {port} is taken") as caught:
            deploy(client, version, port=port)
        assert (time.monotonic() - begun < local.END, "another --port" in caught.value.hint) == (True, True)
    view, _ = deploy(client, version, port=port)
    assert view.record.port == port
    with pytest.raises(UsageError, match=f"service echo listens at another port than {port + 1}: {port}"):
        deploy(client, version, port=port + 1)
    assert deploy(client, version, port=port)[0].state is ServiceState.RUNNING


def test_a_service_that_answers_otherwise_or_not_at_all_says_so(client, model, monkeypatch):
    deploy(client, model("one"))
    deploy(client, model("two"), traffic=50)
    before = find_service(client.store, "echo")
    changed = msgspec.structs.replace(before, shares=before.shares[:1])
    change(client.store, record_key("echo"), ServiceRecord, lambda _: changed)  # as if nobody had written the last
    assert client.services.get("echo").problem.startswith("it answers with echo/v1 50%, echo/v2 50%; ")
    assert client.services.start("echo").problem == ""
    (front,) = [pid for pid in processes_of("orchestrator.serving") if parent_of(pid) == Place("echo").kept().pid]
    monkeypatch.setattr(here, "LOOK", 0.5)
    os.kill(front, signal.SIGSTOP)
    try:
        view = client.services.get("echo")
    finally:
        os.kill(front, signal.SIGCONT)
    assert (view.state, "does not answer: timed out" in view.problem) == (ServiceState.FAILED, True)


def test_why_a_service_cannot_come_back_is_told(client, model, monkeypatch):
    monkeypatch.setattr(here, "LOOK", 0.5)
    deploy(client, model("one"))
    place = Place("echo")
    (front,) = [pid for pid in processes_of("orchestrator.serving") if parent_of(pid) == place.kept().pid]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        os.kill(front, signal.SIGKILL)
        wait_until(lambda: binds(other, place.settings().port))
        wait_until(lambda: "address already in use" in client.services.get("echo").problem)
    wait_until(lambda: client.services.get("echo").state is ServiceState.RUNNING)


def binds(listener: socket.socket, port: int) -> bool:
    with suppress(OSError):
        listener.bind(("127.0.0.1", port))
        listener.listen()
        return True
    return False


def test_services_of_two_stores_may_have_the_same_name(client, model, tmp_path):
    _, token = deploy(client, model("one"))
    config.add_context(config.Context(name="other", store=(tmp_path / "other").as_uri()))
    other = Client("other")
    client.models.export("echo", "v1", tmp_path / "echo.tar.gz")
    found = other.models.import_(str(tmp_path / "echo.tar.gz"), "echo")
    view, again = deploy(other, found)
    assert (view.state, again not in ("", token)) == (ServiceState.RUNNING, True)
    assert client.services.get("echo").state is ServiceState.RUNNING
    assert answer_of(client) == answer_of(other) == "one"
    other.services.delete("echo")
    assert answer_of(client) == "one"


@pytest.fixture
def scratch(monkeypatch):
    """Give the folder for what is temporary; that of a test has too long a path for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_a_service_that_is_killed_comes_back_and_leaves_nothing(client, model, scratch):
    deploy(client, model("one"))
    (before,) = scratch.glob("mlctl-service-*")
    kept = Place("echo").kept()
    (front,) = [pid for pid in processes_of("orchestrator.serving") if parent_of(pid) == kept.pid]
    models = [pid for pid in processes_of("mlctl_model.worker") if parent_of(pid) == front]
    os.kill(front, signal.SIGKILL)
    view = wait_until(lambda: (now := client.services.get("echo")).restarts == 1 and now)
    assert view.problem == "ended with signal 9"
    wait_until(lambda: client.services.get("echo").state is ServiceState.RUNNING)
    assert answer_of(client) == "one"
    wait_until(lambda: not set(models) & set(processes_of("mlctl_model.worker")))
    assert len(models) == 1
    (now,) = scratch.glob("mlctl-service-*")
    assert now != before
    client.services.stop("echo")  # while there is such a folder


def test_what_is_deployed_while_a_service_comes_back_is_in_force(client, model):
    deploy(client, model("one"))
    two, kept = model("two"), Place("echo").kept()

    def fronts() -> list[int]:
        return [pid for pid in processes_of("orchestrator.serving") if parent_of(pid) == kept.pid]

    (front,) = fronts()
    os.kill(front, signal.SIGKILL)
    wait_until(lambda: fronts() not in ([front], []))
    deploy(client, two)
    assert (answer_of(client), client.services.get("echo").restarts) == ("two", 1)


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has gone
        return 0


def test_a_service_that_does_not_end_is_killed(client, model, scratch, monkeypatch):
    deploy(client, model("one"))
    kept = Place("echo").kept()
    (front,) = [pid for pid in processes_of("orchestrator.serving") if parent_of(pid) == kept.pid]
    models = [pid for pid in processes_of("mlctl_model.worker") if parent_of(pid) == front]
    monkeypatch.setattr(local, "END", 0.5)
    os.kill(front, signal.SIGSTOP)
    assert client.services.stop("echo").state is ServiceState.STOPPED
    ours = {kept.pid, front, *models}
    wait_until(lambda: not ours & {*processes_of("orchestrator.serv"), *processes_of("mlctl_model.worker")})
    assert client.services.start("echo").state is ServiceState.RUNNING


def test_stopped_started_deleted(client, model):
    version = model("one")
    deploy(client, version)
    with pytest.raises(ConflictError, match="is used by echo"):
        client.models.delete("echo")
    assert client.services.stop("echo").state is ServiceState.STOPPED
    assert client.services.stop("echo").state is ServiceState.STOPPED
    assert client.services.start("echo").state is ServiceState.RUNNING
    assert answer_of(client) == "one"
    client.services.delete("echo")
    assert client.services.list() == []
    assert not (home_dir() / "services" / "echo").exists()
    assert client.models.delete("echo") == ["V0001"]
    with pytest.raises(NotFoundError, match="there is no service echo"):
        client.services.get("echo")


def test_a_name_can_be_used_again(client, model):
    version = model("one")
    deploy(client, version)
    client.services.delete("echo")
    view, token = deploy(client, version)
    assert (view.state, bool(token), answer_of(client)) == (ServiceState.RUNNING, True, "one")


def test_a_machine_that_was_restarted_says_so(client, model):
    deploy(client, model("one"))
    place = Place("echo")
    os.kill(place.kept().pid, signal.SIGKILL)
    wait_until(lambda: not place.is_kept)
    view = client.services.get("echo")
    assert (view.state, "mlctl service start echo" in view.problem) == (ServiceState.FAILED, True)
    assert client.services.start("echo").state is ServiceState.RUNNING


def test_a_new_token_replaces_the_old_one(client, model):
    _, token = deploy(client, model("one"))
    fresh = client.services.new_token("echo")
    assert fresh != token
    assert client.services.predict("echo", json=b"{}", token=token).status == 401
    assert answer_of(client) == "one"


def test_a_service_elsewhere_is_left_alone(client, model):
    version = model("one")
    deploy(client, version)
    client.services.stop("echo")
    elsewhere = ServiceRecord(name="echo", machine="other", host="far", port=1, shares=[], created=time.time())
    change(client.store, record_key("echo"), ServiceRecord, lambda _: elsewhere)
    assert client.services.get("echo").state is ServiceState.ELSEWHERE
    for act in (client.services.stop, client.services.new_token):
        with pytest.raises(ConflictError, match="runs on far"):
            act("echo")


def test_a_job_can_be_deployed_by_its_name(client, project):
    source = 'open(train_url + \'config.json\', \'w\').write(\'{"model_type": "Custom", "model_algorithm": "x"}\')'
    project.run()
    project.script(source)
    view = project.run()
    found = client.deployable("demo", "v2")
    assert (found.ref, found.lineage.job) == ("demo/V0002", view.ref)
    assert client.deployable(version="v2") == found
    with pytest.raises(NotFoundError, match="has no model"):
        client.deployable("demo", "v1")
    with pytest.raises(NotFoundError, match="there is no model nothing"):
        client.deployable("nothing")


def test_a_first_deploy_that_was_killed_left_a_name_and_no_version(client, model):
    version = model("one")
    record = ServiceRecord(name="echo", machine=machine_id(), host="here", port=free_ports(1)[0], created=time.time())
    claim(client.store, record_key("echo"), record)
    for act in (
        lambda: client.services.predict("echo", files=[Path(__file__)]),
        lambda: client.services.traffic("echo", {"V0001": 100}),
        lambda: client.services.start("echo"),
    ):
        with pytest.raises(NotFoundError, match="service echo has no version yet"):
            act()
    deploy(client, version)
    client.services.delete("echo")
