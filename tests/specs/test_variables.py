import pytest

from orchestrator.specs.document import MAX_CHARACTERS

from .examples import MINIMAL, parse, refusal

VARIABLES = "variables: {BUCKET: null, NAME: other}\n"


def test_the_environment_wins_over_the_default():
    text = MINIMAL + VARIABLES + "data: s3://${BUCKET}/${NAME}\n"
    assert parse(text, environ={"BUCKET": "b1"}).spec.data == "s3://b1/other"
    assert parse(text, environ={"BUCKET": "b1", "NAME": "mine"}).spec.data == "s3://b1/mine"


def test_only_declared_names_are_replaced():
    text = MINIMAL + VARIABLES + "description: $NAME ${HOME} ${NAME} ${NAME:-x} $${NAME}\n"
    spec = parse(text, environ={"BUCKET": "b", "HOME": "/root"}).spec
    assert spec.description == "$NAME ${HOME} other ${NAME:-x} $other"


def test_a_value_is_not_looked_at_again_and_stays_text():
    text = MINIMAL + "variables: {A: '${B}', B: b}\nparameters: {x: '${A}', n: '${N}'}\n"
    assert parse(text).spec.parameters == {"x": "${B}", "n": "${N}"}
    assert parse(MINIMAL + "variables: {N: '3'}\nparameters: {n: '${N}'}").spec.parameters == {"n": "3"}


def test_values_of_the_command_line_are_replaced_too():
    text = MINIMAL + "variables: {A: a}\n"
    assert parse(text, parameters=["x=${A}"], assignments=["variables.A=z"]).spec.parameters == {"x": "z"}


def test_without_declaration_nothing_is_replaced():
    assert parse(MINIMAL + "description: ${HOME}\n", environ={"HOME": "/root"}).spec.description == "${HOME}"


def test_a_variable_that_is_not_set():
    found = refusal(MINIMAL + VARIABLES + "data: s3://${BUCKET}/\n")
    assert found == ["job.yaml:5:13: variable `BUCKET` is not set in the environment and has no default here"]


def test_a_variable_that_is_not_text():
    (found,) = refusal(MINIMAL + VARIABLES, environ={"BUCKET": "\udcff"})
    assert found == "job.yaml:5:13: variable `BUCKET` of the environment is not UTF-8 text"


@pytest.mark.parametrize("default", ["3", "[a]"])
def test_defaults_are_text(default):
    (found,) = refusal(MINIMAL + "variables: {A: " + default + "}\n")
    assert found.startswith("job.yaml:5:16: `variables.A` must be text")


def test_a_replaced_value_is_checked_at_its_place():
    (found,) = refusal(MINIMAL + "variables: {X: ../x}\ndata: 'https://${X}'\n")
    assert found.startswith("job.yaml:6:7: `data` must be ")


def test_replacing_cannot_fill_the_memory():
    references = "${A}" * 50_000
    (found,) = refusal(MINIMAL + f"variables: {{A: {'x' * 100_000}}}\ndescription: {references}\n")
    assert found == f"job.yaml:5:1: more than {MAX_CHARACTERS} characters after its variables are replaced"
