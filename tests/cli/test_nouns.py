"""Contexts, flavors, engines, schema: looked up and written as tables, documents and names."""

import json

import pytest
import yaml

LISTS = [
    (["context", "list"], "local"),
    (["flavor", "list"], "cpu.small"),
    (["engine", "list"], "mxnet-1.9"),
    (["dataset", "catalog"], "mnist"),
]


@pytest.mark.parametrize("command, name", LISTS, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_lists_in_every_form(command, name, mlctl):
    table, names = mlctl(*command), mlctl(*command, "-o", "name")
    documents = json.loads(mlctl(*command, "-o", "json").stdout)
    assert yaml.safe_load(mlctl(*command, "-o", "yaml").stdout) == documents
    assert name in names.stdout.splitlines()
    assert len(names.stdout.splitlines()) == len(documents) == len(table.stdout.splitlines()) - 1
    assert table.stdout.splitlines()[0].strip().startswith("NAME")
    assert "\x1b" not in table.stdout
    assert table.stderr == names.stderr == ""


@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize("command", [["job", "list"], ["dataset", "list"]], ids=lambda value: value[0])
def test_an_empty_list_is_a_document_too(command, output, mlctl):
    done = mlctl(*command, "-o", output)
    assert (done.returncode, yaml.safe_load(done.stdout), done.stderr) == (0, [], "")


@pytest.mark.parametrize("command", [["job", "list"], ["dataset", "list"]], ids=lambda value: value[0])
def test_an_empty_list_says_what_to_do(command, mlctl):
    done = mlctl(*command)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"no {command[0]}s yet" in done.stderr and "mlctl" in done.stderr


def test_contexts_are_added_used_and_overridden(mlctl, tmp_path):
    store = (tmp_path / "store").as_uri()
    added = mlctl("context", "add", "other", "--store", store)
    assert (added.returncode, added.stderr) == (0, "next: mlctl store check -c other\n      mlctl context use other\n")
    assert json.loads(mlctl("context", "get", "-o", "json").stdout)["name"] == "local"
    assert mlctl("context", "use", "other").returncode == 0
    document = json.loads(mlctl("context", "get", "-o", "json").stdout)
    assert {"name": "other", "store": store, "backend": "local", "endpoint": ""}.items() <= document.items()
    assert mlctl("context", "list").stdout.splitlines()[2].startswith("*   other")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    assert mlctl("dataset", "push", "data", "--name", "mine").returncode == 0
    assert mlctl("dataset", "list", "-o", "name").stdout == "mine\n"
    for elsewhere in (["-c", "local", "dataset", "list"], ["dataset", "list", "-c", "local"]):
        assert mlctl(*elsewhere, "-o", "name").stdout == ""
    # What stands after the sub-command is nearer to it.
    assert mlctl("-c", "local", "dataset", "list", "-c", "other", "-o", "name").stdout == "mine\n"


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["context", "get", "nope"], 4, "there is no context 'nope'"),
        (["context", "use", "nope"], 4, "there is no context 'nope'"),
        (["context", "add", "local", "--store", "file:///elsewhere"], 5, "exists already"),
        (["context", "add", "x", "--store", "ftp://host"], 2, "is not a store that mlctl can use"),
        (["context", "add", "x", "--store", "/tmp/x"], 2, "'/tmp/x' is a folder, and a store is a URL"),
        (["context", "add", "A Name", "--store", "file:///tmp/x"], 2, "cannot be the name of a context"),
        (["engine", "get", "mxnt-1.9"], 4, "did you mean mxnet-1.9"),
        (["dataset", "import", "minst"], 4, "the catalog has no dataset 'minst'"),
        (["job", "list", "-c", "nope"], 4, "there is no context 'nope'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said(arguments, code, message, mlctl):
    done = mlctl(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1].startswith("hint: ")


def test_a_folder_as_store_is_answered_with_its_url(mlctl, tmp_path):
    assert f"hint: --store {tmp_path.as_uri()}/x\n" in mlctl("context", "add", "x", "--store", "./x").stderr


def test_an_engine_in_every_form(mlctl):
    shown = mlctl("engine", "get", "mxnet-1.9").stdout
    assert "MXNet 1.9" in shown and "requirements.txt" in shown
    document = json.loads(mlctl("engine", "get", "mxnet-1.9", "-o", "json").stdout)
    assert document["engine"]["name"] == "mxnet-1.9"
    assert document["environment"]["ready"] in (True, False)


def test_the_schema_of_a_job(mlctl):
    schema = json.loads(mlctl("schema", "job").stdout)
    assert "boot_file" in schema["properties"]
