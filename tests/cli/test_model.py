"""`mlctl model`, as a user types it."""

import json
from pathlib import Path

import pytest

from tests.models.packages import below, mxnet
from tests.store.trees import make_tree, read_tree


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "digits", below("model", mxnet()))


def test_from_import_to_delete(mlctl, package, tmp_path):
    done = mlctl("model", "import", package, "--name", "digits")
    assert done.returncode == 0
    assert "Model      digits/V0001" in done.stdout
    assert "next: mlctl model get digits" in done.stderr
    (package / "model" / "pred-0000.params").write_text("better")
    assert mlctl("model", "import", package, "--name", "digits", "-o", "name").stdout == "digits/V0002\n"
    assert mlctl("model", "alias", "set", "digits", "champion", "v1").stdout == "champion of digits is V0001\n"
    assert mlctl("model", "alias", "set", "digits", "champion", "v2").stdout == (
        "champion of digits is V0002 (before: v1)\n"
    )
    assert "champion: from v1 to v2" in mlctl("model", "history", "digits").stdout
    assert mlctl("model", "tag", "digits", "champion", "good").stdout == "digits/V0002: good\n"
    assert mlctl("model", "note", "digits", "v2", "the best").stdout == "digits/V0002: the best\n"
    shown = json.loads(mlctl("model", "get", "digits", "-v", "champion", "-o", "json").stdout)
    assert (shown["version"], shown["aliases"], shown["tags"], shown["note"]) == (
        "V0002",
        ["champion"],
        ["good"],
        "the best",
    )
    assert "pred-0000.params" in mlctl("model", "diff", "digits", "v1", "v2").stdout
    assert mlctl("model", "list", "digits", "-o", "name").stdout == "digits/V0002\ndigits/V0001\n"
    assert mlctl("model", "pull", "digits/V0002", tmp_path / "back").returncode == 0
    assert read_tree(tmp_path / "back") == read_tree(package / "model")
    assert mlctl("model", "export", "digits", tmp_path / "digits.tar.gz").returncode == 0
    assert mlctl("model", "import", tmp_path / "digits.tar.gz", "--name", "numbers", "-o", "name").stdout == (
        "numbers/V0002\n"
    )
    refused = mlctl("model", "delete", "digits")
    assert (refused.returncode, refused.stderr) == (
        5, "error: digits/V0002 is champion\nhint: mlctl model alias remove digits champion\n",
    )  # fmt: skip
    mlctl("model", "alias", "remove", "digits", "champion")
    assert mlctl("model", "delete", "digits", "-v", "v2").stdout == "digits/V0002 deleted\n"


def test_lint_names_the_file_and_fails(mlctl, package):
    (package / "model" / "config.json").unlink()
    done = mlctl("model", "import", package, "--name", "digits")
    assert "error: config.json is missing: expected at model/config.json" in done.stderr
    done = mlctl("model", "lint", "digits")
    assert done.returncode == 3
    assert "digits/V0001 cannot be deployed as it is" in done.stderr
    fixed = package / "own.json"
    fixed.write_text(mxnet()["config.json"])
    assert mlctl("model", "import", package, "--name", "digits", "--config", fixed).returncode == 0
    assert mlctl("model", "lint", "digits").stdout == "digits/V0002 can be deployed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name either a source or a job"),
        (["digits", "--job", "demo"], "name either a source or a job"),
        (["digits"], "digits needs a name"),
        (["--job", "demo"], "there is no job"),
        (["nowhere", "--name", "digits"], "there is no folder"),
    ],
)
def test_what_cannot_be_imported_says_why(mlctl, arguments, message):
    done = mlctl("model", "import", *arguments)
    assert done.returncode in (2, 4)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
