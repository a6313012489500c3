import os

import pytest

from orchestrator.errors import NotFoundError, PermissionDeniedError, SpecError, UsageError
from orchestrator.specs.document import MAX_BYTES
from orchestrator.specs.job import JobSpec
from orchestrator.specs.job_parts import Model, Resources
from orchestrator.specs.load import load_job_spec

from .examples import FULL, KUBERNETES, MINIMAL, parse, refusal


def test_the_smallest_spec():
    loaded = parse(MINIMAL)
    assert loaded.spec == JobSpec(name="mnist", engine="mxnet-1.9", code="./mnist", boot_file="train.py")
    assert loaded.spec.max_seconds == 3600
    assert str(loaded.resolve(loaded.spec.code)) == "/work/mnist"


def test_every_key():
    assert parse(FULL).spec == JobSpec(
        name="mnist-mxnet",
        engine="mxnet-1.9",
        code="./mnist-mxnet",
        boot_file="src/train_mnist.py",
        data="dataset://mnist@v3",
        data_mode="url",
        parameters={"num_epochs": 8, "lr": 0.001, "optimizer": "sgd", "shuffle": True},
        resources=Resources(gpus=4, gpu_type="p100", cpus=8, memory="32Gi", nodes=2),
        output="s3://my-bucket/mnist/",
        model=Model(name="mnist-mxnet"),
        metrics={"accuracy": "right: ([0-9.]+)"},
        goals={"distance": "minimize"},
        max_duration="1h30m",
        env={"OMP_NUM_THREADS": "1"},
        variables={"BUCKET": "my-bucket"},
        kubernetes=KUBERNETES,
        description="Two lines\nfor people.\n",
    )


def test_a_key_without_value_is_as_good_as_none():
    assert parse(MINIMAL + "parameters:\n  # num_epochs: 3\nresources:\ndata: ~\n").spec == parse(MINIMAL).spec


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("engin: x", "job.yaml:5:1: unknown key `engin`; did you mean `engine`?"),
        ("zzzzzz: x", "job.yaml:5:1: unknown key `zzzzzz`; known here: boot_file, code, compat, data, "),
        ("resources: {gpu: 2}", "job.yaml:5:13: unknown key `resources.gpu`; did you mean `gpus`?"),
        ("resources: {gpus: two}", "job.yaml:5:19: `resources.gpus` must be a whole number, 0 or more, not `two`; "),
        ("resources: {gpus: -1}", "job.yaml:5:19: `resources.gpus` must be a whole number, 0 or more, not `-1`; "),
        ("resources: {gpus: 1.5}", "job.yaml:5:19: `resources.gpus` must be a whole number"),
        ("resources: {gpus: true}", "job.yaml:5:19: `resources.gpus` must be a whole number, 0 or more, not `true`"),
        ("resources: {nodes: 0}", "job.yaml:5:20: `resources.nodes` must be a whole number, 1 or more, not `0`; "),
        ("resources: {cpus: 0}", "job.yaml:5:19: `resources.cpus` must be a number of cores above 0, not `0`; "),
        ("resources: {cpus: 500m}", "job.yaml:5:19: `resources.cpus` must be a number of cores above 0, not `500m`; "),
        (
            "resources: {memory: 32gb}",
            "job.yaml:5:21: `resources.memory` must be an amount of memory of at least 1Mi, ",
        ),
        ("resources: {memory: 32}", "job.yaml:5:21: `resources.memory` must be an amount of memory of at least 1Mi, "),
        (
            "resources: {memory: '32'}",
            "job.yaml:5:21: `resources.memory` is only 32 bytes; did you mean `memory: 32Gi`?",
        ),
        ("resources: {memory: 99999Ei}", "job.yaml:5:21: `resources.memory` is impossible: no machine has 99999Ei"),
        ("resources: {gpu_type: p100}", "job.yaml:5:23: `resources.gpu_type` needs a number of GPUs"),
        ("resources: {flavor: cpu.small, cpus: 2}", "job.yaml:5:21: `resources.flavor` already says what `cpus` is"),
        ("resources: {flavor: cpu.small, gpus: 2}", "job.yaml:5:21: `resources.flavor` already says what `gpus` is"),
        ("resources: {flavor: cpu.smal}", "job.yaml:5:21: there is no flavor `cpu.smal`; did you mean `cpu.small`?"),
        ("resources: {flavor: 7}", "job.yaml:5:21: `resources.flavor` must be the name of a flavor, not `7`"),
        ("resources: cpu.small", "job.yaml:5:12: `resources` must be a mapping, not `cpu.small`; for example: "),
        (
            "parameters: [a]",
            "job.yaml:5:13: `parameters` must be a mapping of names to values, not a list; for example: ",
        ),
        ("parameters: {a: [1]}", "job.yaml:5:17: `parameters.a` must be text, a number, true or false, not a list"),
        ("parameters: {a: null}", "job.yaml:5:17: `parameters.a` must be text, a number, true or false, not nothing"),
        ("parameters: {data_url: x}", "job.yaml:5:14: key `parameters.data_url` must be the name of an argument"),
        ("parameters: {train_url: x}", "job.yaml:5:14: key `parameters.train_url` must be the name of an argument"),
        ("parameters: {-x: 1}", "job.yaml:5:14: key `parameters.-x` must be the name of an argument"),
        ("parameters: {a b: 1}", 'job.yaml:5:14: key `parameters."a b"` must be the name of an argument'),
        ("parameters: {a=b: 1}", 'job.yaml:5:14: key `parameters."a=b"` must be the name of an argument'),
        ('parameters: {"": 1}', 'job.yaml:5:14: key `parameters.""` must be the name of an argument'),
        ("env: {OMP: 1}", 'job.yaml:5:12: `env.OMP` must be text, not `1`; did you mean `OMP: "1"`?'),
        ("env: {1A: x}", "job.yaml:5:7: key `env.1A` must be letters, digits and `_`, not starting with a digit"),
        ("variables: {a-b: x}", "job.yaml:5:13: key `variables.a-b` must be letters"),
        (
            "data_mode: locl",
            "job.yaml:5:12: `data_mode` must be `local` or `url`, not `locl`; did you mean `data_mode: local`?",
        ),
        ("data: datset://mnist", "job.yaml:5:7: `data` must be dataset://NAME[@VERSION]"),
        ("data: dataset://MNIST", "job.yaml:5:7: `data` must be"),
        ("data: dataset://mnist@v0", "job.yaml:5:7: `data` must be"),
        ("data: dataset://mnist/x", "job.yaml:5:7: `data` must be"),
        ("data: https://x.org/mnist.zip", "job.yaml:5:7: `data` must be"),
        ("data: 's3://'", "job.yaml:5:7: `data` must be"),
        ("data: file://host/x", "job.yaml:5:7: `data` must be"),
        ("data: ~/mnist", "job.yaml:5:7: `data` must be"),
        ("data: ''", "job.yaml:5:7: `data` must be"),
        ("output: dataset://mnist", "job.yaml:5:9: `output` must be s3://BUCKET/PREFIX/"),
        ("model: mnist", "job.yaml:5:8: `model` must be a mapping, not `mnist`; for example: `model: "),
        ("model: {}", "job.yaml:5:8: missing key `model.name`; for example: `name: mnist-mxnet`"),
        ("model: {name: My Model}", "job.yaml:5:15: `model.name` must be lower-case letters"),
        ("max_duration: 1 hour", "job.yaml:5:15: `max_duration` must be a duration"),
        ("max_duration: 0", "job.yaml:5:15: `max_duration` must be a duration"),
        ("max_duration: 0s", "job.yaml:5:15: `max_duration` must be more than no time"),
        ("max_duration: 9999d", "job.yaml:5:15: `max_duration` is impossible"),
        ("description: [x]", "job.yaml:5:14: `description` must be text, not a list"),
    ],
)
def test_what_is_refused(line, message):
    (found,) = refusal(MINIMAL + line + "\n")
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("name", "MNIST_Job", "did you mean `name: mnist-job`?"),
        ("name", "7", "for example: `name: mnist-mxnet`"),
        ("name", "true", 'did you mean `name: "true"`?'),
        ("name", '"mnist\\n"', "did you mean `name: mnist`?"),
        ("engine", "MXNet 1.9", "did you mean `engine: mxnet-1.9`?"),
        ("code", "~/mnist", "for example: `code: ./mnist-mxnet`"),
        ("code", "s3:/bucket/code/", "for example"),
        ("code", "https://github.com/x/y", "for example"),
        ("code", "''", "for example"),
        ("boot_file", "/train.py", "for example"),
        ("boot_file", "../train.py", "for example"),
        ("boot_file", "a/../../train.py", "for example"),
        ("boot_file", "./train.py", "did you mean `boot_file: train.py`?"),
        ("boot_file", "a//train.py", "did you mean `boot_file: a/train.py`?"),
        ("boot_file", "train.sh", "for example: `boot_file: train_mnist.py`"),
        ("boot_file", ".py", "for example"),
        ("boot_file", '"a\\nb.py"', "for example"),
        ("code", "x" * 2000, "for example"),
    ],
)
def test_the_required_keys(key, value, advice):
    lines = [f"{key}: {value}" if line.startswith(f"{key}:") else line for line in MINIMAL.splitlines()]
    (found,) = refusal("\n".join(lines))
    assert f"`{key}` must be " in found
    assert advice in found


@pytest.mark.parametrize(
    "line",
    [
        "data: ./mnist",
        "data: ../shared/mnist",
        "data: /data/mnist",
        "data: file:///data/mnist",
        "data: s3://bucket",
        "data: obs://bucket/prefix/",
        "data: dataset://mnist@latest",
        "data: dataset://mnist@V0012",
        "output: out",
        "resources: {memory: 2147483648, cpus: 0.5}",
        "resources: {flavor: gpu.4xp100, nodes: 2}",
        "resources: {flavor: cpu.small, gpus: 0}",
        "max_duration: 90",
        "parameters: {layer.size: 3, x-y: '', '2d': no}",
    ],
)
def test_what_is_accepted(line):
    assert parse(MINIMAL + line)


@pytest.mark.parametrize(
    "code", [".", "../mnist", "/home/me/mnist", "a..b/c", "数字", "file:///srv/code", "s3://bucket/code/"]
)
def test_code_that_is_accepted(code):
    assert parse(MINIMAL.replace("./mnist", code)).spec.code == code


def test_everything_wrong_is_told_at_once_in_order():
    found = refusal("nam: x\ncode: ~/a\nresources:\n  gpus: two\n  cpu: 1\n")
    assert [line.split(" ")[0] for line in found] == [
        "job.yaml:1:1:",  # nam: is the missing name
        "job.yaml:1:1:",  # no boot_file
        "job.yaml:1:1:",  # no engine
        "job.yaml:2:7:",
        "job.yaml:4:9:",
        "job.yaml:5:3:",
    ]
    assert "missing key `engine`; for example: `engine: mxnet-1.9`" in found[1] + found[2]


def test_very_many_problems_are_counted():
    found = refusal(MINIMAL + "".join(f"k{number}: 1\n" for number in range(3000)))
    assert len(found) == 21
    assert found[-1] == "and 2980 more"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "job.yaml:1:1: there is nothing in it"),
        ("# nothing", "job.yaml:1:1: there is nothing in it"),
        ("just text", "job.yaml:1:1: a job is a mapping of keys to values, such as `name: mnist-mxnet`, not `"),
        ("- a", "job.yaml:1:1: a job is a mapping of keys to values"),
        (b"\x00\x01", "job.yaml:1:1: character U+0000 is not allowed"),
    ],
)
def test_what_is_no_spec_at_all(text, message):
    (found,) = refusal(text)
    assert found.startswith(message)


def test_a_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(MINIMAL)
    loaded = load_job_spec(path)
    assert loaded.path == path
    assert loaded.folder == tmp_path


def test_a_relative_file_counts_from_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/job.yaml").write_text(MINIMAL + "x: 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"^specs/job\.yaml:5:1: unknown key"):
        load_job_spec("specs/job.yaml")
    (tmp_path / "specs/job.yaml").write_text(MINIMAL)
    assert load_job_spec("specs/job.yaml").resolve("./mnist") == tmp_path / "specs/mnist"


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "mnist-mxnet.yaml").write_text(MINIMAL)
    with pytest.raises(NotFoundError) as caught:
        load_job_spec(tmp_path / "mnist-mxnt.yaml")
    assert caught.value.hint == f"did you mean {tmp_path / 'mnist-mxnet.yaml'}?"
    with pytest.raises(NotFoundError) as caught:
        load_job_spec(tmp_path / "else.yaml")
    assert caught.value.hint == f"YAML files in {tmp_path}: mnist-mxnet.yaml"
    with pytest.raises(NotFoundError):
        load_job_spec(tmp_path / "no/folder.yaml")


def test_what_is_not_a_file(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        load_job_spec(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        load_job_spec("a\0b")
    with pytest.raises(UsageError, match="cannot read"):
        load_job_spec("x" * 5000)
    with pytest.raises(SpecError, match="/dev/zero:1:1: more than"):
        load_job_spec("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(MINIMAL)
    path.chmod(0)
    with pytest.raises(PermissionDeniedError):
        load_job_spec(path)


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_bytes(b"# " + b"x" * MAX_BYTES)
    with pytest.raises(SpecError, match="more than 1024 KiB"):
        load_job_spec(path)
