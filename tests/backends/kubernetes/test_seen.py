"""What a real cluster (Kubernetes 1.36) showed, step by step, and what users would have been told meanwhile.

`seen/*.json` are recordings of its watch: Jobs, pods and events, cut down to what the state is made from.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.state import Seen, judge
from orchestrator.runtime.status import Reason, State
from tests.backends.kubernetes.objects import Json

SEEN = Path(__file__).with_name("seen")

# The states and reasons that count, in their order; steps of the start are left out.
TOLD = {
    "complete": [],
    "deadline-pod": [(State.FAILED, Reason.TIMEOUT)],
    "delete-job": [],
    "delete-pod": [(State.FAILED, Reason.POD_DELETED)],
    "delete-pod-retry": [(State.RECOVERING, Reason.POD_DELETED)],
    "evict-api": [(State.RECOVERING, Reason.EVICTED)],
    "fail-job": [(State.RECOVERING, Reason.START_FAILED), (State.FAILED, Reason.START_FAILED)],
    "fail-job-main": [(State.RECOVERING, Reason.USER_ERROR), (State.FAILED, Reason.USER_ERROR)],
    "gpu-too-many": [(State.PENDING, Reason.UNSCHEDULABLE)],
    "image-no-repository": [(State.PENDING, Reason.IMAGE_PULL)],
    "image-no-tag": [(State.PENDING, Reason.IMAGE_PULL)],
    # The node had only just been started, and could not mount its first volumes at once.
    "node-lost": [(State.PENDING, Reason.VOLUME_NOT_BOUND), (State.RECOVERING, Reason.NODE_LOST)],
    "oom": [(State.FAILED, Reason.OUT_OF_MEMORY)],
    "preemption": [(State.RECOVERING, Reason.PREEMPTED), (State.PENDING, Reason.NO_CAPACITY)],
    "start-error": [(State.FAILED, Reason.NO_SHELL)],
}


def replay(name: str) -> Iterator[tuple[str, Seen]]:
    """Yield what the cluster showed of each of its jobs, after every event of its watch."""
    told = json.loads((SEEN / f"{name}.json").read_text())
    jobs: dict[str, Json] = {}
    every: dict[str, Json] = {}
    for step in told["steps"]:
        thing = step["object"]
        where = jobs if thing["kind"] == "Job" else every
        if step["type"] == "DELETED":
            where.pop(pods.name_of(thing))
        else:
            where[pods.name_of(thing)] = thing
        for job in list(jobs):
            own = [pod for pod in every.values() if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == job]
            happened = [event for event in told["events"] if event["involvedObject"]["name"].startswith(job)]
            yield job, Seen(jobs[job], own, happened)


def test_every_recording_is_replayed() -> None:
    assert {path.stem for path in SEEN.glob("*.json")} == TOLD.keys()


@pytest.mark.parametrize("name", TOLD)
def test_users_are_told_what_happened(name: str) -> None:
    found = []
    for job, seen in replay(name):
        if name == "preemption" and job != "low":
            continue
        status = judge(None, seen, created=0.0, cancelled=False, now=1.0)
        assert status.message, "there is always something to tell"
        verdict = (status.state, status.reason)
        if status.reason and (not found or found[-1] != verdict):
            found.append(verdict)
    assert found == TOLD[name]
