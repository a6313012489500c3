"""What workers are told of each other: the same function for pods and for this machine."""

import json

from orchestrator.runtime.distributed import companions, distributed_arguments, distributed_environment
from orchestrator.runtime.task import Task
from orchestrator.runtime.worker import ALONE, Ports, Worker

FIELDS = {"job": "a", "version": "V0001", "store": "s", "prefix": "p/", "code_key": "c", "code_name": "code"}
FIELDS |= {"boot_file": "main.py", "output_store": "s", "output_prefix": "o/"}
PODS = Worker(index=1, hosts=("job-0.job", "job-1.job"))
HERE = Worker(index=1, hosts=("127.0.0.1",) * 2, ports=(Ports(), Ports(master=1, scheduler=2, worker=3, server=4)))
PS_FLAGS = ("job_name", "task_index", "ps_hosts", "worker_hosts")


def test_pods_have_addresses_of_their_own_and_the_usual_ports():
    told = distributed_environment(Task(**FIELDS), PODS)
    assert (told["MASTER_ADDR"], told["MASTER_PORT"], told["RANK"]) == ("job-0.job", "29500", "1")
    assert json.loads(told["TF_CONFIG"])["cluster"] == {"worker": ["job-0.job:2222", "job-1.job:2222"]}
    assert "DMLC_ROLE" not in told


def test_on_one_machine_the_ports_differ():
    told = distributed_environment(Task(**FIELDS), HERE)
    assert json.loads(told["TF_CONFIG"])["cluster"] == {"worker": ["127.0.0.1:2222", "127.0.0.1:3"]}
    assert told["MASTER_PORT"] == "29500"  # the first one's


def test_flags_are_those_that_the_script_declares():
    task = Task(**FIELDS, flags=("rank", "init_method", "job_name"))
    assert distributed_arguments(task, PODS) == ["--job_name=worker", "--init_method=tcp://job-0.job:29500", "--rank=1"]
    assert distributed_arguments(task, ALONE) == []


def test_a_parameter_server_is_the_script_itself_and_tensorflow_knows_of_it():
    task = Task(**FIELDS, flags=PS_FLAGS)
    (server,) = companions(task, PODS)
    assert (server.role, server.statement, server.environment["CUDA_VISIBLE_DEVICES"]) == ("ps", None, "")
    assert distributed_arguments(task, PODS, server.role)[:2] == ["--job_name=ps", "--task_index=1"]
    config = json.loads(server.environment["TF_CONFIG"])
    assert config["task"] == {"type": "ps", "index": 1}
    assert config["cluster"]["ps"] == ["job-0.job:2223", "job-1.job:2223"]


def test_mxnet_has_a_server_on_each_node_and_a_scheduler_on_the_first():
    task = Task(**FIELDS, framework="MXNet")
    first = Worker(index=0, hosts=PODS.hosts)
    assert [one.role for one in companions(task, first)] == ["scheduler", "server"]
    (server,) = companions(task, PODS)
    wanted = {"DMLC_PS_ROOT_URI": "job-0.job", "DMLC_PS_ROOT_PORT": "9091", "DMLC_NUM_WORKER": "2"}
    wanted |= {"DMLC_NUM_SERVER": "2", "DMLC_WORKER_ID": "1"}
    told = distributed_environment(task, PODS)
    assert wanted.items() <= told.items() and wanted.items() <= server.environment.items()
    assert (told["DMLC_ROLE"], server.environment["DMLC_ROLE"]) == ("worker", "server")
    assert companions(task, ALONE) == []
