"""What of a script will probably go wrong is told before it is submitted."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.datasets.catalog import load_catalog
from orchestrator.engines import get_engine
from orchestrator.errors import PreflightError
from orchestrator.jobs.foresight import (
    argument_warnings,
    layout_warnings,
    passed,
    require_gpus_of_use,
    syntax_warnings,
    urls_passed,
)
from orchestrator.jobs.script_args import declared_arguments
from orchestrator.runtime.distributed import FLAGS
from orchestrator.specs.job import JobSpec
from orchestrator.specs.job_parts import Resources
from orchestrator.specs.kubernetes import Kubernetes
from tests.jobs.conftest import Project

MNIST = [f"{part}-ubyte" for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")]
ODD = ["a.csv", "b.csv", "c.csv", "d.csv", "e.csv", "f.csv", "g.csv"]


def script(folder: Path, source: str) -> Path:
    path = folder / "train.py"
    path.write_text(source)
    return path


def spec(**fields) -> JobSpec:
    return JobSpec(name="demo", engine="mxnet-1.9", code=".", boot_file="train.py", **fields)


@pytest.mark.parametrize(
    ("source", "engine", "told"),
    [
        ("x = 1\nif (n := 3):\n    pass\n", "tensorflow-1.15", "train.py, line 2 .* later Python than 3.7"),
        (
            "match 1:\n    case 1: pass\n",
            "caffe-1.0",
            "line 2 .* later Python than 3.9, which caffe-1.0 has; try engine",
        ),
        ("import os\nprint 'hello'\n", "mxnet-1.9", "line 2 is written for Python 2, .*mxnet-1.9 has 3.11: .*2to3"),
        ("try:\n    pass\nexcept IOError, e:\n    pass\n", "caffe-1.0", "line 3 is written for Python 2"),
        ("def f(:\n    pass\n", "mxnet-1.9", "line 1: .*syntax"),
    ],
)
def test_a_script_for_another_python(tmp_path, source, engine, told):
    (warning,) = syntax_warnings(script(tmp_path, source), get_engine(engine))
    assert re.search(told, warning), warning


def test_the_engine_of_the_same_framework_is_named_first(tmp_path):
    (warning,) = syntax_warnings(script(tmp_path, "(n := 3)"), get_engine("tensorflow-1.15"))
    assert "try engine tensorflow-2 (3.11) or" in warning


@pytest.mark.parametrize("name", ["tensorflow-1.15", "mxnet-1.9", "pytorch-2"])
def test_a_script_that_suits_its_engine(tmp_path, name):
    assert syntax_warnings(script(tmp_path, "print('print x')\nx = {**{}}\n"), get_engine(name)) == []


def test_files_that_another_dataset_has(tmp_path):
    path = script(tmp_path, "open(data_url + 'train-images-idx3-ubyte')\nopen(data_url + 'a.csv')\n")
    (warning,) = layout_warnings(path, ODD, load_catalog())
    assert "train.py reads train-images-idx3-ubyte, which its data does not have" in warning
    assert "it has a.csv, b.csv, c.csv, d.csv, e.csv and 2 more" in warning
    assert "in the catalog: data: dataset://fashion-mnist or dataset://mnist" in warning


def test_files_that_are_nearly_there(tmp_path):
    path = script(tmp_path, "open(data_url + 'train-images.idx3-ubyte')")
    (warning,) = layout_warnings(path, MNIST, load_catalog())
    assert "reads train-images.idx3-ubyte" in warning
    assert "did you mean train-images-idx3-ubyte?" in warning


@pytest.mark.parametrize("files", [[], MNIST])
def test_nothing_is_told_of_what_is_there_or_not_known(tmp_path, files):
    path = script(tmp_path, "open(data_url + 'train-images-idx3-ubyte')\nprint('images', 'no such file.', '--lr')")
    assert layout_warnings(path, files, load_catalog()) == []


def test_gpus_of_an_engine_without(tmp_path):
    with pytest.raises(
        PreflightError, match=r"caffe-1\.0 computes on CPUs alone, and the job asks for 2 GPUs"
    ) as caught:
        require_gpus_of_use(spec(), get_engine("caffe-1.0"), 2)
    assert "mxnet-1.9" in caught.value.hint
    require_gpus_of_use(spec(), get_engine("caffe-1.0"), 0)
    require_gpus_of_use(spec(), get_engine("mxnet-1.9"), 2)
    require_gpus_of_use(spec(kubernetes=Kubernetes(image="own/caffe:gpu")), get_engine("caffe-1.0"), 2)


def test_gpus_that_the_environment_here_does_not_use(project: Project, monkeypatch):
    monkeypatch.setattr("orchestrator.backends.local.backend.count_gpus", lambda: 2)
    path = project.write(resources={"gpus": 1, "cpus": 1})
    plan = project.client.jobs.plan(path)
    assert plan.gpus == 0 and any("--runtime container" in warning for warning in plan.warnings)
    definition = Path(os.environ["MLCTL_ENGINES"], "plain-1", "engine.yaml")
    definition.write_text(definition.read_text() + "local: {gpu: true}\n")
    plan = project.client.jobs.plan(path)
    assert plan.gpus == 1 and not plan.warnings
    definition.write_text(definition.read_text().replace("local: {gpu: true}", "").replace(", gpu: example/plain", ""))
    (problem,) = project.client.jobs.plan(path).problems
    assert "plain-1 computes on CPUs alone" in problem.message


def test_the_plan_tells_all_of_it(project: Project):
    (project.folder / "data").mkdir()
    for name in MNIST:
        (project.folder / "data" / name).touch()
    project.script("open('train-images.idx3-ubyte')\nprint 'done'")
    path = project.write(data="./data")
    warnings = project.client.jobs.plan(path).warnings
    assert any("written for Python 2" in warning for warning in warnings)


@settings(max_examples=60, deadline=None)
@given(declared=st.sets(st.sampled_from((*FLAGS, "num_gpus"))), wanted=st.none() | st.sets(st.sampled_from(FLAGS)))
def test_the_platforms_arguments_go_to_who_declares_them_or_as_the_spec_says(tmp_path_factory, declared, wanted):
    path = script(
        tmp_path_factory.mktemp("code"), "".join(f"p.add_argument('--{name}')\n" for name in sorted(declared))
    )
    given_to = passed(
        spec(pass_args=None if wanted is None else sorted(wanted), resources=Resources(nodes=2)),
        declared_arguments(path, path.parent),
    )
    assert {name for name in (*FLAGS, "num_gpus") if name in given_to} == (declared if wanted is None else wanted)


def test_a_script_that_reads_its_arguments_in_its_own_way_can_be_given_them(project: Project):
    project.script("print(sys.argv[1:])")
    assert "--num_gpus=0" not in project.log(project.run()).decode()
    assert "--num_gpus=0" in project.log(project.run(pass_args=["num_gpus"])).decode()


BOTH = ("data_url", "train_url")
STRICT = "p.add_argument('--save')\np.parse_args()\n"


@pytest.mark.parametrize(
    ("source", "fields", "given_to", "warned"),
    [
        ("print(1)", {}, BOTH, 0),  # nothing is known of it
        ("p.add_argument('--data_url'); p.add_argument('--train_url')", {"data": "./d"}, BOTH, 0),
        ("p.add_argument('--save')\np.parse_known_args()", {"data": "./d"}, BOTH, 0),
        (STRICT, {}, (), 1),
        (STRICT, {"data": "./d"}, (), 2),
        (STRICT, {"parameters": {"save": "${train_url}model.pt"}}, (), 0),
        (STRICT, {"parameters": {"save": "${train_url}model.pt"}, "data": "./d"}, (), 1),
        (STRICT, {"env": {"MODELS": "${train_url}", "DATA": "${data_url}"}, "data": "./d"}, (), 0),
        (STRICT, {"pass_args": ["train_url"]}, ("train_url",), 0),
        (STRICT + "os.environ['DLS_TRAIN_URL']", {"data": "./d"}, (), 1),
        (STRICT + "p.add_argument('--train_url')", {"data": "./d"}, ("train_url",), 1),
        ("HfArgumentParser(Arguments)", {"parameters": {"output_dir": "${train_url}"}, "data": "./d"}, (), 0),
    ],
)
def test_a_script_that_would_refuse_the_folders_does_not_get_them(tmp_path, source, fields, given_to, warned):
    path = script(tmp_path, source)
    declared = declared_arguments(path, path.parent)
    assert urls_passed(spec(**fields), declared) == given_to
    warnings = argument_warnings(spec(**fields), declared)
    assert len(warnings) == warned
    assert all("does not get it" in one for one in warnings)


def test_the_folders_go_to_arguments_and_variables_of_the_scripts_own(project: Project):
    (project.folder / "data").mkdir()
    (project.folder / "data" / "words").write_text("to read")
    project.script(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--words')\np.add_argument('--model-dir')\n"
        "a = p.parse_args()\nprint(open(a.words).read(), os.environ['KEPT'])\n"
        "open(os.path.join(a.model_dir, 'weights'), 'w').write('w')\n"
    )
    view = project.run(
        data="./data",
        parameters={"words": "${data_url}words", "model-dir": "${train_url}"},
        env={"KEPT": "in ${train_url}!"},
    )
    log = project.log(view).decode()
    assert log.startswith("to read in /") and log.endswith("/output/!\n"), log
    assert [entry.path for entry in project.client.jobs.outputs(view.name).manifest.entries] == ["weights"]
