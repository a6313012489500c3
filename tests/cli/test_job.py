"""Jobs from the command line, without a terminal."""

import json
import re

import pytest

from orchestrator.cli import main


@pytest.fixture
def done(spec, mlctl):
    created = mlctl("job", "create", spec, "--wait")
    assert created.returncode == 0, created.stderr
    return "demo"


def test_create_detaches_and_says_what_comes_next(spec, mlctl):
    done = mlctl("job", "create", spec)
    assert (done.returncode, done.stdout) == (0, "job demo/V0001 created\n")
    assert "Engine     plain-1" in done.stderr and "Arguments  --num_epochs=2" in done.stderr
    assert done.stderr.endswith("next: mlctl logs -f demo -v V0001\n      mlctl job get demo -v V0001\n")
    assert "\x1b" not in done.stderr
    assert mlctl("job", "wait", "demo").returncode == 0


def test_follow_shows_the_log_and_the_end(spec, mlctl):
    done = mlctl("job", "create", spec, "--follow")
    assert (done.returncode, done.stdout) == (0, "epoch 0\nepoch 1\n")
    assert re.search(r"^demo/V0001 SUCCEEDED after [\d.]+s$", done.stderr, re.MULTILINE)
    assert re.search(r"^output: 2 files, 1.0 kB in /.*/V0001/output/$", done.stderr, re.MULTILINE)
    assert done.stderr.endswith("next: mlctl job outputs demo -v V0001\n")


def test_wait_is_silent_and_follows_the_documents(spec, mlctl):
    done = mlctl("job", "create", spec, "--wait", "-o", "json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert (document["name"], document["version"], document["state"]) == ("demo", "V0001", "SUCCEEDED")
    assert mlctl("job", "create", spec, "--wait", "-o", "name").stdout == "demo/V0002\n"


def test_a_failed_job(spec, mlctl):
    for how in ("--follow", "--wait"):
        done = mlctl("job", "create", spec, "-p", "fail=it went wrong", how)
        assert done.returncode == 100
        assert "failed (UserError): the script failed with exit code 1" in done.stderr
        assert "hint: " in done.stderr
    assert mlctl("job", "wait", "demo").returncode == 100
    got = mlctl("job", "get", "demo")
    assert got.returncode == 0
    assert re.search(r"^State +FAILED$", got.stdout, re.MULTILINE)
    assert re.search(r"^Reason +UserError$", got.stdout, re.MULTILINE)
    assert "it went wrong" in got.stdout
    assert "incomplete" in mlctl("job", "outputs", "demo").stderr


def test_a_cancelled_job(running, mlctl):
    done = mlctl("job", "cancel", running)
    assert done.returncode == 0
    assert re.fullmatch(r"demo/V0001 CANCELLED after .*\n", done.stdout)
    assert mlctl("job", "wait", running).returncode == 103
    assert mlctl("job", "cancel", running).returncode == 0


def test_a_job_that_goes_on(running, mlctl):
    waited = mlctl("job", "wait", running, "--timeout", "1s")
    assert (waited.returncode, waited.stdout) == (101, "")
    assert "demo/V0001 is still RUNNING" in waited.stderr
    assert mlctl("job", "outputs", running).returncode == 101
    deleted = mlctl("job", "delete", running, "--yes")
    assert deleted.returncode == 5
    assert "cannot be deleted" in deleted.stderr and "hint: mlctl job cancel demo" in deleted.stderr
    assert re.search(r"^Running for +\S+", mlctl("job", "get", running).stdout, re.MULTILINE)


def test_a_dry_run_changes_nothing(spec, mlctl, project):
    done = mlctl("job", "create", spec, "--dry-run", "-p", "num_epoch=3")
    assert done.returncode == 0
    assert "plain-1" in done.stdout and "--num_epoch=3" in done.stdout
    assert "warning: main.py does not declare --num_epoch" in done.stderr
    assert "did you mean num_epochs?" in done.stderr
    assert done.stderr.endswith("next: mlctl job create job.yaml -p num_epoch=3\n")
    document = json.loads(mlctl("job", "create", spec, "--dry-run", "-o", "json").stdout)
    assert (document["name"], document["previous"], document["problems"]) == ("demo", None, [])
    assert mlctl("job", "list").stdout == ""


def test_a_dry_run_names_the_command_that_does_the_same(spec, mlctl):
    done = mlctl("job", "create", spec, "--dry-run", "-p", "fail=it is $5", "--set", "resources.gpus=2")
    assert done.stderr.endswith("next: mlctl job create job.yaml --set resources.gpus=2 -p 'fail=it is $5'\n")
    assert "'--fail=it is $5'" in done.stdout
    assert re.search(r"^Resources +16 CPUs, 128Gi, 2 x GPU", done.stdout, re.MULTILINE)


def test_empty_folders_are_no_files(spec, mlctl, project):
    (project.folder / "code" / "empty").mkdir()
    project.script("os.makedirs(os.path.join(sys.argv[2].partition('=')[2], 'nothing', 'here'))")
    done = mlctl("job", "create", spec, "--wait", "--set", "data=null", "-p", "text=a b")
    assert re.search(r"^Code +1 file,", done.stderr, re.MULTILINE)
    got = mlctl("job", "get", "demo").stdout
    assert re.search(r"^Code +1 file,", got, re.MULTILINE)
    assert re.search(r"^Parameters +num_epochs=2 text='a b'$", got, re.MULTILINE)
    assert mlctl("job", "outputs", "demo").stdout == "PATH            SIZE\nnothing/here/\n"


def test_what_wrote_nothing_has_nothing_to_download(spec, mlctl, project):
    project.script("pass")
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    done = mlctl("job", "outputs", "demo")
    assert (done.stdout, done.stderr) == ("", "demo/V0001 wrote nothing\n")


def test_a_job_that_cannot_work(spec, mlctl, project):
    project.write(boot_file="mian.py", engine="plain-2", data="dataset://nope")
    for more in ([], ["--dry-run"]):
        done = mlctl("job", "create", spec, *more)
        assert done.returncode == 3
        for problem in ("there is no boot_file mian.py", "there is no engine 'plain-2'", "there is no dataset nope"):
            assert problem in done.stderr
    assert mlctl("job", "list").stdout == ""


def test_data_that_is_meant_as_a_dataset(spec, mlctl, project):
    project.write(data="mnist")
    done = mlctl("job", "create", spec)
    assert done.returncode == 3
    assert "mnist, but a dataset mnist (data: dataset://mnist)" in done.stderr


def test_an_invalid_spec(spec, mlctl, project):
    project.write(nmae="x")
    done = mlctl("job", "create", spec)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"error: job.yaml:\d+:\d+: unknown key `nmae`", done.stderr)
    assert mlctl("job", "create", "jbo.yaml").returncode == 4


def test_the_plan_shows_what_changed(done, spec, mlctl, project):
    (project.folder / "code" / "model.py").write_text("x = 1\n")
    shown = mlctl("job", "create", spec, "--dry-run", "-p", "num_epochs=3", "--set", "resources.cpus=2").stdout
    assert "Since V0001" in shown
    assert "~ parameters.num_epochs: 2 -> 3" in shown
    assert "+ code: model.py: added" in shown
    assert "resources" in shown


def test_large_code_is_not_sent_without_asking(spec, mlctl, project):
    with (project.folder / "code" / "weights.bin").open("wb") as file:
        file.truncate(100_000_001)
    done = mlctl("job", "create", spec)
    assert done.returncode == 3
    assert "the code folder holds 100.0 MB in 2 files" in done.stderr
    assert ".mlctlignore" in done.stderr and "--yes" in done.stderr
    assert "largest: weights.bin" in done.stderr
    (project.folder / "code" / ".mlctlignore").write_text("*.bin\n")
    done = mlctl("job", "create", spec, "--dry-run")
    assert "weights.bin (rule *.bin in .mlctlignore)" in done.stdout


def test_ctrl_c_while_a_job_is_created(spec, mlctl, monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.jobs.jobs.Jobs.create", interrupt)
    assert main.run(["job", "create", spec]) == 130
    assert capsys.readouterr().err.endswith("\ninterrupted; the same command goes on from here\n")


def test_lists(spec, mlctl):
    for epochs in (1, 2):
        assert mlctl("job", "create", spec, "-p", f"num_epochs={epochs}", "--wait").returncode == 0
    assert mlctl("job", "create", spec, "--set", "name=other", "--wait").returncode == 0
    assert mlctl("job", "list", "-o", "name").stdout == "other/V0001\ndemo/V0002\n"
    assert mlctl("job", "list", "--all", "-o", "name").stdout == "other/V0001\ndemo/V0002\ndemo/V0001\n"
    assert mlctl("job", "list", "demo", "-o", "name").stdout == "demo/V0002\ndemo/V0001\n"
    table = mlctl("job", "list", "demo").stdout.splitlines()
    assert table[0].split() == ["NAME", "VERSION", "STATE", "REASON", "CREATED", "DURATION", "ENGINE", "PARAMETERS"]
    assert table[1].split()[:3] == ["demo", "V0002", "SUCCEEDED"]
    assert table[1].endswith("num_epochs=2")
    documents = json.loads(mlctl("job", "list", "-o", "json").stdout)
    assert [document["state"] for document in documents] == ["SUCCEEDED"] * 2
    assert documents[0]["status"]["exit_code"] == 0
    missing = mlctl("job", "list", "dmeo")
    assert missing.returncode == 4 and "did you mean demo?" in missing.stderr


def test_versions_are_written_as_people_like(spec, mlctl):
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    assert mlctl("job", "create", spec, "--detach").returncode == 0
    for written in (["demo/V0001"], ["demo/v1"], ["demo", "-v", "1"], ["demo", "--version", "v0001"]):
        assert mlctl("job", "get", *written, "-o", "name").stdout == "demo/V0001\n"
    for written in (["demo"], ["demo/"], ["demo", "-v", "latest"]):
        assert mlctl("job", "get", *written, "-o", "name").stdout == "demo/V0002\n"


def test_outputs(done, mlctl, tmp_path):
    shown = mlctl("job", "outputs", done)
    assert shown.stdout.splitlines()[1:] == ["model.bin        1.0 kB", "more/names.txt   5 bytes"]
    assert shown.stderr.startswith("demo/V0001: 2 files, 1.0 kB in /")
    assert mlctl("job", "outputs", done, "-o", "name").stdout == "model.bin\nmore/names.txt\n"
    document = json.loads(mlctl("job", "outputs", done, "-o", "json").stdout)
    assert document["complete"] and [entry["path"] for entry in document["files"]] == ["model.bin", "more/names.txt"]
    pulled = mlctl("job", "outputs", done, "--pull", tmp_path / "here")
    assert (pulled.returncode, pulled.stdout) == (0, f"demo/V0001: 2 files, 1.0 kB in {tmp_path / 'here'}\n")
    assert (tmp_path / "here" / "more" / "names.txt").read_text() == "0 1 2"


def test_delete(spec, mlctl):
    for _ in range(3):
        assert mlctl("job", "create", spec, "--wait").returncode == 0
    assert mlctl("job", "delete", "demo", "-v", "v2").stdout == "demo/V0002 deleted\n"
    assert mlctl("job", "get", "demo/v2").returncode == 4
    assert mlctl("job", "delete", "demo", "--yes").stdout == "demo/V0001 deleted\ndemo/V0003 deleted\n"
    assert mlctl("job", "list").stdout == ""
    again = mlctl("job", "delete", "demo")
    assert (again.returncode, again.stderr) == (0, "there was nothing left of demo\n")
    assert mlctl("job", "delete", "never").returncode == 4
