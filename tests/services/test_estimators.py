"""Models of scikit-learn and XGBoost, made and served in the real engine without any code of their own."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.client import Client
from orchestrator.engines import ensure_environment, get_engine
from orchestrator.models.load import engine_for
from orchestrator.services.state import ServiceView

pytestmark = pytest.mark.journey

IRIS = """
import joblib, json, pickle, sys
import xgboost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
rows, kinds = load_iris(return_X_y=True, as_frame=True)
"""
WORDS = """
import joblib, json, sys
import pandas
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
table = pandas.DataFrame({"age": [20, 30, 40, 50] * 9, "city": ["Ulm", "Bonn"] * 18})
columns = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
model = make_pipeline(columns, LogisticRegression()).fit(table, ["no", "yes"] * 18)
joblib.dump(model, sys.argv[1])
"""
BOOSTER = "model = xgboost.train({'objective': 'multi:softmax', 'num_class': 3}, xgboost.DMatrix(rows, kinds), 5)\n"
RAW = "open(sys.argv[1], 'wb').write(model.save_raw('%s'))\n"
FITTED = "model = LogisticRegression(max_iter=500).fit(rows.values, kinds)\n"
FILES = {
    "a pickle": FITTED + "pickle.dump(model, open(sys.argv[1], 'wb'))\n",
    "of joblib, compressed": FITTED + "joblib.dump(model, sys.argv[1], compress=3)\n",
    "a classifier of XGBoost": "joblib.dump(xgboost.XGBClassifier(n_estimators=5).fit(rows, kinds), sys.argv[1])\n",
    "XGBoost's own, in UBJSON": BOOSTER + RAW % "ubj",
    "XGBoost's own, in JSON": BOOSTER + RAW % "json",
    "XGBoost's own, columns without names": BOOSTER.replace("(rows,", "(rows.values,") + RAW % "ubj",
}
"""Programs that write a model into the file that they are given."""
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [7.0, 3.2, 4.7, 1.4], [6.3, 3.3, 6.0, 2.5]]  # one of each kind
Deploy = Callable[[str, str], tuple[ServiceView, str]]


@pytest.fixture
def deploy(client: Client, tmp_path: Path) -> Deploy:
    """Give a function that makes a model by a program, and a service of it; it returns that and its token."""

    def make(program: str, kind: str) -> tuple[ServiceView, str]:
        package = tmp_path / "package" / "model"
        package.mkdir(parents=True)
        (package / "config.json").write_text(json.dumps({"model_algorithm": "table", "model_type": kind}))
        subprocess.run(
            [ensure_environment(get_engine("scikit-learn-1")), "-c", program, package / "table.m"], check=True
        )
        version = client.models.import_(str(package.parent), "table")
        assert engine_for(version).name == "scikit-learn-1"
        return client.services.deploy(version)

    return make


def answers(client: Client, rows: list[Any]) -> list[Any]:
    document = client.services.predict("table", json=json.dumps({"data": {"req_data": rows}}).encode()).document
    return [row["predictresult"] for row in document["data"]["resp_data"]]


@pytest.mark.parametrize("file", FILES)
def test_any_file_of_a_model_is_served(client, deploy, file):
    deploy(IRIS + FILES[file], "XGBoost" if "XGBoost" in file else "Scikit_Learn")
    assert answers(client, FLOWERS) == [0, 1, 2]


def test_rows_by_the_names_of_their_columns(client, deploy):
    deploy(WORDS, "Scikit_Learn")
    assert answers(client, [{"city": "Ulm", "age": 30}, {"age": 30, "city": "Bonn"}, [30, "Ulm"]]) == [
        "no",
        "yes",
        "no",
    ]
    assert answers(client, [{"a": 30, "b": "Bonn"}]) == ["yes"]  # other names count as they stand
    for row, reason in (
        ({"age": 30, "town": "Ulm"}, "the model's columns are age, city, and age, town came"),
        ([30], "the model takes 2 columns, age, city, and a row has 1"),
        ("Ulm", '"req_data": [{"first column": 1.5'),
    ):
        refused = client.services.predict("table", json=json.dumps({"data": {"req_data": [row]}}).encode())
        assert refused.status == 422 and reason in refused.document["msg"]


def test_the_open_inference_protocol(deploy):
    view, token = deploy(WORDS, "Scikit_Learn")

    def ask(**body: Any) -> Any:
        found = httpx.post(f"{view.url}/v2/models/table/infer", json=body, headers={"X-Auth-Token": token}, timeout=60)
        return {one["name"]: one["data"] for one in found.json()["outputs"]} if found.is_success else found.json()

    columns = [
        {"name": "city", "datatype": "BYTES", "shape": [2], "data": ["Ulm", "Bonn"]},
        {"name": "age", "datatype": "INT64", "shape": [2], "data": [30, 30]},
    ]
    assert ask(inputs=columns) == {"predict": ["no", "yes"]}
    shares = ask(inputs=columns, outputs=[{"name": "predict_proba"}])["predict_proba"]
    assert len(shares) == 4 and shares[0] + shares[1] == pytest.approx(1) and shares[0] > 0.5 > shares[2]
    columns[1]["shape"], columns[1]["data"] = [1], [30]
    assert "an array of the same length for each column, not [2], [1]" in str(ask(inputs=columns))
    assert "the model's columns are age, city, and city came" in str(ask(inputs=columns[:1]))
    columns[1]["shape"], columns[1]["data"] = [2], [30, 30]
    assert "outputs are predict, predict_proba, not votes" in str(ask(inputs=columns, outputs=[{"name": "votes"}]))
