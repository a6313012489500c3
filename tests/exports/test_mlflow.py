"""Job versions in a real MLflow: behind its server, in a folder, in a database."""

import json
import math

import pytest

from tests.jobs.conftest import LONGEST

pytestmark = pytest.mark.journey

TRAIN = """
    print("epoch 0")
    os.makedirs(train_url + "/model")
    open(train_url + "/model/config.json", "w").write('{"model_type": "Image"}')
    open(train_url + "/model/weights", "w").write("1 2 3")
"""


def test_runs_are_all_there_and_only_once(project, measured, mlflow, tracking):
    project.script(TRAIN)
    good = project.run(parameters={"lr": 0.1, "name": "a b"}, model={"name": "digits"}, description="first")
    project.script("sys.exit(3)")
    project.run(parameters={"lr": 0.2})
    measured("V0001", **{"train/loss": [1.0, math.nan, math.inf, 0.25], "accuracy(%)": [90.0], "steps": [*range(900)]})
    options = ["demo", "--tracking-uri", tracking]
    first = mlflow.export(*options)
    assert [(one["ref"], one["what"], one["models"]) for one in first] == [
        ("demo/V0001", "new", ["digits/V0001"]),
        ("demo/V0002", "new", []),
    ]
    uri = tracking if "://" in tracking else f"file://{tracking}"
    found = mlflow.look(uri, log=True)
    run, failed = found["runs"]
    assert (run["experiment"], run["name"], run["state"]) == ("demo", "V0001", "FINISHED")
    assert (run["started"], run["ended"]) == (round(good.status.started * 1000), round(good.status.finished * 1000))
    assert run["parameters"] == {"lr": "0.1", "name": "a b"}
    expected = {
        "mlctl.version": "demo/V0001",
        "mlctl.store": project.client.store.url,
        "mlctl.state": "SUCCEEDED",
        "mlctl.code_sha256": good.record.code.sha256,
        "mlctl.engine": "plain-1",
        "mlctl.exported": "whole",
        "mlflow.user": good.record.author,
        "mlflow.source.name": "main.py",
        "mlflow.note.content": "first",
    }
    assert expected.items() <= run["tags"].items()
    curves = dict(run["curves"])
    loss = curves.pop("train/loss")
    assert [point[:2] for point in loss] == [[0, 100500], [1, 101500], [2, 102500], [3, 103500]]
    values = [float(point[2]) for point in loss]
    assert (values[0], values[3]) == (1.0, 0.25) and math.isnan(values[1]) and values[2] > 1e308
    assert curves.pop("accuracy___") == [[0, 100500, "90.0"]]
    assert [float(point[2]) for point in curves.pop("steps")] == [*range(900)]
    assert curves == {}
    assert sorted(run["files"]) == ["log.txt", "output"] and run["output"] == ["output/model"]
    assert run["log"] == "epoch 0\n"
    assert (failed["state"], failed["tags"]["mlctl.reason"], failed["curves"]) == ("FAILED", "UserError", {})
    model = found["models"][0]
    assert (model["name"], model["run"], model["tags"]["mlctl.model"]) == ("digits", run["id"], "digits/V0001")
    assert model["source"].endswith("/output")

    again = mlflow.export(*options)
    assert [(one["run"], one["what"], one["models"]) for one in again] == [(one["run"], "there", []) for one in first]
    assert mlflow.look(uri, log=True) == found


def test_what_goes_on_is_completed_later(project, measured, mlflow, tmp_path):
    options = ["demo", "-v", "v1", "--tracking-uri", str(tmp_path / "runs")]
    project.script("print('started', flush=True)\nwhile not os.path.exists(given['stop']): time.sleep(0.1)")
    view = project.create(parameters={"stop": str(tmp_path / "stop")})
    project.wait_for_log(view, b"started")
    measured("V0001", loss=[3.0, 2.0])
    assert mlflow.export(*options)[0]["what"] == "new"
    uri = f"file://{tmp_path}/runs"
    running = mlflow.look(uri)["runs"][0]
    assert (running["state"], running["ended"], running["files"]) == ("RUNNING", None, [])
    measured("V0001", loss=[3.0, 2.0, 1.0])
    (tmp_path / "stop").touch()
    project.client.jobs.wait("demo", timeout=LONGEST)
    measured("V0001", loss=[3.0, 2.0, 1.0])
    assert mlflow.export(*options)[0]["what"] == "completed"
    (ended,) = mlflow.look(uri)["runs"]
    assert (ended["id"], ended["state"]) == (running["id"], "FINISHED")
    assert [point[2] for point in ended["curves"]["loss"]] == ["3.0", "2.0", "1.0"]
    assert ended["tags"]["mlctl.state"] == "SUCCEEDED"


def test_files_can_follow_later(project, mlflow, tmp_path):
    project.script(TRAIN)
    project.run(model={"name": "digits"})
    uri = f"file://{tmp_path}/runs"
    assert mlflow.export("--no-files", "--tracking-uri", uri)[0]["models"] == []
    assert mlflow.look(uri)["runs"][0]["files"] == []
    assert mlflow.export("--no-files", "--tracking-uri", uri)[0]["what"] == "there"
    assert mlflow.export("--tracking-uri", uri)[0]["what"] == "completed"
    found = mlflow.look(uri)
    assert len(found["runs"]) == len(found["models"]) == 1 and found["runs"][0]["output"] == ["output/model"]


def test_nobody_is_there(project, mlflow):
    project.run()
    done = mlflow.run("-m", "orchestrator", "job", "export", "--tracking-uri", "http://127.0.0.1:9")
    assert done.returncode == 7
    assert "MLflow at http://127.0.0.1:9: " in done.stderr and "Traceback" not in done.stderr


def test_no_mlflow_is_named(project, mlflow):
    project.run()
    done = mlflow.run("-m", "orchestrator", "job", "export", "-o", "json")
    assert done.returncode == 2 and "--tracking-uri http://HOST:5000" in done.stderr
    assert json.loads(mlflow.run("-m", "orchestrator", "job", "list", "-o", "json").stdout)
