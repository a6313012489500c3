"""What is wrong with a package is named with its file and what was expected there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models.lint import lint
from orchestrator.store.manifest import Entry, manifest_of
from tests.models.packages import CONFIG, SERVICE, mxnet


def findings(files: dict[str, str]) -> list[tuple[str, str]]:
    """Return level and text of what is found."""
    entries = [Entry(path=path, size=len(content), sha256="0" * 64) for path, content in files.items()]
    found = lint(manifest_of(entries), lambda path: files[path].encode())
    return [(one.level, f"{one.place} {one.message}") for one in found]


def errors(files: dict[str, str]) -> str:
    return "\n".join(text for level, text in findings(files) if level == "error")


def with_config(**changes: object) -> dict[str, str]:
    return mxnet() | {"config.json": json.dumps(CONFIG | changes)}


def test_a_good_package_has_nothing():
    assert findings(mxnet()) == []


def test_a_missing_file_is_named_with_its_place():
    files = mxnet()
    del files["config.json"], files["pred-0000.params"]
    files["deep/config.json"] = "{}"
    assert "config.json is missing: expected at model/config.json" in errors(files)
    assert "there is one at model/deep/config.json, which is not looked at" in errors(files)
    files = mxnet()
    del files["config.json"]
    assert 'the least that these files need is {"model_type": "MXNet"}' in errors(files)
    files = mxnet()
    del files["pred-0000.params"]
    assert "model/*.params is missing: a model of type MXNet has it there; there is pred-symbol.json" in errors(files)


def test_a_file_in_a_deeper_folder_is_not_taken_for_the_models():
    files = {"old/net.pth": "", "config.json": json.dumps(CONFIG | {"model_type": "PyTorch"})}
    assert "model/*.pth or *.pt is missing: a model of type PyTorch has it there; there is old/net.pth" in errors(files)


@pytest.mark.parametrize(
    ("kind", "file", "good"),
    [
        ("Scikit_Learn", "model.joblib", True),
        ("Scikit_Learn", "model.json", False),
        ("XGBoost", "model.json", True),
        ("XGBoost", "xgboost-model", True),
        ("XGBoost", "model.txt", False),
    ],
)
def test_models_of_tables_have_several_names(kind, file, good):
    files = {file: "", "config.json": json.dumps(CONFIG | {"model_type": kind})}
    assert ("is missing: a model of type" not in errors(files)) is good


def test_without_a_service_a_default_serves():
    files = mxnet()
    del files["customize_service.py"]
    assert [level for level, _ in findings(files)] == ["warn"]
    assert "customize_service.py is missing" in errors(
        files | {"config.json": json.dumps(CONFIG | {"model_type": "Custom"})}
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "config.json, line 1 is not valid JSON"),
        ("[]", "is not an object of JSON"),
        ('{"model_algorithm": "x"}', 'lacks "model_type"'),
        ('{"model_algorithm": "x", "model_type": "mxnet"}', "did you mean MXNet?"),
        ('{"model_algorithm": "x", "model_type": "MXNet", "dependencies": [{}]}', "without a list of"),
        ('{"model_algorithm": "x", "model_type": "MXNet", "max_batch_size": 0}', '"max_batch_size" is 0'),
    ],
)
def test_what_is_wrong_in_the_config(config, message):
    assert message in errors(mxnet() | {"config.json": config})


def test_null_is_as_if_it_were_not_there():
    packages = [{"packages": [{"package_name": "humanize"}]}]
    assert findings(with_config(metrics=None, apis=None, dependencies=None)) == []
    assert findings(with_config(dependencies=packages)) == [], "pip is the only installer that there is"


@pytest.mark.parametrize(
    "changes",
    [
        {"model_algorithm": ""},
        {"model_algorithm": "1x"},
        {"metrics": 3},
        {"metrics": {"accuracy": "high"}},
        {"apis": [{"url": "/"}]},
    ],
)
def test_what_does_no_harm_is_a_warning(changes):
    found = findings(with_config(**changes))
    assert found
    assert {level for level, _ in found} == {"warn"}


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("x = 1", "has no class derived from"),
        (SERVICE + SERVICE.replace("Digits", "More"), "has 2 service classes: Digits (line 4), More (line 9)"),
        (SERVICE.replace("MXNetBaseService", "CaffeBaseService"), "which is for Caffe, and config.json says MXNet"),
    ],
)
def test_what_is_wrong_in_the_service(service, message):
    assert message in errors(mxnet() | {"customize_service.py": service})


@pytest.mark.parametrize(
    "service",
    [
        SERVICE.replace("import MXNetBaseService", "import MXNetBaseService as Base").replace(
            "(MXNetBaseService", "(Base"
        ),
        "import mms.model_service.mxnet_model_service as base\nclass Digits(base.MXNetBaseService): pass",
    ],
)
def test_a_base_class_may_be_called_otherwise(service):
    assert findings(mxnet() | {"customize_service.py": service}) == []


@pytest.mark.parametrize(
    ("service", "level"),
    [
        ("from common import Base\nclass Digits(Base): pass", "warn"),
        ("from parts.common import Base\nclass Digits(Base): pass", "warn"),
        ("import common\nclass Digits(common.Base): pass", "warn"),
        ("from torch import nn\nclass Digits(nn.Module): pass", "error"),
    ],
)
def test_a_base_class_in_another_file_is_doubtful(service, level):
    files = {"common.py": "", "parts/common.py": "", "customize_service.py": service}
    [(found, text)] = findings(mxnet() | files)
    assert found == level
    assert "customize_service.py" in text


def test_a_service_for_python_2_is_doubtful():
    found = findings(mxnet() | {"customize_service.py": "print 'hello'"})
    assert [level for level, _ in found] == ["warn"]
    assert "line 1" in found[0][1]


@given(st.text(), st.text())
def test_whatever_is_in_the_files_is_told_and_never_raised(config, service):
    findings(
        mxnet()
        | {
            "config.json": config.encode(errors="replace").decode(),
            "customize_service.py": service.encode(errors="replace").decode(),
        }
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_in_a_field_is_told_and_never_raised(value):
    for field in ("model_algorithm", "model_type", "metrics", "apis", "dependencies", "max_batch_size"):
        findings(with_config(**{field: value}))
    findings(with_config(apis=[value], dependencies=[value], metrics={"f1": value}))
