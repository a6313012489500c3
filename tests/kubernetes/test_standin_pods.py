"""What the nodes and the Job controller do; the same on the stand-in and a real cluster."""

from kubernetes import client
from kubernetes.stream import stream

from tests.kubernetes.manifests import container, job, pod
from tests.kubernetes.waiting import condition, events, finished, phase, pods, waits
from tests.waiting import SECONDS, wait_until


def log(cluster, pod, container="main", **more):
    return cluster.core.read_namespaced_pod_log(pod, cluster.namespace, container=container, **more)


def states(pod):
    """Give the states of a pod's containers by their names."""
    status = pod["status"]
    return {
        item["name"]: item["state"]
        for item in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    }


def test_a_job_runs_its_command_and_is_complete(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "echo hi; echo ho >&2"))
    assert finished(cluster, "j") == ("Complete", "CompletionsReached")
    status = cluster.get("jobs", "j")["status"]
    assert status["succeeded"] == 1 and "active" not in status and status["completionTime"]
    assert condition({"status": status}, "SuccessCriteriaMet")["reason"] == "CompletionsReached"
    (made,) = pods(cluster, "j")
    assert made["status"]["phase"] == "Succeeded"
    ended = states(made)["main"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed") and ended["finishedAt"] >= ended["startedAt"]
    assert log(cluster, made["metadata"]["name"]) == "hi\nho\n"
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Job", "j", True)
    assert {"Scheduled", "Created", "Started"} <= set(events(cluster, made["metadata"]["name"]))
    assert {"SuccessfulCreate", "Completed"} <= set(events(cluster, "j"))


def test_a_failing_job_tells_the_exit_code(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "exit 3"))
    assert finished(cluster, "j") == ("Failed", "BackoffLimitExceeded")
    obj = cluster.get("jobs", "j")
    assert obj["status"]["failed"] == 1
    assert condition(obj, "Failed")["message"] == "Job has reached the specified backoff limit"
    assert condition(obj, "FailureTarget")["reason"] == "BackoffLimitExceeded"
    (made,) = pods(cluster, "j")
    ended = states(made)["main"]["terminated"]
    assert (made["status"]["phase"], ended["exitCode"], ended["reason"]) == ("Failed", 3, "Error")


def test_a_command_is_process_one_and_ignores_what_it_does_not_handle(cluster):
    cluster.call("POST", "api/v1:pods", pod("p", "echo $$(echo) $(echo one); sleep 1000; exit 0"))
    phase(cluster, "p", "Running")
    assert wait_until(lambda: log(cluster, "p"), "a line")
    cluster.call("DELETE", "api/v1:pods/p")
    wait_until(lambda: cluster.call("GET", "api/v1:pods/p").status == 404, "the pod to be killed after its grace")


def test_containers_start_in_order_and_sidecars_end_last(cluster):
    volume = {"volumeMounts": [{"name": "shared", "mountPath": "/mlctl"}]}
    manifest = job("j", volumes=[{"name": "shared", "emptyDir": {}}], terminationGracePeriodSeconds=30)
    manifest["spec"]["template"]["spec"] |= {
        "initContainers": [
            container("fetch", "mkdir /mlctl/in && echo fetched > /mlctl/in/data", **volume),
            container(
                "sync",
                "trap 'echo saved $(cat /mlctl/out); exit 0' TERM; echo up; while :; do sleep 0.1; done",
                restartPolicy="Always",
                **volume,
            ),
        ],
        "containers": [container("main", "cat /mlctl/in/data; echo trained > /mlctl/out; exit 4", **volume)],
    }
    cluster.call("POST", "apis/batch/v1:jobs", manifest)
    assert finished(cluster, "j")[0] == "Failed"
    (made,) = pods(cluster, "j")
    name = made["metadata"]["name"]
    assert {key: state["terminated"]["exitCode"] for key, state in states(made).items()} == {
        "fetch": 0,
        "sync": 0,
        "main": 4,
    }
    assert log(cluster, name) == "fetched\n"
    assert log(cluster, name, "sync") == "up\nsaved trained\n"


def test_a_sidecar_is_started_anew_when_it_dies(cluster):
    manifest = pod("p", "sleep 1000", volumes=[{"name": "v", "emptyDir": {}}])
    script = (
        "echo run >> /v/runs; [ $(wc -l < /v/runs) -ge 3 ] || exit 1; trap 'exit 0' TERM; while :; do sleep 0.1; done"
    )
    mounts = [{"name": "v", "mountPath": "/v"}]
    manifest["spec"]["initContainers"] = [container("sync", script, restartPolicy="Always", volumeMounts=mounts)]
    cluster.call("POST", "api/v1:pods", manifest)

    def ask():
        (status,) = cluster.get("pods", "p")["status"].get("initContainerStatuses") or [{}]
        return status if status.get("restartCount") == 2 and "running" in status["state"] else None

    assert wait_until(ask, "two restarts")["lastState"]["terminated"]["exitCode"] == 1
    phase(cluster, "p", "Running")


def test_sigterm_reaches_a_deleted_pod_and_its_answer_is_seen(cluster):
    script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done"
    cluster.call("POST", "apis/batch/v1:jobs", job("j", script, terminationGracePeriodSeconds=30))
    (made,) = wait_until(lambda: pods(cluster, "j"), "a pod")
    name = made["metadata"]["name"]
    wait_until(lambda: cluster.get("pods", name)["status"]["phase"] == "Running" and log(cluster, name), "it to be up")
    stream = cluster.core.read_namespaced_pod_log(name, cluster.namespace, follow=True, _preload_content=False)
    cluster.call("DELETE", f"api/v1:pods/{name}")
    assert stream.data == b"up\nbye\n"
    assert finished(cluster, "j") == ("Failed", "BackoffLimitExceeded")


def test_indexed_jobs_number_their_pods(cluster):
    spec = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "echo $JOB_COMPLETION_INDEX $HOSTNAME", spec=spec))
    assert finished(cluster, "j")[0] == "Complete"
    assert cluster.get("jobs", "j")["status"]["completedIndexes"] == "0-2"
    made = {
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: pod["metadata"]["name"]
        for pod in pods(cluster, "j")
    }
    assert {index: log(cluster, name) for index, name in made.items()} == {n: f"{n} j-{n}\n" for n in "012"}


def test_failed_pods_are_replaced_up_to_the_limit(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "exit 1", spec={"backoffLimit": 1}))
    assert finished(cluster, "j") == ("Failed", "BackoffLimitExceeded")
    assert len(pods(cluster, "j")) == 2


def test_a_failure_policy_ends_a_job_at_once(cluster):
    rule = {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [64]}}
    spec = {"backoffLimit": 5, "podFailurePolicy": {"rules": [rule]}}
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "exit 64", spec=spec))
    assert finished(cluster, "j") == ("Failed", "PodFailurePolicy")
    (made,) = pods(cluster, "j")
    told = condition(cluster.get("jobs", "j"), "Failed")["message"]
    name = f"{cluster.namespace}/{made['metadata']['name']}"
    assert told == f"Container main for pod {name} failed with exit code 64 matching FailJob rule at index 0"


def test_a_deadline_ends_a_job_or_a_pod(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", "sleep 1000", spec={"activeDeadlineSeconds": 1}))
    cluster.call("POST", "api/v1:pods", pod("p", "sleep 1000", activeDeadlineSeconds=1))
    assert finished(cluster, "j") == ("Failed", "DeadlineExceeded")
    status = phase(cluster, "p", "Failed")["status"]
    assert status["reason"] == "DeadlineExceeded"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


def test_a_suspended_job_waits(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", spec={"suspend": True}))
    wait_until(lambda: condition(cluster.get("jobs", "j"), "Suspended"), "it to be suspended")
    assert not pods(cluster, "j")
    cluster.call("PATCH", "apis/batch/v1:jobs/j", {"spec": {"suspend": False}}, kind="application/merge-patch+json")
    assert finished(cluster, "j")[0] == "Complete"


def test_a_job_that_is_over_goes_after_its_time(cluster):
    cluster.call("POST", "apis/batch/v1:jobs", job("j", spec={"ttlSecondsAfterFinished": 0}))
    wait_until(lambda: cluster.call("GET", "apis/batch/v1:jobs/j").status == 404, "the Job to go")
    wait_until(lambda: not pods(cluster, "j"), "its pods to go")


def test_the_environment(cluster):
    secret = {"metadata": {"name": "keys"}, "stringData": {"KEY": "k", "OTHER": "o"}}
    cluster.call("POST", "api/v1:secrets", secret)
    manifest = job("j", "echo $KEY $NAME $BOTH $UNKNOWN; echo $0 $1", serviceAccountName="default")
    main = manifest["spec"]["template"]["spec"]["containers"][0]
    main["envFrom"] = [{"secretRef": {"name": "keys"}}, {"secretRef": {"name": "none", "optional": True}}]
    main["env"] = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "BOTH", "value": "$(NAME)-$(GONE)-$$(NAME)"},
    ]
    main["args"] = ["zero", "$(NAME)"]
    cluster.call("POST", "apis/batch/v1:jobs", manifest)
    assert finished(cluster, "j")[0] == "Complete"
    assert log(cluster, pods(cluster, "j")[0]["metadata"]["name"]) == "k j j-$(GONE)-$(NAME)\nzero j\n"


def test_volumes(cluster):
    cluster.call("POST", "api/v1:configmaps", {"metadata": {"name": "c"}, "data": {"a.txt": "A", "b.txt": "B"}})
    manifest = job("j", "cat /etc/given/*; echo x > /cache/here; cat /deep/in/here; touch /deep/no || echo read-only")
    manifest["spec"]["template"]["spec"]["volumes"] = [
        {"name": "given", "configMap": {"name": "c", "items": [{"key": "b.txt", "path": "b"}]}},
        {"name": "cache", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]
    manifest["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "given", "mountPath": "/etc/given"},
        {"name": "cache", "mountPath": "/cache"},
        {"name": "cache", "mountPath": "/deep/in", "readOnly": True},
    ]
    cluster.call("POST", "apis/batch/v1:jobs", manifest)
    assert finished(cluster, "j")[0] == "Complete"
    first = log(cluster, pods(cluster, "j")[0]["metadata"]["name"]).splitlines()[0]
    assert first == "Bx"


def test_what_is_missing_keeps_a_container_waiting(cluster):
    manifest = pod("p")
    manifest["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "late"}}]
    cluster.call("POST", "api/v1:pods", manifest)
    assert waits(cluster, "p", "CreateContainerConfigError")["message"] == 'secret "late" not found'
    cluster.call("POST", "api/v1:secrets", {"metadata": {"name": "late"}})
    phase(cluster, "p", "Succeeded")


def test_a_missing_program_fails_to_start(cluster):
    manifest = pod("p")
    manifest["spec"]["containers"][0]["command"] = ["/no/such/program"]
    cluster.call("POST", "api/v1:pods", manifest)
    ended = states(phase(cluster, "p", "Failed"))["main"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert ended["startedAt"] == "1970-01-01T00:00:00Z"
    assert 'exec: "/no/such/program": stat /no/such/program: no such file or directory' in ended["message"]


def test_what_fits_nowhere_waits_and_why_is_told(cluster):
    manifest = pod("p", nodeSelector={"gpu": "h100"})
    cluster.call("POST", "api/v1:pods", manifest)
    large = pod("large")
    large["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "9000", "nvidia.com/gpu": "4000"}}
    cluster.call("POST", "api/v1:pods", large)

    def told(name):
        (found,) = [
            item
            for item in cluster.get("pods", name)["status"].get("conditions") or []
            if item["type"] == "PodScheduled"
        ] or [{}]
        return found.get("message") if found.get("reason") == "Unschedulable" else None

    nodes = len(cluster.core.list_node().items)
    message = wait_until(lambda: told("p"), "the scheduler's answer")
    assert message.startswith(
        f"0/{nodes} nodes are available: {nodes} node(s) didn't match Pod's node affinity/selector"
    )
    assert "Preemption is not helpful for scheduling" in message
    assert f"{nodes} Insufficient cpu, {nodes} Insufficient nvidia.com/gpu" in wait_until(
        lambda: told("large"), "the answer"
    )
    assert cluster.get("pods", "p")["status"]["phase"] == "Pending"
    assert wait_until(lambda: events(cluster, "p").get("FailedScheduling"), "an event") == message


def test_a_full_quota_keeps_a_jobs_pods_from_being_made(cluster):
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster.call("POST", "api/v1:resourcequotas", quota)
    wait_until(lambda: cluster.get("resourcequotas", "none").get("status", {}).get("hard"), "the quota to be in force")
    cluster.call("POST", "apis/batch/v1:jobs", job("j"))
    message = wait_until(lambda: events(cluster, "j").get("FailedCreate"), "an event")
    assert message.startswith('Error creating: pods "j-')
    assert message.endswith("is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0")


def test_limit_ranges_fill_in_and_refuse(cluster):
    limits = [{"type": "Container", "default": {"memory": "64Mi"}, "max": {"memory": "128Mi"}}]
    cluster.call("POST", "api/v1:limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    assert wait_until(lambda: _limited(cluster), "the limits to be in force")["limits"]["memory"] == "64Mi"
    manifest = pod("large")
    manifest["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    refused = cluster.call("POST", "api/v1:pods", manifest)
    assert refused.status == 403
    assert refused.body["message"].endswith("maximum memory usage per Container is 128Mi, but limit is 1Gi")


def test_pod_security_is_enforced(cluster):
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    cluster.core.patch_namespace(cluster.namespace, {"metadata": {"labels": labels}})
    answer = cluster.call("POST", "api/v1:pods", pod("p", volumes=[{"name": "v", "hostPath": {"path": "/tmp"}}]))
    assert answer.status == 403
    rules = (
        'allowPrivilegeEscalation != false (container "main" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set '
        'securityContext.capabilities.drop=["ALL"]), restricted volume types (volume "v" uses restricted volume type '
        '"hostPath"), runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")'
    )
    assert answer.body["message"] == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {rules}'
    answer = cluster.call("POST", "apis/batch/v1:jobs", job("j", spec={"suspend": True}))
    assert answer.status == 201 and "would violate PodSecurity" in answer.headers["Warning"]


def _limited(cluster):
    made = cluster.call("POST", "api/v1:pods", pod("probe"), query={"dryRun": "All"}).body
    resources = made["spec"]["containers"][0]["resources"]
    return resources if "limits" in resources else None


def test_a_command_in_a_container(cluster):
    cluster.call("POST", "api/v1:pods", pod("p", "export HERE=main; sleep 1000"))
    phase(cluster, "p", "Running")

    def run(*command, **more):
        channels = {"stdin": False, "stdout": True, "stderr": True, "tty": False, **more}
        api = client.CoreV1Api(client.ApiClient(cluster.client.configuration))  # `stream` changes the client for good
        return stream(api.connect_get_namespaced_pod_exec, "p", cluster.namespace, command=list(command), **channels)

    assert run("sh", "-c", "echo $HOSTNAME; echo problem >&2") in ("p\nproblem\n", "problem\np\n")
    session = run("sh", "-c", "read word; echo got $word; exit 3", stdin=True, _preload_content=False)
    session.write_stdin("hello\n")
    session.run_forever(timeout=SECONDS)
    assert session.read_stdout(timeout=1) == "got hello\n" and session.returncode == 3
    terminal = run("sh", "-c", "test -t 1 && echo terminal", tty=True, stdin=True, stderr=False)
    assert terminal.strip() == "terminal"
