"""The API server is away, or the store: what was asked for is done when it is back; who follows misses nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orchestrator.backends.kubernetes import mirror
from orchestrator.backends.kubernetes.mirror import Mirror
from orchestrator.backends.kubernetes.refusals import TroubleError
from orchestrator.backends.kubernetes.shapes import Listed
from orchestrator.errors import ClusterError
from orchestrator.runtime.status import State
from orchestrator.store.serve import S3Server
from tests.buckets import BUCKET
from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.standin import Standin
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401
from tests.waiting import wait_until

UNTIL = "print('begun', flush=True)\nwhile not os.path.exists({!r}): time.sleep(0.05)\nprint('done')"


def test_the_api_server_is_away_while_a_job_is_cancelled(lab: Lab, standin: Standin) -> None:  # noqa: F811
    lab.script(UNTIL.format("/never"))
    view = lab.create()
    lab.wait_for_log(view, b"begun\n")
    standin.down()
    with pytest.raises(ClusterError, match="cannot be reached") as caught:
        lab.client.jobs.cancel("demo")
    assert caught.value.exit_code == 8
    # The pod hears of it all the same, by the store.
    wait_until(lambda: lab.client.jobs.get("demo").status.state is State.CANCELLED)
    standin.up()
    assert lab.client.jobs.cancel("demo").status.state is State.CANCELLED
    assert lab.log(view) == b"begun\n"


def test_without_the_api_server_the_events_are_those_that_the_store_knows(lab: Lab, standin: Standin) -> None:  # noqa: F811
    lab.run()
    assert {"SuccessfulCreate", "Succeeded"} <= {event.reason for event in lab.client.jobs.events("demo")}
    standin.down()
    assert [event.reason for event in lab.client.jobs.events("demo")] == ["Created", "Started", "Succeeded"]


def test_the_api_server_is_away_while_a_job_is_deleted(lab: Lab, standin: Standin) -> None:  # noqa: F811
    view = lab.run()
    standin.down()
    with pytest.raises(ClusterError, match="cannot be reached"):
        lab.client.jobs.delete("demo")
    assert lab.log(view) == b"hello\n", "nothing is deleted by half"
    standin.up()
    assert list(lab.client.jobs.delete("demo")) == ["V0001"]
    wait_until(lambda: not standin.objects("jobs") and not standin.objects("pods"))


@pytest.fixture
def server(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:  # noqa: F811
    """Give the server of the lab's store. It ends with the thread that starts it."""
    server = S3Server(tmp_path / "server")
    server.start()
    server.make_bucket(BUCKET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    lab.change(store=f"s3://{BUCKET}/away", endpoint=server.endpoint)
    yield server
    server.kill()


def test_a_follower_sees_new_lines_while_the_store_is_away(lab: Lab, server: S3Server) -> None:  # noqa: F811
    go, end = lab.folder / "go", lab.folder / "end"
    lab.script(UNTIL.format(str(go)) + "\n" + UNTIL.format(str(end)).replace("begun", "meanwhile"))
    view, jobs = lab.create(), lab.client.jobs
    shown: list[bytes] = []
    follower = threading.Thread(target=lambda: shown.extend(jobs.logs("demo", follow=True)), daemon=True)
    follower.start()
    wait_until(lambda: any(log._in_step for log in [*jobs._backend._logs.values()]), "the kubelet to be believed")
    server.kill()
    go.touch()
    wait_until(lambda: b"meanwhile" in b"".join(shown), "a line that the store does not have")
    server.start()
    end.touch()
    follower.join(120)
    assert b"".join(shown) == b"begun\ndone\nmeanwhile\ndone\n" == lab.log(view)
    assert jobs.wait("demo").status.state is State.SUCCEEDED


class Clock:
    """The time, which passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return self.now > 900

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Away:
    """An API that is away from the 60th to the 360th second, and counts how often it is asked meanwhile."""

    place = "cluster lab"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[float] = []

    def check(self) -> None:
        if 60 <= self.clock.now < 360:
            self.asked.append(self.clock.now)
            raise TroubleError("cluster lab cannot be reached", passing=True)

    def read(self, path: str, decoder: msgspec.json.Decoder, **query: str) -> Listed:
        self.check()
        assert self.clock.now < 60, "there is no need to list again"
        return decoder.decode('{"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "before"}}]}')

    def stream(self, path: str, **query: object) -> Iterator[bytes]:
        self.check()
        yield b""
        if self.clock.now > 60:
            yield b'{"type": "ADDED", "object": {"metadata": {"name": "after", "resourceVersion": "2"}}}\n'
        while True:
            self.clock.now += 15
            self.check()
            yield b""


def test_five_minutes_without_an_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    api = Away(clock)
    monkeypatch.setattr(mirror, "time", clock)
    copy = Mirror(api, "/api/v1/pods", "x=y")
    copy._over = clock
    copy._run()
    assert set(copy.groups(age=mirror.SILENCE)) == {"before", "after"}, "it has caught up"
    assert 10 <= len(api.asked) <= 30, "with pauses, but not for ever"
    assert max(later - sooner for sooner, later in zip(api.asked, api.asked[1:], strict=False)) <= mirror.LONGEST_PAUSE
