"""From a version to an answer, as a user types it."""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.services.local import end
from orchestrator.services.place import Place
from tests.models.packages import below
from tests.services.conftest import CONFIG, ECHO
from tests.store.trees import make_tree


@pytest.fixture
def package(tmp_path: Path, project) -> Iterator[Path]:
    yield make_tree(tmp_path / "echo", below("model", {"config.json": CONFIG, "customize_service.py": ECHO}))
    Place("echo").tell(signal.SIGTERM)
    end(Place("echo"))


def test_deploy_predict_and_all_the_rest(mlctl, package):
    mlctl("model", "import", package, "--name", "echo")
    done = mlctl("deploy", "echo", "--version", "v1", "--engine", "plain-1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Versions +echo/v1 100%, plain-1$", done.stdout, re.MULTILINE)
    assert "next: mlctl predict echo FILE" in done.stderr
    token = re.search(r"^token: (\S+)", done.stderr, re.MULTILINE)[1]
    config = package / "model" / "config.json"
    assert json.loads(mlctl("predict", "echo", config, "--as-is").stdout)["fields"] == ["picture"]
    assert json.loads(mlctl("predict", "echo", config).stdout)["fields"] == sorted(json.loads(CONFIG))
    assert json.loads(mlctl("predict", "echo", "--json", '{"a": 1}').stdout)["fields"] == ["a"]
    assert json.loads(mlctl("predict", "echo", "-", stdin=None, input='{"b": 1}').stdout)["fields"] == ["b"]
    asks_about_a_table(mlctl, package.parent)
    refused = mlctl("predict", "echo", "--json", "{}", "--token", "wrong")
    assert (refused.returncode, "401" in refused.stderr) == (6, True)
    failed = mlctl("predict", "echo", "--json", '{"do": "raise"}')
    assert "echo/v1: ValueError: as it was asked to" in failed.stderr
    assert "RUNNING" in mlctl("service", "list").stdout
    assert re.search(
        r"^Requests +echo/v1 \d+, 2 failed; \d+ in the last minute$", mlctl("service", "get", "echo").stdout, re.M
    )
    assert token not in mlctl("service", "get", "echo", "-o", "json").stdout
    assert '"status":422' in mlctl("service", "logs", "echo").stdout
    assert "ValueError: as it was asked to" in mlctl("service", "logs", "echo", "--models").stdout
    assert mlctl("service", "token", "echo").stdout.strip() != token
    wrong = mlctl("service", "traffic", "echo", "v1:100")
    assert (wrong.returncode, wrong.stderr.splitlines()[0]) == (2, "error: 'v1:100' is not a share")
    nothing = mlctl("service", "rollback", "echo")
    assert (nothing.returncode, "never answered with anything else" in nothing.stderr) == (4, True)
    named = mlctl("deploy", "echo/V0001", "--engine", "plain-1", "--name", "named", "-o", "name")
    assert named.stdout == "named\n" and "token: " in named.stderr
    assert mlctl("service", "delete", "named", "-y").returncode == 0
    assert mlctl("deploy", "echo/V0001", "--engine", "plain-1", "-o", "name").stdout == "echo\n"
    assert mlctl("deploy", "echo/v1", "-v", "v2").returncode == 2
    for shares, said in (("v1=90%,v2=20%", "90 + 20"), ("v1=50,v1=50", "v1 is named twice")):
        assert said in mlctl("service", "traffic", "echo", shares).stderr
    assert "service echo runs on this machine" in mlctl("service", "scale", "echo", "2").stderr
    bad = mlctl("predict", "echo", "--json", "{")
    assert ("400" in bad.stderr, "logs" in bad.stderr) == (True, False)
    assert "STOPPED" in mlctl("service", "stop", "echo").stdout
    assert mlctl("predict", "echo", "--json", "{}").returncode == 7
    assert mlctl("service", "delete", "echo").stdout == "echo deleted\n"
    assert mlctl("service", "get", "echo").returncode == 4


def asks_about_a_table(mlctl, folder):
    rule = {"properties": {"a": {"type": "number", "index": 1}, "do": {"type": "string", "index": 0}}}
    make_tree(folder, {"rule.json": json.dumps(rule), "rows.csv": "one,1\ntwo,2\n", "bad.csv": "one,1\n\ntwo,x\n"})
    rows = ["predict", "echo", folder / "rows.csv"]
    answer = {"answer": "ANSWER", "fields": ["a", "do"]}
    assert mlctl(*rows, "--rule", folder / "rule.json").stdout == f"{json.dumps(answer)}\n" * 2
    assert json.loads(mlctl(*rows, "--rule", folder / "rule.json", "-o", "json").stdout) == [answer, answer]
    piped = mlctl("predict", "echo", "-", "--rule", folder / "rule.json", stdin=None, input="one,1\n")
    assert piped.stdout == f"{json.dumps(answer)}\n"
    for text, said in (("one,1\n", "does not say which column"), ("{one,1", "not valid JSON"), ("", "has no body")):
        assert said in mlctl("predict", "echo", "-", stdin=None, input=text).stderr
    assert "does not say which column is which input" in mlctl(*rows).stderr
    assert json.loads(mlctl(*rows, "--as-is").stdout)["fields"] == ["picture"]
    bad = mlctl("predict", "echo", folder / "bad.csv", "--rule", folder / "rule.json")
    assert (bad.returncode, bad.stdout) == (2, f"{json.dumps(answer)}\n")
    assert "row 2: column 1 is 'x', which is no number" in bad.stderr
    make_tree(folder, {"do.json": '{"properties": {"do": {"type": "string", "index": 0}}}', "do.csv": "rest\nraise\n"})
    failed = mlctl("predict", "echo", folder / "do.csv", "--rule", folder / "do.json")
    assert (failed.returncode, failed.stdout.count("ANSWER")) == (1, 1)
    assert "row 2: the service answers with 422" in failed.stderr
    assert mlctl("predict", "echo", "--json", "{}", "--rule", folder / "rule.json").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "nothing"], "there is no model nothing"),
        (["deploy"], "no job was created from this folder yet"),
        (["predict", "nothing", "--json", "{}"], "there is no service nothing"),
        (["predict", "nothing"], "name either a file or --json"),
        (["service", "get", "Nothing!"], "cannot be the name of a service"),
    ],
)
def test_what_cannot_be_says_why(mlctl, project, arguments, message):
    done = mlctl(*arguments)
    assert done.returncode in (2, 4)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_trial_with_pictures_whose_labels_are_known(mlctl, package, tmp_path):
    answers = ECHO.replace('{"answer": "ANSWER", "fields": sorted(data)}', '{"label": "cat"}')
    (package / "model" / "customize_service.py").write_text(answers)
    small = CONFIG.replace('{"type": "file"}', '{"type": "file", "picture": {"size": [28, 28]}}')
    (package / "model" / "config.json").write_text(small)
    mlctl("model", "import", package, "--name", "echo")
    assert mlctl("deploy", "echo", "--engine", "plain-1").returncode == 0
    asked = ["service", "test", "echo"]
    assert "it is not known what the model of echo was trained with" in mlctl(*asked).stderr
    seven = Path(__file__).parents[2] / "docs" / "seven.png"
    pets = make_tree(tmp_path / "pets", {"cat/2.png": "", "rat/1.png": ""})
    for kind in ("cat", "dog"):
        (pets / kind).mkdir(exist_ok=True)
        shutil.copy(seven, pets / kind / "1.png")
    mlctl("dataset", "push", pets, "--name", "pets")
    done = mlctl(*asked, "--data", "pets")
    assert re.search(r"^Right +1 of 4 \(25\.0%\)$", done.stdout, re.MULTILINE), done.stderr
    assert re.search(r"^Prepared +2 files: 28 x 28 pixels \(2\)$", done.stdout, re.MULTILINE)
    assert "cat/2.png: 2.png is no picture that can be read, not cat" in done.stdout
    assert re.search(r"dog/1\.png: cat, not dog$", done.stdout, re.MULTILINE)
    assert re.search(r"^Right +2 of 4", mlctl(*asked, "--data", "pets", "--as-is").stdout, re.MULTILINE)
    trial = json.loads(mlctl(*asked, "--data", "pets/V0001", "-n", "3", "--parallel", "2", "-o", "json").stdout)
    assert (trial["data"], trial["asked"], trial["median"] > 0) == ("pets/V0001", 3, True)
    assert "seven.png is sent 28 x 28 pixels instead of 56 x 56\n" in mlctl("predict", "echo", seven).stderr
    assert mlctl("predict", "echo", seven, "--as-is").stderr == ""
    with seven.open("rb") as file:
        piped = mlctl("predict", "echo", "-", stdin=file)
    assert json.loads(piped.stdout) == {"label": "cat"}
    assert piped.stderr == "stdin is sent 28 x 28 pixels instead of 56 x 56\n"
    assert "are for pictures" in mlctl("predict", "echo", "--json", "{}", "--gray").stderr
    assert mlctl("predict", "echo", pets / "cat" / "2.png", "--as-is").returncode == 0
    refused = mlctl("predict", "echo", pets / "cat" / "2.png")
    assert (refused.returncode, "2.png is no picture that can be read" in refused.stderr) == (2, True)
    assert mlctl("predict", "echo", pets / "cat" / "1.png", "--resize", "28").returncode == 2
    batch = ["batch", "create", "--service", "echo", "--input", pets, "--output"]
    done = mlctl(*batch, tmp_path / "out")
    assert re.search(r"^Answered +2\nFailed +2\nPrepared +2 files: 28 x 28 pixels \(2\)$", done.stdout, re.MULTILINE)
    assert "cat/2.png: 2.png is no picture that can be read" in done.stderr
    assert mlctl(*batch, tmp_path / "out", "--as-is").returncode == 5  # the answers there are to other requests
    whole = json.loads(mlctl(*batch, tmp_path / "whole", "--as-is", "-o", "json").stdout)
    assert (whole["answered"], whole["prepared"]) == (4, {"files": 0, "steps": {}})
    for wrong in ([*batch, tmp_path / "not"], [*asked, "--data", "pets"]):
        done = mlctl(*wrong, "--token", "wrong")
        assert (done.returncode, "401" in done.stderr, "mlctl service token echo" in done.stderr) == (6, True, True)


def test_a_batch_of_files(mlctl, package, tmp_path):
    mlctl("model", "import", package, "--name", "echo")
    assert mlctl("deploy", "echo", "--engine", "plain-1").returncode == 0
    make_tree(tmp_path / "in", {"a.png": "a", "sub/b.png": "b"})
    asked = ["batch", "create", "--service", "echo", "--input", tmp_path / "in"]
    done = mlctl(*asked, "--output", tmp_path / "out")
    assert (done.returncode, done.stdout.split()[:4]) == (0, ["Answered", "2", "Failed", "0"]), done.stderr
    assert json.loads((tmp_path / "out" / "sub" / "b.png_result.txt").read_text())["fields"] == ["picture"]
    again = json.loads(mlctl(*asked, "--output", tmp_path / "out", "-o", "json").stdout)
    assert (again["answered"], again["before"], again["failed"]) == (2, 2, {})
    one = make_tree(tmp_path / "one", {"ü %20.png": ""}) / "ü %20.png"
    alone = mlctl(*asked[:-1], one, "--output", tmp_path / "alone", "-o", "json")
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["answered"] == 1
    assert (tmp_path / "alone" / f"{one.name}_result.txt").is_file()
    inside = mlctl(*asked, "--output", tmp_path / "in" / "out")
    assert (inside.returncode, "answers would be asked about" in inside.stderr) == (2, True)
    rule = make_tree(tmp_path / "rules", {"no.json": "{", "rule.json": '{"type": "string", "index": 0}'})
    tables = ["--mapping", "csv", "--output", tmp_path / "tables"]
    assert "is no JSON" in mlctl(*asked, *tables, "--rule", rule / "no.json").stderr
    assert "does not say which column" in mlctl(*asked, *tables).stderr
    assert mlctl(*asked, *tables, "--rule", rule / "rule.json").returncode == 0
    assert (tmp_path / "tables" / "a.png_result.txt").read_text() == '{"answer": "ANSWER", "fields": ["a"]}\n'
    mlctl("service", "stop", "echo")
    stopped = mlctl(*asked, "--output", tmp_path / "later")
    assert (stopped.returncode, "service echo is STOPPED" in stopped.stderr) == (5, True)
