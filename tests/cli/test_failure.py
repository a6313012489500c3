"""How commands fail: message, hint, exit code."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import errors
from orchestrator.cli import failure, main
from tests.cli.conftest import MLCTL

DOCUMENTED = Path(__file__).parents[2] / "docs" / "exit-codes.md"


def classes(base=errors.MlctlError):
    return [base, *(found for below in base.__subclasses__() for found in classes(below))]


@pytest.fixture
def failing(monkeypatch):
    """Give a function that runs a command which raises an error."""

    def run(error):
        def raise_it():
            raise error

        monkeypatch.setattr("orchestrator.config.list_contexts", raise_it)
        return main.run(["context", "list"])

    return run


@pytest.mark.parametrize("kind", [kind for kind in classes() if kind.__module__ == errors.__name__])
def test_every_error_has_its_exit_code_message_and_hint(kind, failing, capsys):
    code = failing(kind("the bucket is gone", hint="look for it"))
    assert code == kind.exit_code
    assert capsys.readouterr() == ("", "error: the bucket is gone\nhint: look for it\n")


def test_all_exit_codes_are_documented():
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENTED.read_text(), re.MULTILINE)}
    raised = {kind.exit_code for kind in classes()}
    assert written == raised | {0, failure.UNEXPECTED, failure.INTERRUPTED, main.READER_GONE}


def test_an_error_without_hint_has_one_line(failing, capsys):
    failing(errors.StoreError("the disk is full"))
    assert capsys.readouterr().err == "error: the disk is full\n"


def test_what_a_message_quotes_cannot_harm_the_terminal(failing, capsys):
    failing(errors.NotFoundError("there is no job '\x1b]0;title\x07x'", hint="two\nlines\x1b[2J"))
    assert capsys.readouterr().err == "error: there is no job 'x'\nhint: two\nlines\n"


def test_something_unexpected_is_kept_in_a_file(failing, capsys, home):
    assert failing(ZeroDivisionError("division by zero")) == 1
    out, told = capsys.readouterr()
    assert out == ""
    match = re.fullmatch(
        r"unexpected error: ZeroDivisionError: division by zero; please report this with (\S+)\n", told
    )
    assert match, told
    kept = Path(match[1])
    assert kept.is_relative_to(home / "debug")
    assert "Traceback" in kept.read_text() and "in raise_it" in kept.read_text()


def test_something_unexpected_shows_its_traceback_if_asked(failing, capsys, monkeypatch, home):
    monkeypatch.setenv("MLCTL_DEBUG", "1")
    assert failing(ZeroDivisionError()) == 1
    assert "in raise_it" in capsys.readouterr().err
    assert not home.exists()


def test_something_unexpected_where_nothing_can_be_written(failing, capsys, monkeypatch):
    monkeypatch.setenv("MLCTL_HOME", "/proc/nowhere")
    assert failing(ZeroDivisionError()) == 1
    assert (
        capsys.readouterr().err
        == "unexpected error: ZeroDivisionError; please report this with the output under MLCTL_DEBUG=1\n"
    )


def test_something_unexpected_when_even_the_home_fails(capsys, monkeypatch):
    def fail():
        raise RuntimeError("no home")

    monkeypatch.setattr("orchestrator.config.home_dir", fail)
    assert main.run(["context", "list"]) == 1
    assert capsys.readouterr().err.startswith("unexpected error: RuntimeError: no home; please report this")


def test_an_interruption(failing, capsys):
    assert failing(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "\ninterrupted\nnext: mlctl context list\n"


@pytest.mark.parametrize(
    "arguments, message, hint",
    [
        (["jbo"], "no such command 'jbo'. Did you mean 'job'?", "mlctl --help"),
        (["job", "lst"], "no such command 'lst'. Did you mean 'list'?", "mlctl job --help"),
        (["--bogus"], "no such option: --bogus", "mlctl --help"),
        (["job", "get"], "missing argument 'NAME'", "mlctl job get --help"),
        (["context", "add", "x"], "missing option '--store'", "mlctl context add --help"),
        (["job", "list", "-o", "xml"], "'xml' is not one of 'json', 'yaml', 'name'", "mlctl job list --help"),
        (["logs", "--tail", "many"], "'many' is not a valid int", "mlctl logs --help"),
        (["logs", "--tail", "-1"], "-1 is not in the range x>=0", "mlctl logs --help"),
        (["flavor", "list", "surplus"], "unexpected extra argument", "mlctl flavor list --help"),
        (["logs", "x", "--since", "soon"], "'soon' is not a duration", "write it as"),
        (["job", "create", "x", "--detach", "--follow"], "exclude each other", "give one of them"),
        (["job", "create", "x", "--follow", "-o", "json"], "--follow writes the log to stdout", "use --wait with -o"),
        (["job", "get", "x/v1", "-v", "v2"], "version 'v1' in the name, and 'v2' as option", "give one of them"),
        (["job", "get", ""], "'' cannot be the name of a job", "for example: mnist-mxnet"),
        (["job", "list", "My Job"], "'My Job' cannot be the name of a job", "for example: my-job"),
        (["logs", "../x"], "'..' cannot be the name of a job", "for example: "),
        (["dataset", "get", "A/v1"], "'A' cannot be the name of a dataset", "for example: a"),
        (["job", "create", "x", "-p"], "option '-p' requires an argument", "mlctl job create --help"),
        (["job", "get", "x", "-v", "newest"], "'newest' is not a version", "write v3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line(arguments, message, hint, mlctl):
    done = mlctl(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    told = done.stderr.splitlines()
    assert told[0].startswith("error: ") and message in told[0]
    assert told[1].startswith(f"hint: {hint}")
    assert "Usage" not in done.stderr


def bash(script):
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)


def test_the_reader_of_the_output_goes_away():
    script = f"{MLCTL} schema job | true; echo ${{PIPESTATUS[0]}}"
    done = bash(script)
    assert done.stdout == "141\n"
    assert done.stderr == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["flavor list", "--help", "job --help", "job get --help", "job", "--version"])
def test_the_output_cannot_be_written(mlctl, monkeypatch, unbuffered, command):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("w") as full:
        done = mlctl(*command.split(), capture_output=False, stdout=full, stderr=-1)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\nhint: look where stdout goes\n"


def test_closed_streams():
    script = f"{MLCTL} flavor list >&-; echo $?; {MLCTL} flavor lst 2>&-; echo $?"
    done = bash(script)
    assert (done.stdout, done.stderr) == ("0\n2\n", "")


def test_characters_that_the_terminal_does_not_know(mlctl, monkeypatch):
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)
    done = mlctl("job", "get", "größe")
    assert done.returncode == 2
    assert "gr" in done.stderr and "Traceback" not in done.stderr


def test_results_and_notes_are_in_order_where_both_go_to_one_place(tmp_path):
    done = bash(f"{MLCTL} context add other --store {tmp_path.as_uri()} 2>&1 | cat")
    assert done.stdout.splitlines()[0].startswith("context other added")


@pytest.mark.parametrize("module", ["orchestrator", "orchestrator.cli.main"])
def test_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "flavor", "lst"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[1]) == (2, "hint: mlctl flavor --help")


def test_an_interruption_while_the_program_is_loaded():
    source = """
import builtins, os, signal, sys
real = builtins.__import__
def importing(name, *rest):
    if name == "orchestrator.cli.main":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)
from orchestrator.__main__ import main
builtins.__import__ = importing
main()
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_an_interruption_that_is_to_be_ignored():
    script = f"trap '' INT; {MLCTL} flavor list -o name; echo $?"
    assert bash(script).stdout.endswith("\n0\n")
