"""Help: alone, by noun, complete, and light."""

import subprocess
import sys

import pytest
import typer

from orchestrator.cli.main import COMMANDS, app

HEAVY = [
    "boto3",
    "kubernetes",
    "numpy",
    "mxnet",
    "torch",
    "tensorflow",
    "yaml",
    "msgspec",
    "pydantic",
    "platformdirs",
    "rich.console",
    "rich.table",
    "rich.progress",
    "asyncio",
    "orchestrator.client",
    "orchestrator.config",
    "orchestrator.engines",
    "orchestrator.specs",
    "orchestrator.store",
]


def commands():
    """Return the path of every command and group."""
    root = typer.main.get_command(app)
    with root.make_context("mlctl", [], resilient_parsing=True) as context:
        for name in COMMANDS:
            command = root.get_command(context, name)
            yield [name], command
            for child, below in getattr(command, "commands", {}).items():
                yield [name, child], below


def test_alone_it_prints_its_help(mlctl):
    alone, asked = mlctl(), mlctl("--help")
    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout
    assert alone.stderr == ""
    for name, entry in COMMANDS.items():
        assert name in alone.stdout and entry.help in alone.stdout


def test_a_noun_alone_prints_its_help(mlctl):
    done = mlctl("job")
    assert done.returncode == 0
    assert done.stdout == mlctl("job", "--help").stdout
    assert "Stop a job version; what it wrote so far is kept." in done.stdout


def test_the_overview_says_what_the_commands_say():
    root = typer.main.get_command(app)
    with root.make_context("mlctl", [], resilient_parsing=True) as context:
        for name, entry in COMMANDS.items():
            assert root.get_command(context, name).help.startswith(entry.help.rstrip("."))


@pytest.mark.parametrize(
    "path, command", [*commands()], ids=lambda value: "-".join(value) if type(value) is list else ""
)
def test_every_command_has_help_for_itself_and_all_its_options(path, command):
    assert command.help.splitlines()[0].endswith((".", ")"))
    for param in command.params:
        assert param.help, f"{path}: {param.name}"
        assert getattr(param, "is_flag", False) or param.metavar, f"{path}: {param.name} needs a metavar"


@pytest.mark.parametrize("arguments", [["--help"], ["job", "--help"], ["logs", "--help"], ["dataset", "--help"]])
def test_help_is_light(arguments):
    source = f"""
import sys
from orchestrator.cli.main import run
sys.stdout.reconfigure(errors="strict")
code = run({arguments!r})
print("\\n".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert not loaded.intersection(HEAVY)


def test_a_command_that_looks_up_little_loads_little():
    source = "import sys; from orchestrator.cli.main import run; run(['context', 'get']); print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stdout.split())
    assert "orchestrator.config" in loaded
    assert not loaded & {"numpy", "pydantic", "orchestrator.client", "rich.console", "boto3", "kubernetes"}


def test_version(mlctl):
    done = mlctl("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("mlctl 0.")
