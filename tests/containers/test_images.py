"""mlctl images, with a program in docker's place that writes down what it is told: there is no daemon here."""

import json
import os

import pytest

from tests.cli.conftest import mlctl

__all__ = ["mlctl"]

DOCKER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
case "$1" in
images) echo mlctl/pytorch-2:2.13.0-cpu; echo localhost/mlctl/mxnet-1.9:1.9.1-gpu;;
build) for folder; do :; done; find "$folder" -type f | sed "s|^$folder/||" | sort > "$RECORD.files"
    exit "${FAIL:-0}";;
esac
"""


@pytest.fixture
def record(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    for name in ("docker", "podman", "buildah"):
        (tmp_path / "bin" / name).write_text(DOCKER)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    return tmp_path / "record"


def test_list(mlctl, record):
    found = {one["image"]: one for one in json.loads(mlctl("images", "list", "-o", "json").stdout)}
    assert found["mlctl/pytorch-2:2.13.0-cpu"] == {
        "owner": "pytorch-2",
        "variant": "cpu",
        "image": "mlctl/pytorch-2:2.13.0-cpu",
        "here": "yes",
    }
    assert found["mlctl/mxnet-1.9:1.9.1-gpu"]["here"] == "yes"
    assert found["mlctl/runtime:0.1.0"]["here"] == "no"


def test_an_engine_s_image_is_built_with_its_variant_s_arguments_and_pushed(mlctl, record):
    command = ["build", "mxnet-1.9", "--gpu", "--push", "--registry", "registry.lab/ml", "--build-arg", "X=a b"]
    done = mlctl("images", *command)
    assert (done.returncode, done.stdout) == (0, "registry.lab/ml/mlctl/mxnet-1.9:1.9.1-gpu\n")
    built, pushed = record.read_text().splitlines()
    base = "--build-arg DEVICE=gpu --build-arg BASE=nvidia/cuda:11.7.1-cudnn8-runtime-ubuntu22.04 --build-arg X=a b"
    assert built.startswith(f"docker build --tag registry.lab/ml/mlctl/mxnet-1.9:1.9.1-gpu {base} --file /")
    assert pushed == "docker push registry.lab/ml/mlctl/mxnet-1.9:1.9.1-gpu"
    assert "requirements.txt" in (record.parent / "record.files").read_text().split()
    assert "+ docker build --tag" in done.stderr


def test_the_runtime_image_is_built_from_the_package(mlctl, record):
    done = mlctl("images", "build", "runtime", "--tool", "podman")
    assert (done.returncode, done.stdout) == (0, "mlctl/runtime:0.1.0\n"), done.stderr
    assert record.read_text().startswith("podman build --tag mlctl/runtime:0.1.0 --file /")
    files = (record.parent / "record.files").read_text().split()
    assert {"images/runtime/Dockerfile", "images/runtime/requirements.txt"} <= set(files)
    assert "orchestrator/runtime/pod/launch.sh" in files and not [one for one in files if "__pycache__" in one]


def test_a_build_that_fails_and_a_tool_that_is_not_there(mlctl, record, monkeypatch):
    monkeypatch.setenv("FAIL", "3")
    failed = mlctl("images", "build", "pytorch-2")
    assert failed.returncode == 1 and "docker build failed with exit code 3" in failed.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    missing = mlctl("images", "build", "pytorch-2")
    assert missing.returncode == 4 and "there is no docker or podman or buildah on the PATH" in missing.stderr
    assert mlctl("images", "build", "nope", "--dry-run").returncode == 4


def test_mirror(mlctl, record):
    dry = mlctl("images", "mirror", "--to", "registry.lab/ml", "--dry-run")
    assert dry.returncode == 0 and not record.exists()
    assert "+ docker tag mlctl/runtime:0.1.0 registry.lab/ml/mlctl/runtime:0.1.0" in dry.stderr
    done = mlctl("images", "mirror", "--to", "registry.lab/ml")
    assert [line.split()[1] for line in record.read_text().splitlines()[:3]] == ["pull", "tag", "push"]
    assert done.stdout == dry.stdout and "registry.lab/ml/mlctl/pytorch-2:2.13.0-gpu\n" in done.stdout
    assert mlctl("images", "mirror").returncode == 2
