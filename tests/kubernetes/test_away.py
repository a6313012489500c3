"""The API server is away: what was asked for is done when it is back."""

from collections.abc import Iterator

import pytest

from orchestrator.backends.kubernetes import mirror
from orchestrator.backends.kubernetes.mirror import Mirror
from orchestrator.backends.kubernetes.refusals import TroubleError
from orchestrator.errors import ClusterError
from orchestrator.runtime.status import State
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


def test_the_api_server_is_away_while_a_job_is_deleted(lab: Lab, standin: Standin) -> None:  # noqa: F811
    view = lab.run()
    standin.down()
    with pytest.raises(ClusterError, match="cannot be reached"):
        lab.client.jobs.delete("demo")
    assert lab.log(view) == b"hello\n", "nothing is deleted by half"
    standin.up()
    assert list(lab.client.jobs.delete("demo")) == ["V0001"]
    wait_until(lambda: not standin.objects("jobs") and not standin.objects("pods"))


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

    def get(self, path: str, **query: str) -> dict:
        self.check()
        name = "before" if self.clock.now < 60 else "after"
        return {"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": name}}]}

    def stream(self, path: str, **query: object) -> Iterator[bytes]:
        while True:
            self.check()
            yield b""
            self.clock.now += 15


def test_five_minutes_without_an_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    api = Away(clock)
    monkeypatch.setattr(mirror, "time", clock)
    copy = Mirror(api, "/api/v1/pods", "x=y")
    copy._over = clock
    copy._run()
    assert set(copy.groups(age=mirror.SILENCE)) == {"after"}, "it has caught up"
    assert 10 <= len(api.asked) <= 30, "with pauses, but not for ever"
    assert max(later - sooner for sooner, later in zip(api.asked, api.asked[1:], strict=False)) <= mirror.LONGEST_PAUSE
