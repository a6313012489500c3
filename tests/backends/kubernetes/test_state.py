"""The state of a job on a cluster: what users are told in each situation, and that they are always told something."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.backends.kubernetes.state import SAVING, SILENCE, SUBMITTING, Seen, judge
from orchestrator.runtime.status import Reason, State, Status
from tests.backends.kubernetes.objects import (
    NOW,
    Json,
    disrupted,
    ended,
    event,
    job,
    node,
    pod,
    unscheduled,
    waits,
)

RUNNING = {"running": {"startedAt": "2027-01-15T08:00:00Z"}}
MAIN_RUNS = {"fetch": ended(0, "Completed"), "sync": RUNNING, "main": RUNNING}


def look(seen: Seen, told: Status | None = None, *, created: float = NOW - 300, cancelled: bool = False) -> Status:
    return judge(told, seen, created=created, cancelled=cancelled, now=NOW)


def test_a_job_without_a_pod_says_what_it_waits_for() -> None:
    one = job()
    assert look(Seen(one)).state is State.PENDING
    gpu = "requests.nvidia.com/gpu"
    quota = f'pods "x" is forbidden: exceeded quota: team, requested: {gpu}=4, used: {gpu}=6, limited: {gpu}=8'
    found = look(Seen(one, events=[event(one, "FailedCreate", quota)]))
    assert (found.state, found.reason) == (State.PENDING, Reason.QUOTA_EXCEEDED)
    assert "quota team" in found.message and "requests.nvidia.com/gpu=4" in found.message and "8" in found.message
    assert "when other jobs" in found.hint
    asked, limit = "pods=1,requests.cpu=600m", "pods=9,requests.cpu=0.5"
    never = f'pods "x" is forbidden: exceeded quota: team, requested: {asked}, used: pods=0, limited: {limit}'
    found = look(Seen(one, events=[event(one, "FailedCreate", never)]))
    assert found.message == f"quota team never has room for it: it asks for {asked}, of {limit} in all"
    assert (found.reason, found.hint.startswith("ask for less")) == (Reason.QUOTA_EXCEEDED, True)
    policy = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
    found = look(Seen(one, events=[event(one, "FailedCreate", policy)]))
    assert found.reason is Reason.REFUSED and "runAsNonRoot" in found.message


def test_a_suspended_job_tells_its_queue_and_its_place() -> None:
    short = {"type": "QuotaReserved", "status": "False", "message": "insufficient unused quota for nvidia.com/gpu"}
    found = look(Seen(job(suspend=True, queue="team-a"), workload={"status": {"conditions": [short]}}, position=3))
    assert (found.state, found.reason) == (State.QUEUED, Reason.IN_QUEUE)
    assert "team-a" in found.message and "3 before it" in found.message and "insufficient unused quota" in found.message


@pytest.mark.parametrize(
    ("nodes", "reason", "detail"),
    [
        ([node(gpus=0)], Reason.UNSCHEDULABLE, "gpu-1: has no nvidia.com/gpu, it asks for 4"),
        ([node(gpus=2)], Reason.UNSCHEDULABLE, "gpu-1: has 2 nvidia.com/gpu (t4), it asks for 4"),
        ([node(gpus=8)], Reason.NO_CAPACITY, "gpu-1: fits, but is in use"),
        ([node(gpus=8, unschedulable=True)], Reason.UNSCHEDULABLE, "gpu-1: takes no new pods (cordoned)"),
        ([node(gpus=8, ready=False)], Reason.UNSCHEDULABLE, "gpu-1: is not ready"),
        (
            [node(gpus=8, taints=[{"key": "dedicated", "value": "infer", "effect": "NoSchedule"}])],
            Reason.UNSCHEDULABLE,
            "gpu-1: has the taint dedicated=infer:NoSchedule, which the job does not tolerate",
        ),
    ],
)
def test_an_unscheduled_job_says_why_each_node_does_not_fit(nodes: list[Json], reason: Reason, detail: str) -> None:
    asks = [{"name": "main", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "4", "memory": "8Gi"}}}]
    waiting = unscheduled("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", containers=asks)
    found = look(Seen(job(), [waiting], nodes=nodes))
    assert (found.state, found.reason) == (State.PENDING, reason)
    assert found.details == [detail]
    assert found.hint


def test_without_the_right_to_see_nodes_the_scheduler_is_quoted() -> None:
    text = (
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/3 nodes are"
    )
    some = (
        f"{text} available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )
    found = look(Seen(job(), [unscheduled(some)], nodes=None))
    assert (found.reason, found.message) == (Reason.NO_CAPACITY, some)
    none = f"{text} available: 3 Preemption is not helpful for scheduling."
    found = look(Seen(job(), [unscheduled(none)], nodes=None))
    assert (found.reason, found.message) == (Reason.UNSCHEDULABLE, none)
    assert "mlctl job get" not in found.hint, "it knows no more"


def test_what_is_short_is_named_as_the_spec_names_it() -> None:
    text = "0/2 nodes are available: 1 Too many pods, 1 Insufficient cpu, 2 Insufficient nvidia.com/gpu. no new claims"
    found = look(Seen(job(), [unscheduled(text)], nodes=[node()]))
    short = "Too many pods on 1, Insufficient cpu on 1, Insufficient nvidia.com/gpu on 2"
    assert found.message == f"1 of 1 node could take it and is full: {short}"


def test_a_volume_that_is_not_bound() -> None:
    text = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    assert look(Seen(job(), [unscheduled(text)], nodes=[node()])).reason is Reason.VOLUME_NOT_BOUND


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("rpc error: code = NotFound desc = failed to pull: mlctl/mxnet: not found", "not found"),
        ("failed to authorize: 403 Forbidden", "may not be pulled without a Secret"),
        ("no such host", "cannot be pulled: no such host"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_named(message: str, says: str) -> None:
    states = {"fetch": ended(0, "Completed"), "main": waits("ImagePullBackOff", 'Back-off pulling image "x"')}
    one = pod(containers=states)
    found = look(Seen(job(), [one], events=[event(one, "Failed", f'Failed to pull image "x": {message}')]))
    assert (found.state, found.reason) == (State.PENDING, Reason.IMAGE_PULL)
    assert "mlctl/mxnet-1.9:1.9.1-cpu" in found.message and says in found.message


def test_a_secret_that_is_missing_is_named() -> None:
    one = pod(containers={"fetch": waits("CreateContainerConfigError", 'secret "wandb" not found')})
    found = look(Seen(job(), [one]))
    assert found.reason is Reason.CONFIG_MISSING and "wandb" in found.message


def test_an_image_without_a_shell_is_refused_clearly() -> None:
    text = 'failed to create containerd task: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown'
    one = pod("Failed", containers={"main": ended(128, "StartError", text)})
    found = look(Seen(job(Failed=("PodFailurePolicy", "")), [one]))
    assert (found.state, found.reason) == (State.FAILED, Reason.NO_SHELL)
    assert "mlctl/mxnet-1.9:1.9.1-cpu" in found.message


def test_starting_is_told_step_by_step() -> None:
    pulling = pod(containers={"main": waits("PodInitializing")})
    found = look(Seen(job(), [pulling], events=[event(pulling, "Pulling", 'Pulling image "mlctl/runtime:1"')]))
    assert found.state is State.STARTING and "mlctl/runtime:1" in found.message and "gpu-1" in found.message
    fetching = pod(containers={"fetch": RUNNING})
    assert look(Seen(job(), [fetching])).message == "fetching code and data"
    told = Status(state=State.STARTING, message="waiting for the store: connection refused")
    assert look(Seen(job(), [fetching]), told) == told


def test_a_running_job_is_what_its_pod_says_and_silence_is_told() -> None:
    running = pod("Running", containers=MAIN_RUNS)
    told = Status(state=State.RUNNING, started=NOW - 100, heartbeat=NOW - 5)
    assert look(Seen(job(), [running]), told) == told
    quiet = msgspec.structs.replace(told, heartbeat=NOW - SILENCE - 60)
    found = look(Seen(job(), [running]), quiet)
    assert found.state is State.RUNNING and "3 minutes" in found.message
    assert look(Seen(job(), [running])).state is State.STARTING


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("PreemptionByScheduler", Reason.PREEMPTED),
        ("DeletionByTaintManager", Reason.NODE_LOST),
        ("DeletionByPodGC", Reason.NODE_LOST),
        ("EvictionByEvictionAPI", Reason.EVICTED),
        ("TerminationByKubelet", Reason.EVICTED),
    ],
)
def test_a_pod_that_the_cluster_takes_away_is_recovered(condition: str, reason: Reason) -> None:
    told = Status(state=State.RUNNING, started=NOW - 100, heartbeat=NOW - 5)
    one = pod("Running", containers=MAIN_RUNS, conditions=[disrupted(condition)])
    found = look(Seen(job(), [one]), told)
    assert (found.state, found.reason) == (State.RECOVERING, reason)
    assert "gpu-1" in found.message and "a new pod is" in found.message
    assert ("out-of-service" in found.hint) == (reason is Reason.NODE_LOST)  # a lost pod is not replaced at once
    assert found.started == told.started


def test_a_node_that_does_not_answer_is_told() -> None:
    silent = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    found = look(Seen(job(), [pod("Running", containers=MAIN_RUNS, conditions=[silent])]))
    assert (found.state, found.reason) == (State.RECOVERING, Reason.NODE_LOST)


@pytest.mark.parametrize(
    ("main", "reason", "says"),
    [
        (ended(3), Reason.USER_ERROR, "exit code 3"),
        (ended(137, "OOMKilled"), Reason.OUT_OF_MEMORY, "2Gi"),
        (ended(137), Reason.KILLED, "SIGKILL"),
        (ended(139), Reason.USER_ERROR, "SIGSEGV"),
    ],
)
def test_a_job_that_the_cluster_gave_up_says_why(main: Json, reason: Reason, says: str) -> None:
    states = {"fetch": ended(0, "Completed"), "sync": ended(0, "Completed"), "main": main}
    failed = job(Failed=("PodFailurePolicy", "Container main failed"))
    told = Status(state=State.RUNNING, started=NOW - 100, heartbeat=NOW - 50, log_bytes=7)
    found = look(Seen(failed, [pod("Failed", containers=states)]), told)
    assert (found.state, found.reason, found.log_bytes) == (State.FAILED, reason, 7)
    assert says in found.message and found.hint and found.finished


def test_the_cluster_adds_the_cause_that_only_it_knows() -> None:
    told = Status(state=State.FAILED, reason=Reason.KILLED, message="killed", finished=NOW - 9, unclear=True)
    states = {"fetch": ended(0, "Completed"), "main": ended(137, "OOMKilled")}
    failed = job(Failed=("PodFailurePolicy", ""))
    found = look(Seen(failed, [pod("Failed", containers=states)]), told)
    assert (found.reason, found.unclear, found.finished) == (Reason.OUT_OF_MEMORY, False, told.finished)
    gone = look(Seen(None), told)
    assert (gone.reason, gone.unclear) == (Reason.KILLED, False)
    sure = msgspec.structs.replace(told, unclear=False)
    assert look(Seen(failed, [pod("Failed", containers=states)]), sure) == sure


def test_what_a_pod_says_that_was_put_out_is_not_the_end_of_a_job_that_goes_on() -> None:
    told = Status(state=State.FAILED, reason=Reason.KILLED, message="killed", finished=NOW - 9, unclear=True, pod="x")
    states = {"fetch": ended(0, "Completed"), "main": ended(143, "Error")}
    put_out = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "evicting"}
    evicted = pod("Failed", conditions=[put_out], containers=states)
    found = look(Seen(job(), [evicted]), told)
    assert (found.state, found.reason) == (State.RECOVERING, Reason.EVICTED)
    assert not look(Seen(job(), [pod("Running", containers={"main": {"running": {}}})]), told).state.finished
    given_up = look(Seen(job(Failed=("BackoffLimitExceeded", "")), [evicted]), told)
    assert (given_up.state, given_up.reason) == (State.FAILED, Reason.EVICTED)


def test_a_job_whose_pod_was_put_out_recovers_before_it_has_another_one() -> None:
    told = Status(state=State.FAILED, reason=Reason.KILLED, message="killed", started=NOW - 50, unclear=True, pod="x")
    found = look(Seen(job()), told)
    assert (found.state, found.message) == (State.RECOVERING, "its pod is gone; a new pod is being made")
    fetched = Status(state=State.STARTING, message="fetching")
    assert look(Seen(job()), fetched).state is State.PENDING


def test_fetching_that_failed_and_a_deadline() -> None:
    failed = job(Failed=("PodFailurePolicy", ""))
    found = look(Seen(failed, [pod("Failed", containers={"fetch": ended(1, message="no space left")})]))
    assert found.reason is Reason.START_FAILED and "no space left" in found.message
    late = job(Failed=("DeadlineExceeded", "Job was active longer than specified deadline"))
    assert look(Seen(late)).reason is Reason.TIMEOUT


def test_a_job_that_is_not_in_the_cluster() -> None:
    nothing = Seen(None)
    assert look(nothing, created=NOW - 1).message == "being submitted"
    assert look(nothing, created=NOW - SUBMITTING - 1).reason is Reason.NOT_STARTED
    assert look(nothing, cancelled=True).state is State.CANCELLED
    told = Status(state=State.RUNNING, heartbeat=NOW - 2)
    assert not look(nothing, told, cancelled=True).state.finished  # its pod may be saving
    assert not look(nothing, told).state.finished
    fetching = Status(state=State.STARTING, heartbeat=NOW - 2)
    pulling = pod(containers={"fetch": ended(0, "Completed"), "main": waits("ContainerCreating")})
    assert look(Seen(None, [pulling]), fetching, cancelled=True).state is State.CANCELLED  # there is nothing to save
    assert not look(Seen(None, [pod("Running", containers=MAIN_RUNS)]), fetching, cancelled=True).state.finished
    lost = look(nothing, Status(state=State.RUNNING, heartbeat=NOW - SAVING - 1))
    assert (lost.state, lost.reason) == (State.FAILED, Reason.JOB_DELETED)


_WORDS = st.sampled_from(["", "x", "OOMKilled", "Evicted", "ImagePullBackOff", "True", "False", "StartError"])
_STATES: Any = st.one_of(
    st.just({}),
    st.just(RUNNING),
    st.builds(waits, _WORDS, _WORDS),
    st.builds(ended, st.integers(0, 255), _WORDS, _WORDS),
)
_PODS = st.builds(
    pod,
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    containers=st.dictionaries(st.sampled_from(["fetch", "sync", "main"]), _STATES),
    conditions=st.lists(
        st.builds(
            lambda kind, status, reason: {"type": kind, "status": status, "reason": reason},
            st.sampled_from(["PodScheduled", "Ready", "DisruptionTarget"]),
            st.sampled_from(["True", "False", "Unknown"]),
            _WORDS,
        ),
        max_size=3,
    ),
    node=st.sampled_from(["", "gpu-1"]),
    index=st.integers(0, 2),
    age=st.floats(0, 1000),
)
_JOBS = st.one_of(
    st.none(),
    st.just(job()),
    st.just(job(suspend=True)),
    st.just(job(Failed=("BackoffLimitExceeded", "too often"))),
    st.just(job(Complete=("CompletionsReached", ""))),
)
_TOLD = st.one_of(
    st.none(),
    st.builds(Status, state=st.sampled_from(State), heartbeat=st.floats(NOW - 1000, NOW), unclear=st.booleans()),
)


@given(job=_JOBS, pods=st.lists(_PODS, max_size=3), told=_TOLD, cancelled=st.booleans())
def test_whatever_a_cluster_shows_there_is_an_answer(
    job: Json | None, pods: list[Json], told: Status | None, cancelled: bool
) -> None:
    seen = Seen(job, pods if job else ())
    found = look(seen, told, cancelled=cancelled)
    if told and told.state.finished and not (told.state is State.FAILED and told.unclear):
        assert found.state is told.state  # an end is an end
    elif not found.state.finished and found.state is not State.RUNNING:
        assert found.message or (told and told.message == "")
    if found.state is State.FAILED and not (told and told.state.finished):
        assert found.reason and found.hint
