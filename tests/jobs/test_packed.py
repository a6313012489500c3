"""Jobs whose data is stored packed: the script sees files; one that gets URLs gets no packed ones."""

from pathlib import Path

import pytest

from orchestrator.config import Context, add_context
from tests.store.trees import make_tree


@pytest.fixture
def bucket(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test in a context with a bucket; give its URL."""
    add_context(Context(name="lab", store=bucket_url))
    monkeypatch.setenv("MLCTL_CONTEXT", "lab")
    return bucket_url


def numbers(folder: Path, count: int) -> Path:
    return make_tree(folder, {f"{n % 10}/{n}.txt": f"{n}" for n in range(count)})


def test_many_small_files_reach_the_script_as_they_were(project):
    numbers(project.folder / "data", 600)
    project.script("""
        found = [os.path.join(top, name) for top, _, names in os.walk(data_url) for name in names]
        print(len(found), sum(int(open(path).read()) for path in found))
    """)
    view = project.run(data="./data")
    assert view.status.state == "SUCCEEDED"
    assert b"600 179700" in project.log(view)
    assert project.client.datasets.get("demo-data").layout == "packed"
    assert project.run(data="./data").record.data.version == "V0001"


def test_a_script_that_gets_urls_is_not_given_packs(project, bucket):
    numbers(project.folder / "data", 600)
    client = project.client
    client.datasets.push(project.folder / "data", name="numbers")
    (problem,) = client.jobs.plan(project.write(data="dataset://numbers", data_mode="url")).problems
    assert "dataset://numbers@v1 is stored packed" in problem.message
    assert "mlctl dataset push FOLDER --name numbers --layout plain" in problem.hint
    assert client.jobs.plan(project.write(data_mode="local")).problems == []
    client.datasets.push(project.folder / "data", name="numbers", layout="plain")
    assert client.jobs.plan(project.write(data_mode="url")).problems == []


def test_a_folder_is_stored_plain_for_a_script_that_gets_urls(project, bucket):
    numbers(project.folder / "data", 520)
    client = project.client
    assert project.run(data="./data").status.state == "SUCCEEDED"
    assert client.datasets.get("demo-data").layout == "packed"
    project.script("print(data_url)")
    plan = client.jobs.plan(project.write(data_mode="url"))
    assert (plan.problems, plan.data.wanted) == ([], "push")
    view = project.run()
    assert client.datasets.get("demo-data").layout == "plain"
    assert f"{bucket}/datasets/demo-data/V0002/files/".encode() in project.log(view)
