"""Every ready spec is valid and agrees with its script."""

from pathlib import Path

import pytest

from orchestrator.engines import get_engine
from orchestrator.jobs.script_args import declared_arguments
from orchestrator.specs.load import load_job_spec
from orchestrator.specs.load_sweep import load_sweep_spec

FOLDER = Path(__file__).parents[2] / "job_specs"
SWEEPS = sorted(FOLDER.glob("sweep-*.yaml"))
SPECS = sorted({*FOLDER.glob("*.yaml")}.difference(SWEEPS))
LONGEST = 150  # lines: people read these scripts as examples


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_ready_spec_agrees_with_its_script(path: Path):
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/job.schema.json\n")
    loaded = load_job_spec(path)
    spec = loaded.spec
    assert spec.name == path.stem
    get_engine(spec.engine)
    boot_file = loaded.resolve(spec.code) / spec.boot_file
    assert len(boot_file.read_text().splitlines()) <= LONGEST
    declared = declared_arguments(boot_file, loaded.resolve(spec.code))
    assert {"data_url", "train_url", *spec.parameters} <= declared.names


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_ready_sweep_agrees_with_its_script(path: Path):
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/sweep.schema.json\n")
    loaded = load_sweep_spec(path)
    code = loaded.job.resolve(loaded.job.spec.code)
    assert {*loaded.spec.parameters} <= declared_arguments(code / loaded.job.spec.boot_file, code).names


def test_there_is_a_spec_for_each_framework():
    assert {load_job_spec(path).spec.engine for path in SPECS} >= {
        "caffe-1.0",
        "moxing-1.15",
        "mxnet-1.9",
        "pytorch-2",
        "scikit-learn-1",
        "tensorflow-1.15",
        "tensorflow-2",
    }
