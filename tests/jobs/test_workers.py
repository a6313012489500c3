"""Jobs of several nodes on this machine: real processes that find each other, and one end for all."""

import json
import os
import signal

import pytest

from orchestrator.backends.local.rundir import holder
from orchestrator.runtime.output import Output
from orchestrator.runtime.status import Status
from orchestrator.store.records import find
from tests.jobs.conftest import processes_of, run_of
from tests.waiting import wait_until

TWO = {"nodes": 2}
# Waits until all workers are there, as a rendezvous does; then each is worker `me`.
MEET = """
    import argparse, json, socket
    me, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if me == 0:
        door = socket.create_server(address)
        friends = [door.accept()[0] for _ in range(count - 1)]
        for friend in friends: friend.sendall(b"go")
    else:
        while True:
            try: friend = socket.create_connection(address)
            except OSError: time.sleep(0.05); continue
            break
        assert friend.recv(2) == b"go"
    print("worker", me, "of", count, flush=True)
"""


def test_workers_meet_and_each_has_a_log_and_an_output_of_its_own(each_store, project):
    project.script(MEET + "    open(os.path.join(train_url, f'part-{me}'), 'w').write(str(me))\n")
    view = project.run(resources={"nodes": 3})
    assert view.status.state == "SUCCEEDED", view.status.message
    jobs = project.client.jobs
    paths = [entry.path for entry in jobs.outputs("demo").manifest.entries]
    assert paths == ["part-0", "worker-1/part-1", "worker-2/part-2"]
    for worker in range(3):
        assert project.log(view, worker=worker) == b"worker %d of 3\n" % worker
    lines = project.log(view).splitlines()
    assert sorted(line[-13:] for line in lines) == [b"worker %d of 3" % worker for worker in range(3)]
    wait_until(lambda: not run_of(view).folder.exists())


def test_what_each_worker_is_told(project):
    (project.folder / "code" / "helper.txt").write_text("here")
    project.script("""
        import argparse, json
        parser = argparse.ArgumentParser()
        parser.add_argument("--data_url")
        parser.add_argument("--train_url")
        parser.add_argument("--task_index")
        parser.add_argument("--worker_hosts")
        parser.add_argument("--init_method")
        parser.add_argument("--rank")
        parser.add_argument("--world_size")
        parser.add_argument("--lr")
        told = {"arguments": vars(parser.parse_args()), "environment": dict(os.environ), "folder": os.getcwd()}
        json.dump(told, open(os.path.join(train_url, "told.json"), "w"))
    """)
    project.run(resources=TWO, parameters={"lr": 0.1})
    target = project.folder / "output"
    project.client.jobs.pull_outputs("demo", "latest", target)
    first, second = (json.loads((target / folder / "told.json").read_text()) for folder in ("", "worker-1"))
    hosts = first["arguments"]["worker_hosts"].split(",")
    assert len(set(hosts)) == 2 and all(host.startswith("127.0.0.1:") for host in hosts)
    assert [told["arguments"]["task_index"] for told in (first, second)] == ["0", "1"]
    assert [told["arguments"]["rank"] for told in (first, second)] == ["0", "1"]
    assert first["arguments"]["world_size"] == "2" and first["arguments"]["lr"] == "0.1"
    master = f"{first['environment']['MASTER_ADDR']}:{first['environment']['MASTER_PORT']}"
    assert second["arguments"]["init_method"] == f"tcp://{master}"
    assert first["folder"] != second["folder"]
    environment = second["environment"]
    wanted = {"RANK": "1", "LOCAL_RANK": "0", "NODE_RANK": "1", "DLS_TASK_INDEX": "1", "DLS_TASK_NUMBER": "2"}
    wanted |= {
        "VC_TASK_INDEX": "1",
        "VC_WORKER_NUM": "2",
        "MA_NUM_HOSTS": "2",
        "VC_WORKER_HOSTS": "127.0.0.1,127.0.0.1",
    }
    assert {name: environment[name] for name in wanted} == wanted
    config = json.loads(environment["TF_CONFIG"])
    assert config == {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": 1}}


def test_one_node_is_told_nothing_of_others(project):
    project.script("print([name for name in ('RANK', 'TF_CONFIG', 'MASTER_ADDR') if name in os.environ], sys.argv[3:])")
    view = project.run()
    assert project.log(view) == b"[] []\n"


def test_parameter_servers_are_started_for_scripts_that_declare_them(project):
    project.script("""
        import argparse, socket
        parser = argparse.ArgumentParser()
        parser.add_argument("--data_url")
        parser.add_argument("--train_url")
        parser.add_argument("--job_name")
        parser.add_argument("--task_index")
        parser.add_argument("--ps_hosts")
        parser.add_argument("--worker_hosts")
        flags = parser.parse_args()
        addresses = [(host, int(port)) for host, port in (pair.split(":") for pair in flags.ps_hosts.split(","))]
        if flags.job_name == "ps":
            door = socket.create_server(addresses[int(flags.task_index)])
            while True: door.accept()[0].sendall(b"parameters")
        for address in addresses:
            while True:
                try: print(flags.task_index, socket.create_connection(address).recv(100), flush=True)
                except OSError: time.sleep(0.05); continue
                break
    """)
    view = project.run(resources=TWO)
    assert view.status.state == "SUCCEEDED", view.status.message
    for worker in range(2):
        assert project.log(view, worker=worker) == b"%d b'parameters'\n" % worker * 2
    wait_until(lambda: not processes_of(view.record.run))


def test_a_server_that_fails_fails_the_job(project):
    project.script("""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--data_url")
        parser.add_argument("--train_url")
        parser.add_argument("--job_name")
        parser.add_argument("--ps_hosts")
        parser.add_argument("--task_index")
        flags = parser.parse_args()
        if flags.job_name == "ps" and flags.task_index == "1": sys.exit(7)
        time.sleep(600)
    """)
    view = project.run(resources=TWO)
    assert (view.status.state, view.status.reason) == ("FAILED", "UserError")
    assert view.status.message == "worker 1: the ps beside the script failed with exit code 7"
    wait_until(lambda: not processes_of(view.record.run))


@pytest.mark.parametrize("bad", [0, 1])
def test_a_worker_that_fails_ends_the_others_and_its_reason_is_the_jobs(project, bad):
    project.script(
        "\n    open(os.path.join(train_url, 'kept'), 'w').close()\n"
        + MEET
        + f"    if me == {bad}: print('cannot'); sys.exit(3)\n    time.sleep(600)\n"
    )
    view = project.run(resources=TWO)
    prefix = "worker 1: " if bad else ""
    assert (view.status.state, view.status.reason, view.status.exit_code) == ("FAILED", "UserError", 3)
    assert view.status.message == f"{prefix}the script failed with exit code 3"
    assert view.status.last_lines[-1] == "cannot"
    other = find(project.client.store, "jobs/demo/V0001/status-1.json", Status)
    if not bad:
        assert (other.reason, other.message) == ("Killed", "another worker failed, and this one was ended")
    output = find(project.client.store, "jobs/demo/V0001/output.json", Output)
    assert [entry.path for entry in output.manifest.entries] == ["kept", "worker-1/kept"]
    wait_until(lambda: not processes_of(view.record.run))


def test_a_worker_that_somebody_kills_is_why_the_job_failed(project):
    project.script(MEET + "    if me == 1: os.kill(os.getpid(), 9)\n    time.sleep(600)\n")
    status = project.run(resources=TWO).status
    assert (status.reason, status.message) == ("Killed", "worker 1: the script was killed (SIGKILL), not by mlctl")


def test_the_memory_limit_is_that_of_each_worker(project):
    project.script(MEET + "    held = b'x' * (300 << 20) if me == 1 else b''\n    time.sleep(600)\n")
    status = project.run(resources={"nodes": 2, "memory": "200Mi"}).status
    assert status.reason == "OutOfMemory"
    assert status.message == "worker 1: the script used more memory than its limit (200Mi)"


def test_cancelling_ends_all(project):
    project.script(MEET + "    time.sleep(600)\n")
    view = project.create(resources=TWO)
    for worker in range(2):
        wait_until(lambda worker=worker: b"worker" in project.log(view, worker=worker))
    assert project.client.jobs.cancel("demo").status.state == "CANCELLED"
    wait_until(lambda: not processes_of(view.record.run))


def test_a_killed_supervisor_takes_all_workers_along_and_their_logs_are_saved(project):
    project.script(MEET + "    time.sleep(600)\n")
    view = project.create(resources=TWO)
    for worker in range(2):
        wait_until(lambda worker=worker: b"worker" in project.log(view, worker=worker))
    os.kill(holder(run_of(view)), signal.SIGKILL)
    wait_until(lambda: not processes_of(view.record.run))
    status = wait_until(lambda: (now := project.client.jobs.get("demo").status).state.finished and now)
    assert (status.state, status.reason) == ("FAILED", "SupervisorLost")
    assert [project.log(view, worker=worker) for worker in range(2)] == [b"worker 0 of 2\n", b"worker 1 of 2\n"]
    wait_until(lambda: not run_of(view).folder.exists())


def test_all_workers_count_for_the_queue_and_for_what_is_used(project):
    project.script(MEET + "    time.sleep(600)\n")
    view = project.create(resources=TWO)
    wait_until(lambda: b"worker" in project.log(view, worker=1))
    (used,) = project.client.jobs.top()
    assert (used.nodes, used.cpus) == (2, 2) and used.usage.memory > 0
    project.create(name="second", resources={})
    jobs = project.client.jobs
    wait_until(lambda: jobs.get("second").status.message.startswith("1 job is before it"))
    inside = jobs.session("demo", command=["true"], worker=1)
    assert inside.environment["RANK"] == "1" and str(inside.folder).endswith("worker-1/work/user-job-dir")
    project.client.jobs.cancel("demo")
    project.client.jobs.cancel("second")
