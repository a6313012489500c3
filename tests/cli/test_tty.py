"""What happens on a real terminal: questions, colours, bars, Ctrl-C."""

import re
import signal
import sys
import textwrap

import pexpect
import pytest

from tests.cli.conftest import FOREVER, TIMEOUT, WIDTH, end
from tests.jobs.conftest import LONGEST

BARS = """
    import time
    from orchestrator.cli.progress import reporter
    report = reporter()
    with report.bar("upload mnist", total=8_000_000, unit="bytes") as bar:
        for step in range(8):
            time.sleep(0.2)
            bar.advance(1_000_000)
            if step == 5:
                report.note("a note [bold]between[/bold]")
    with report.bar("over at once", total=5, unit="files") as bar:
        bar.advance(5)
    report.note("the end")
"""


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "\n"])
def test_create_asks_and_is_told_yes(answer, spec, terminal):
    with terminal("job", "create", spec) as process:
        process.expect_exact("Create this version? [Y/n] ")
        assert "\x1b[2mEngine\x1b[0m" in process.before
        process.send(answer)
        process.expect_exact("job demo/V0001 created")
        assert end(process)[0] == 0


@pytest.mark.parametrize("answer", ["n\n", "\x04", "\x03"], ids=["no", "end of file", "Ctrl-C"])
def test_create_asks_and_is_not_told_yes(answer, spec, terminal, project):
    with terminal("job", "create", spec) as process:
        process.expect_exact("[Y/n] ")
        process.send(answer)
        code, shown = end(process)
    assert code == 130
    if answer == "\x03":
        assert shown.endswith("\r\ninterrupted\r\n\x1b[2mnext:\x1b[0m mlctl job create job.yaml\r\n")
    else:
        assert shown.endswith("\r\nnothing was done\r\n")
    assert project.client.jobs.list() == []


def test_an_unclear_answer_is_asked_for_again(spec, terminal):
    with terminal("job", "create", spec) as process:
        process.expect_exact("[Y/n] ")
        process.send("what\n")
        process.expect_exact("please answer y or n")
        process.expect_exact("Create this version? [Y/n] ")
        process.send("y\n")
        process.expect_exact("job demo/V0001 created")
        assert end(process)[0] == 0


def test_yes_beforehand(spec, terminal):
    with terminal("job", "create", spec, "--yes") as process:
        code, shown = end(process)
    assert code == 0 and "[Y/n]" not in shown


def test_large_code_is_asked_about(spec, terminal, project):
    with (project.folder / "code" / "weights.bin").open("wb") as file:
        file.truncate(100_000_001)
    with terminal("job", "create", spec) as process:
        process.expect_exact("Send 100.0 MB of code and create this version? [Y/n] ")
        process.send("n\n")
        assert end(process)[0] == 130


def test_ctrl_c_while_following_leaves_the_job_alone(spec, terminal, project):
    project.script(FOREVER)
    with terminal("job", "create", spec, "--follow", "--yes") as process:
        process.expect_exact("started")
        process.sendintr()
        process.expect_exact("demo/V0001 goes on")
        process.expect_exact("mlctl logs -f demo -v V0001")
        process.expect_exact("mlctl job cancel demo -v V0001")
        assert end(process)[0] == 130
    assert project.client.jobs.get("demo").status.state == "RUNNING"
    assert project.client.jobs.cancel("demo").status.state == "CANCELLED"


def test_the_end_of_the_terminal_leaves_the_job_alone(spec, terminal, project):
    project.script("print('started', flush=True); time.sleep(1); print('ended')")
    with terminal("job", "create", spec, "--follow", "--yes") as process:
        process.expect_exact("started")
        process.kill(signal.SIGHUP)
        process.wait()
    view = project.client.jobs.wait("demo", timeout=LONGEST)
    assert view.status.state == "SUCCEEDED"
    assert project.log(view) == b"started\nended\n"


def test_delete_asks_and_does_nothing_by_default(spec, mlctl, terminal, project):
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    with terminal("job", "delete", "demo") as process:
        process.expect_exact("Delete all versions of demo, with logs and output? [y/N] ")
        process.send("\n")
        assert end(process)[0] == 130
    assert len(project.client.jobs.list()) == 1
    with terminal("job", "delete", "demo/v1") as process:
        process.expect_exact("Delete demo/v1, with logs and output? [y/N] ")
        process.send("y\n")
        process.expect_exact("demo/V0001 deleted")


def test_states_have_colours_unless_they_are_not_wanted(spec, mlctl, terminal):
    assert mlctl("job", "create", spec, "--wait").returncode == 0
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with terminal("job", "list", **environment) as process:
            shown = end(process)[1]
        assert ("\x1b[32mSUCCEEDED\x1b[0m" in shown) == coloured
        assert ("\x1b" in shown) == coloured


@pytest.mark.parametrize("width", [WIDTH, 60, 40, 20])
@pytest.mark.parametrize("command", ["engine list", "flavor list", "dataset catalog"])
def test_a_table_fits_the_terminal(terminal, width, command):
    with terminal(*command.split(), NO_COLOR="1", COLUMNS=str(width)) as process:
        lines = end(process)[1].splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= width


@pytest.fixture
def bars(mlctl):
    def run(*, width=WIDTH, label="upload mnist", **environment):
        source = textwrap.dedent(BARS).replace("upload mnist", label)
        process = pexpect.spawn(
            sys.executable, ["-c", source], env=environment, encoding="utf-8", dimensions=(20, width), timeout=TIMEOUT
        )
        code, shown = end(process)
        assert code == 0, shown
        return shown

    return run


def test_long_work_has_a_bar_with_rate_and_time_left(bars):
    shown = bars(TERM="xterm-256color")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(r"upload mnist [━╸╺]+ [\d.]+ MB of 8.0 MB \d+\.\d MB/s, 0:0\d left", plain)
    assert "a note [bold]between[/bold]" in plain
    assert "over at once" not in plain
    assert plain.rstrip().endswith("the end")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_bar_stays_on_one_line(bars, width):
    shown = bars(TERM="xterm-256color", width=width, label="a-dataset-whose-name-is-really-very-long==1.0.20260101")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    drawn = [line for line in re.split(r"[\r\n]+", plain) if "MB of" in line]
    assert len(drawn) > 4
    assert max(map(len, drawn)) <= width
    assert all("a-datas" in line and re.search(r"\d MB of 8.0 MB", line) for line in drawn)
    assert re.search(r"0:\d\d left", plain)


def test_bars_without_colours(bars):
    shown = bars(TERM="xterm-256color", NO_COLOR="1")
    assert "upload mnist" in shown
    assert not re.search(r"\x1b\[[0-9;]*m", shown.replace("\x1b[0m", ""))


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(bars):
    assert bars(TERM="dumb") == "a note [bold]between[/bold]\r\nthe end\r\n"
