"""A job that succeeds makes a version of its model; the version refers to the job's output."""

import json

import pytest

from orchestrator.cli.job_view import after
from orchestrator.errors import ConflictError
from orchestrator.runtime.status import State
from orchestrator.store.base import list_objects
from tests.models.packages import below, mxnet

pytestmark = pytest.mark.usefixtures("each_store")

WRITE = """
    import json
    for path, content in json.loads(os.environ['FILES']).items():
        os.makedirs(os.path.dirname(train_url + path) or '.', exist_ok=True)
        open(train_url + path, 'w').write(content)
"""


def run(project, files, **fields):
    project.script(WRITE)
    return project.run(model={"name": "digits"}, env={"FILES": json.dumps(files)}, **fields)


def test_a_job_makes_a_model_with_its_number_and_lineage(project):
    run(project, {"other.txt": "no model"})
    view = run(project, below("model", mxnet()), parameters={"lr": 0.1})
    assert "its model is digits/V0002" in view.status.message
    assert (view.status.model, after(view)[1:]) == ("digits/V0002", ["mlctl deploy digits --version V0002"])
    models = project.client.models
    found = models.get("digits")
    assert (found.ref, found.source, found.type) == ("digits/V0002", "job demo/V0002", "MXNet")
    assert found.lineage.job == "demo/V0002"
    assert (found.lineage.engine, found.lineage.parameters) == ("plain-1", {"lr": 0.1})
    assert found.lineage.code_sha256 == view.record.code.sha256
    assert found.author == view.record.author
    # No byte was copied.
    assert {item.key.rpartition("/")[2] for item in list_objects(project.client.store, "models/")} == {"model.json"}
    models.pull("digits", "v2", project.folder / "pulled")
    assert (project.folder / "pulled" / "pred-0000.params").read_text() == "weights"
    assert project.client.register("demo", "v2") == found


def test_a_model_keeps_what_its_job_has_measured(project):
    package = below("model", mxnet())
    for accuracy in (0.5, 0.75):
        rows = [{"step": step, "accuracy": value, "loss": None} for step, value in enumerate((0.1, accuracy))]
        run(project, package | {"metrics.jsonl": "\n".join([*map(json.dumps, rows), '{"step": 9, "bad": NaN}', ""])})
    models = project.client.models
    assert models.get("digits", "v2").lineage.metrics == {"accuracy": 0.75}
    assert ("measured accuracy", "0.5", "0.75") in models.diff("digits", "v1", "v2")
    again = project.client.register("demo", "v2", name="again")
    assert again.lineage == models.get("digits", "v2").lineage


def test_a_job_without_a_package_succeeds_and_says_so(project):
    view = run(project, {"weights.bin": "w"})
    assert view.status.state is State.SUCCEEDED
    assert "no model was registered: the output of demo/V0001 has no model" in view.status.message


def test_what_a_model_is_made_of_stays(project):
    run(project, below("model", mxnet()))
    with pytest.raises(ConflictError, match="of the output of demo/V0001 is made digits/V0001"):
        project.client.jobs.delete("demo", "v1")
    project.client.models.delete("digits")
    assert project.client.jobs.delete("demo", "v1") == ["V0001"]


def test_a_job_that_failed_is_not_registered(project):
    project.script("open(train_url + 'config.json', 'w').write('{}'); sys.exit(3)")
    view = project.run(model={"name": "digits"})
    assert view.status.state is State.FAILED
    with pytest.raises(ConflictError, match="is not complete"):
        project.client.register("demo", "v1")


def test_any_job_version_can_be_registered_later_with_files_beside(project):
    files = mxnet()
    config = project.folder / "config.json"
    config.write_text(files.pop("config.json"))
    project.script(WRITE)
    project.run(env={"FILES": json.dumps(below("model", files))})
    found = project.client.register("demo", name="numbers", files={"config.json": config})
    assert (found.ref, found.type, found.lineage.job) == ("numbers/V0001", "MXNet", "demo/V0001")
    assert found.source == f"job demo/V0001 with config.json of {config}"
    assert project.client.jobs.delete("demo", "v1") == ["V0001"]  # its files are a copy
