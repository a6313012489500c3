"""The Python example of the README runs, on a job of the same form that takes milliseconds."""

import inspect
import subprocess
import sys
import textwrap

import pytest

import orchestrator
import orchestrator.client
from tests.jobs.conftest import LONGEST, Project, project
from tests.pages import ROOT, blocks

__all__ = ["Project", "project"]

EXAMPLE = blocks(ROOT / "README.md", "python")[0].text
TRAIN = """
    os.makedirs(train_url + "model")
    for name in ("metrics.json", "model/config.json"):
        open(train_url + name, "w").write(given["num_epochs"])
"""


@pytest.fixture
def example(project, tmp_path):
    """Give a function that runs the example beside a job spec of the name that it uses."""
    project.script(TRAIN)
    spec = project.write(name="mnist-mxnet", parameters={"num_epochs": 8})
    (project.folder / "job_specs").mkdir()
    (project.folder / "job_specs" / "mnist-mxnet.yaml").write_text(
        spec.read_text().replace("code: ./code", "code: ../code")
    )

    def run(source: str = EXAMPLE) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", source], cwd=project.folder, capture_output=True, text=True, timeout=LONGEST
        )

    return run


def test_the_example_runs_as_it_stands(example, project):
    done = example()
    assert done.stderr == "" and done.returncode == 0
    assert done.stdout == "SUCCEEDED ['metrics.json', 'model/config.json']\n"
    assert project.client.jobs.get("mnist-mxnet", "v1").record.parameters == {"num_epochs": 1}


def test_again_it_makes_the_next_version(example, project):
    assert example().returncode == example().returncode == 0
    assert [view.version for view in project.client.jobs.list("mnist-mxnet")] == ["V0002", "V0001"]


def test_a_failed_script_is_a_state_and_not_an_exception(example, project):
    project.script("sys.exit(3)")
    done = example()
    assert done.returncode == 0
    assert done.stdout == "FAILED []\n"


def test_what_the_user_did_wrong_is_an_error_with_the_next_step(example):
    done = example(EXAMPLE.replace("mnist-mxnet.yaml", "mnist-mxnt.yaml"))
    assert done.returncode == 1
    assert "NotFoundError" in done.stderr and "there is no file job_specs/mnist-mxnt.yaml" in done.stderr
    assert done.stderr.endswith("\nhint: did you mean job_specs/mnist-mxnet.yaml?\n")


def test_the_docstring_has_the_same_example():
    shown = inspect.getdoc(orchestrator.client).partition("Example:\n")[2]
    assert textwrap.dedent(shown).strip() == EXAMPLE


def test_threads_remember_their_last_jobs_at_once(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.jobs import last

    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: last.remember("digits", f"V{number:04}"), range(1, 400)))
    assert last.recall()[0] == "digits"


def test_who_has_just_told_is_not_taken_for_dead():
    import threading

    from orchestrator.jobs import untold

    wrong: list[str] = []
    for turn in range(300):
        told = threading.Event()

        def watch(run: str, told: threading.Event) -> None:
            while not told.is_set():
                if untold.is_untold(run):
                    wrong.append(run)

        with untold.telling(f"run-{turn}"):
            watcher = threading.Thread(target=watch, args=(f"run-{turn}", told))
            watcher.start()
        told.set()
        watcher.join()
    assert wrong == []
