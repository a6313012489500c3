"""What running jobs use, and a shell beside their scripts."""

import subprocess

import pytest

from orchestrator.errors import ConflictError
from tests.jobs.conftest import Project


def test_a_job_that_works_is_seen_to_work(project: Project) -> None:
    project.script("""
        block = bytearray(60_000_000)
        print("begun", flush=True)
        while not os.path.exists(train_url + "stop"):
            pass
    """)
    view = project.create(resources={"cpus": 1, "memory": "1Gi"})
    project.wait_for_log(view, b"begun\n")
    (used,) = project.client.jobs.top()
    assert used.view.ref == "demo/V0001" and (used.cpus, used.memory, used.nodes) == (1, 1024**3, 1)
    assert used.usage and used.usage.memory > 60_000_000 and used.usage.cpus > 0
    project.client.jobs.cancel("demo")
    assert list(project.client.jobs.top()) == []


def test_a_command_runs_in_the_folder_and_with_the_variables_of_the_script(project: Project) -> None:
    project.script("""
        print("begun", flush=True)
        time.sleep(60)
    """)
    view = project.create(env={"COLOUR": "blue"})
    project.wait_for_log(view, b"begun\n")
    argv, environment, folder = project.client.jobs.session(
        "demo", command=["sh", "-c", "ls; echo $COLOUR $MLCTL_RUN_ID"]
    )
    said = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert said == "code\nblue\n", "the run's mark would have the shell killed with the script"
    project.client.jobs.cancel("demo")
    with pytest.raises(ConflictError, match="demo/V0001 is CANCELLED"):
        project.client.jobs.session("demo")
