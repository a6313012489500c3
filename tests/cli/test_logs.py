"""mlctl logs."""

import re
import subprocess

import pytest

from tests.cli.conftest import MLCTL, TIMEOUT

RUBBISH = bytes(range(256)) + b"\x1b]0;title\x07\x1b[31mred\x1b[0m\n"


@pytest.fixture
def lines(spec, project, mlctl):
    project.script("for number in range(100): print('line', number)")
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    return [f"line {number}" for number in range(100)]


def test_the_whole_log_of_the_last_job_of_this_folder(lines, mlctl, monkeypatch, tmp_path):
    for arguments in (["logs"], ["logs", "demo"], ["job", "logs"], ["logs", "-v", "v1"], ["logs", "demo/V0001"]):
        done = mlctl(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == lines
    monkeypatch.chdir(tmp_path)
    elsewhere = mlctl("logs")
    assert elsewhere.returncode == 4
    assert "no job was created from" in elsewhere.stderr and "mlctl job list" in elsewhere.stderr


def test_parts_of_it(lines, mlctl):
    assert mlctl("logs", "--tail", "2").stdout.splitlines() == lines[-2:]
    assert mlctl("logs", "--tail", "0").stdout == ""
    assert mlctl("logs", "--grep", "^line 4.$").stdout.splitlines() == lines[40:50]
    assert mlctl("logs", "--since", "1h").stdout.splitlines() == lines
    stamped = mlctl("logs", "--timestamps", "--tail", "1").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z line 99\n", stamped)
    wrong = mlctl("logs", "--grep", "(")
    assert wrong.returncode == 2 and "is not a regular expression" in wrong.stderr


def test_following_a_job_that_has_ended(lines, mlctl):
    done = mlctl("logs", "-f")
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, lines, "")


def test_following_a_job_to_its_end(spec, project, mlctl):
    stop = project.folder / "stop"
    project.script(f"print(0, flush=True)\nwhile not os.path.exists({str(stop)!r}): time.sleep(0.1)\nprint(1)")
    assert mlctl("job", "create", spec).returncode == 0
    process = subprocess.Popen([MLCTL, "logs", "-f"], stdout=-1, stderr=-1, text=True)
    assert process.stdout.readline() == "0\n"
    stop.touch()
    shown, told = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, shown) == (0, "1\n")
    # On a busy machine it also says what it waited for before.
    assert re.fullmatch(r"demo/V0001 SUCCEEDED after .*", told.splitlines()[-1])


def test_following_a_queued_job_says_what_it_waits_for(running, project, mlctl, monkeypatch):
    project.script("print('at last')")
    assert mlctl("job", "create", "job.yaml", "--set", "name=second", "--set", "resources.cpus=2").returncode == 0
    waiting = mlctl("logs", "second")
    assert (waiting.returncode, waiting.stdout) == (0, "")
    assert "second/V0001 is QUEUED and has written no log" in waiting.stderr
    process = subprocess.Popen([MLCTL, "logs", "-f", "second"], stdout=-1, stderr=-1, text=True)
    assert process.stderr.readline().startswith("QUEUED: ")
    assert mlctl("job", "cancel", running).returncode == 0
    shown, told = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, shown) == (0, "at last\n")
    assert "second/V0001 SUCCEEDED" in told


def test_a_job_that_wrote_nothing(spec, project, mlctl):
    project.script("pass")
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    done = mlctl("logs")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "demo/V0001 is SUCCEEDED and has written no log\n"


def test_in_a_file_every_byte_is_kept(spec, project, mlctl):
    project.script(f"sys.stdout.buffer.write({RUBBISH!r})")
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    assert mlctl("logs", text=False).stdout == RUBBISH


def test_on_a_terminal_only_colours_are_kept(spec, project, mlctl, terminal):
    project.script(f"sys.stdout.buffer.write({RUBBISH!r})")
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    with terminal("logs") as process:
        process.expect_exact("red")
        shown = process.before + process.after
    assert "title" not in shown and "\x07" not in shown and "\x00" not in shown
    assert shown.endswith("\x1b[31mred")
    with terminal("logs", NO_COLOR="1") as process:
        process.expect_exact("red")
        assert "\x1b" not in process.before


def test_ctrl_c_ends_the_watching_alone(running, project, terminal):
    with terminal("logs", "-f") as process:
        process.expect_exact("started")
        process.sendintr()
        process.expect_exact("demo/V0001 goes on")
        process.expect_exact("mlctl logs -f demo -v V0001")
        process.expect_exact("mlctl job cancel demo -v V0001")
        process.wait()
        assert process.exitstatus == 130
    assert project.client.jobs.get("demo").status.state == "RUNNING"
