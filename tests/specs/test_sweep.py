"""Sweep specs: what is refused before anything starts, and that what is accepted can be searched."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import NotFoundError, SpecError
from orchestrator.specs.dimension import Dimension
from orchestrator.specs.fields import FieldError
from orchestrator.specs.load_sweep import LoadedSweep, load_sweep_spec
from orchestrator.specs.schema import sweep_schema

ROOT = Path(__file__).parents[2]
JOB = {"name": "demo", "engine": "mxnet-1.9", "code": "./code", "boot_file": "main.py", "parameters": {"epochs": 2}}
SWEEP = {
    "name": "rates",
    "job": "job.yaml",
    "parameters": {"optimizer": ["sgd", "adam"], "rate": {"float": [0.001, 0.5], "log": True}},
    "objective": {"metric": "accuracy", "goal": "maximize"},
    "budget": {"trials": 8, "parallel": 2, "max_time": "1h"},
    "early_stopping": "median",
}


@pytest.fixture
def load(tmp_path):
    """Give a function that loads a sweep with some of its keys changed; None leaves one out."""

    def load(**changes) -> LoadedSweep:
        fields = {key: value for key, value in {**SWEEP, **changes}.items() if value is not None}
        (tmp_path / "job.yaml").write_text(yaml.safe_dump(JOB))
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(fields, sort_keys=False))
        return load_sweep_spec(tmp_path / "sweep.yaml")

    return load


def test_a_sweep_names_its_job_and_has_the_corner_of_its_space(load, tmp_path):
    loaded = load()
    assert loaded.job.spec.parameters == {"epochs": 2, "optimizer": "sgd", "rate": 0.001}
    assert loaded.job.folder == tmp_path
    assert (loaded.spec.trials, loaded.spec.budget.max_seconds, loaded.spec.method) == (8, 3600, "tpe")
    assert loaded.spec.stopping and loaded.spec.stopping.method == "median"


def test_a_single_value_is_that_of_all_trials(load):
    loaded = load(parameters={"rate": [0.1, 0.2, 0.3], "epochs": 7}, algorithm="grid", budget=None)
    assert loaded.job.spec.parameters["epochs"] == 7
    assert loaded.spec.trials == 3


def test_the_job_may_stand_in_the_sweep_itself_with_its_variables(load):
    job = {**JOB, "engine": "${ENGINE}", "variables": {"ENGINE": "mxnet-1.9"}}
    assert load(job=job).job.spec.engine == "mxnet-1.9"


def test_what_is_wrong_with_a_job_in_the_sweep_has_its_line(load, tmp_path):
    with pytest.raises(SpecError, match=r"sweep\.yaml:6:\d+: unknown key `job\.boot_fil`; did you mean `boot_file`"):
        load(job={"name": "a", "engine": "mxnet-1.9", "code": "./c", "boot_fil": "main.py"})


def test_a_missing_job_is_named(load):
    with pytest.raises(NotFoundError, match=r"there is no file .*jobs\.yaml"):
        load(job="jobs.yaml")


@pytest.mark.parametrize(("name", "method"), [("bayes_opt_search", "tpe"), ("anneal_search", "cma-es")])
def test_the_names_of_modelarts_are_understood(load, name, method):
    assert load(algorithm=name).spec.method == method


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {}}, "`parameters` is empty; for example"),
        ({"parameters": None}, "missing key `parameters`"),
        ({"objective": None}, "missing key `objective`"),
        ({"objective": {"goal": "maximize"}}, "missing key `objective.metric`"),
        ({"parameters": {"a": []}}, "`parameters.a` has no values"),
        ({"parameters": {"a": ["x", "x"]}}, '`parameters.a` has "x" twice'),
        ({"parameters": {"a": None}}, "`parameters.a` must be a value, a list of them,"),
        ({"parameters": {"a": {"int": [3, 1]}}}, "`parameters.a.int` begins with 3, which is more than 1"),
        ({"parameters": {"a": {"int": [1, 2, 3]}}}, "`parameters.a.int` must be a list of two whole numbers"),
        ({"parameters": {"a": {"float": [0, 1], "log": True}}}, "`parameters.a.log` needs a range above 0"),
        ({"parameters": {"a": {"float": [1, 2], "log": True, "step": 1}}}, "`parameters.a.step` and `log` exclude"),
        ({"parameters": {"a": {"float": [1, 2], "int": [1, 2]}}}, "`parameters.a.float` excludes `int`"),
        ({"parameters": {"a": {"log": True}}}, "`parameters.a.choice` is missing"),
        ({"parameters": {"a": {"floats": [1, 2]}}}, "unknown key `parameters.a.floats`; did you mean `float`"),
        ({"parameters": {"data_url": ["a"]}}, "key `parameters.data_url` must be the name of an argument"),
        ({"parameters": {"epochs": ["few", "many"]}}, "`parameters.epochs` has nothing of the kind of 2"),
        ({"job": {**JOB}, "parameters": {"epochs": [2, 3]}}, "`parameters.epochs` is searched, and the job has it"),
        ({"budget": None}, "`budget` does not say how many trials"),
        ({"budget": {"trials": 0}}, "`budget.trials` must be a whole number from 1"),
        ({"budget": {"trials": 2, "max_time": "soon"}}, "`budget.max_time` must be a duration"),
        ({"algorithm": "grid"}, "`algorithm` grid needs a step for `rate`"),
        ({"algorithm": "bayes"}, "`algorithm` must be"),
        ({"algorithm": "tpe_serach"}, "did you mean `algorithm: tpe_search`"),
        (
            {"algorithm": "grid", "parameters": {"a": [1, 2, 3], "b": {"int": [1, 5]}}},
            "`budget` allows 8 trials, and the grid has 15 points",
        ),
        ({"early_stopping": "mean"}, "`early_stopping` must be"),
        ({"early_stopping": {"method": "asha", "reduction": 1}}, "`early_stopping.reduction` must be"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(load, changes, words):
    with pytest.raises(SpecError) as caught:
        load(**changes)
    assert words in caught.value.message
    assert caught.value.message.startswith(str(Path(caught.value.message.partition(":")[0])))
    assert ".yaml:" in caught.value.message


def test_the_command_line_changes_a_sweep(load, tmp_path):
    load()
    loaded = load_sweep_spec(tmp_path / "sweep.yaml", assignments=["budget.trials=3"])
    assert loaded.spec.trials == 3


NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000, allow_nan=False)
RANGES = st.fixed_dictionaries(
    {},
    optional={
        "choice": st.lists(st.sampled_from([1, 1.0, True, "a", "b", 0.5]), max_size=3),
        "integers": st.lists(st.integers(-50, 50), min_size=2, max_size=2),
        "floats": st.lists(NUMBERS, min_size=2, max_size=2),
        "step": st.sampled_from([1, 2, 0.1, 0.25]),
        "log": st.booleans(),
    },
)


@given(RANGES)
def test_what_is_accepted_can_be_searched(fields):
    try:
        dimension = Dimension(**fields)
    except FieldError as error:
        assert error.reason
        return
    if dimension.size is None:
        low, high = dimension.bounds
        assert low < high and dimension.floats
        return
    values = [dimension.at(index) for index in range(dimension.size)]
    assert values and len({json.dumps(value) for value in values}) == len(values)
    if dimension.choice is None:
        low, high = dimension.bounds
        assert values == sorted(values) and values[0] == pytest.approx(low) and values[-1] <= high + 1e-6


def test_the_schema_is_valid_and_the_committed_one_is_current():
    jsonschema.Draft202012Validator.check_schema(sweep_schema())
    committed = json.loads((ROOT / "docs/sweep.schema.json").read_text())
    assert committed == sweep_schema(), "write it again: mlctl schema sweep > docs/sweep.schema.json"
    validator = jsonschema.Draft202012Validator(sweep_schema())
    validator.validate(SWEEP)
    validator.validate({**SWEEP, "job": JOB})
    assert not validator.is_valid({**SWEEP, "parameters": {"a": {"int": [1, 2], "float": [1, 2]}}})
    assert not validator.is_valid({**SWEEP, "objective": {}})
