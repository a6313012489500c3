import pytest

from orchestrator.specs.job_parts import Resources

from .examples import FULL, MINIMAL, parse, refusal


def test_set_changes_and_adds():
    spec = parse(FULL, assignments=["resources.gpus=2", "name=other", "env.X='1'", "description="]).spec
    assert spec.resources == Resources(gpus=2, gpu_type="p100", cpus=8, memory="32Gi", nodes=2)
    assert (spec.name, spec.env, spec.description) == ("other", {"OMP_NUM_THREADS": "1", "X": "1"}, "")


def test_set_replaces_whole_sections_and_empties_them():
    spec = parse(FULL, assignments=["resources={flavor: gpu.4xp100}", "parameters=null"]).spec
    assert spec.resources == Resources(flavor="gpu.4xp100")
    assert spec.parameters == {}


def test_set_reads_yaml_and_everything_after_the_first_dot_is_one_key():
    spec = parse(MINIMAL, assignments=["parameters.lr=1e-3", "parameters.layer.size=7", "parameters.s=a=b"]).spec
    assert spec.parameters == {"lr": 0.001, "layer.size": 7, "s": "a=b"}


def test_the_last_one_wins_and_parameters_come_after_assignments():
    spec = parse(MINIMAL, assignments=["parameters.a=1", "parameters.a=2"], parameters=["b=1", "b=2"]).spec
    assert spec.parameters == {"a": 2, "b": 2}
    assert parse(MINIMAL, assignments=["parameters.a=1"], parameters=["a=3"]).spec.parameters == {"a": 3}


def test_parameters_are_taken_as_they_are():
    texts = ["n=3", "lr=5e-4", "empty=", "glob=*.png", "text=a: b # c", "list=[1, 2", "none=null", "yes=yes", "t=true"]
    assert parse(MINIMAL, parameters=texts).spec.parameters == {
        "n": 3,
        "lr": 0.0005,
        "empty": "",
        "glob": "*.png",
        "text": "a: b # c",
        "list": "[1, 2",
        "none": "null",
        "yes": "yes",
        "t": True,
    }


def test_a_section_behind_an_alias_stays_as_it_is_elsewhere():
    text = MINIMAL + "env: &e {A: x}\nvariables: *e\n"
    spec = parse(text, assignments=["env.A=y"]).spec
    assert (spec.env, spec.variables) == ({"A": "y"}, {"A": "x"})


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("resources.gpus=-2", "--set resources.gpus=-2: `resources.gpus` must be a whole number, 0 or more, not `-2`"),
        ("resources.gpu=2", "--set resources.gpu=2: unknown key `resources.gpu`; did you mean `gpus`?"),
        ("resorces.gpus=2", "--set resorces.gpus=2: unknown key `resorces`; did you mean `resources`?"),
        ("name.x=1", "--set name.x=1: `name` is not a section with keys in it"),
        ("name=", "--set name=: `name` must be lower-case letters"),
        ("name", "--set name: expected KEY=VALUE"),
        ("=1", "--set =1: expected KEY=VALUE"),
        (".a=1", "--set .a=1: expected KEY=VALUE"),
        ("parameters.=1", "--set parameters.=1: expected KEY=VALUE"),
        ("data=[1", "--set data=[1: not valid YAML"),
        ("data=*.png", "--set data=*.png: not valid YAML"),
        ("env.A=1", '--set env.A=1: `env.A` must be text, not `1`; did you mean `A: "1"`?'),
        ("data=a\udcffb", r"--set 'data=a\udcffb': this is not UTF-8 text"),
        ("data=\0", r"--set 'data=\x00': this is not"),
        ("name=" + "X" * 500, "--set name=" + "X" * 55 + "...: `name` must be"),
    ],
)
def test_a_wrong_assignment_is_named(assignment, message):
    (found,) = refusal(MINIMAL, assignments=[assignment])
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("num_epochs", "-p num_epochs: expected NAME=VALUE"),
        ("=3", "-p =3: expected NAME=VALUE"),
        ("data_url=x", "-p data_url=x: key `parameters.data_url` must be the name of an argument"),
        ("--lr=3", "-p --lr=3: key `parameters.--lr` must be the name of an argument"),
        ("lr=.nan", '-p lr=.nan: ".nan" is not a finite number'),
        ("lr=\udcff", r"-p 'lr=\udcff': this is not UTF-8 text"),
    ],
)
def test_a_wrong_parameter_is_named(parameter, message):
    (found,) = refusal(MINIMAL, parameters=[parameter])
    assert found.startswith(message)


def test_problems_of_the_command_line_come_after_those_of_the_file():
    found = refusal(MINIMAL + "x: 1\n", assignments=["resources.gpus=-2"])
    assert [line.split(":")[0] for line in found] == ["job.yaml", "--set resources.gpus=-2"]


def test_a_file_that_is_corrected_by_the_command_line_is_right():
    assert parse(MINIMAL + "data: ~/x\n", assignments=["data=dataset://mnist"]).spec.data == "dataset://mnist"
