"""What a script declares is read from its source, in every dialect of the walk-through's scripts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.jobs.script_args import declared_arguments, render_arguments

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--data_url', type=str)
parser.add_argument("-n", "--num_epochs", type=int, default=10)
parser.add_argument('--verbose', action='store_true')
parser.add_argument('positional')
args, unknown = parser.parse_known_args()
"""
FLAGS = """
import tensorflow as tf
tf.flags.DEFINE_integer('max_steps', 1000, 'number of steps')
flags.DEFINE_string("data_url", None, help="x")
"""
CLICK = """
import click
@click.command()
@click.option("--num-epochs", "-n", default=3)
@click.option("--shuffle/--no-shuffle", default=False)
@click.option("--fast", is_flag=True)
def main(num_epochs): ...
"""
PYTHON_2 = """
print "old"
parser.add_argument('--num_epochs', type=int)
tf.flags.DEFINE_integer('max_steps', 1000, '')
args, _ = parser.parse_known_args()
"""


def read(tmp_path, **files):
    for name, source in files.items():
        path = tmp_path / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return declared_arguments(tmp_path / "main.py", tmp_path)


def test_argparse(tmp_path):
    found = read(tmp_path, main=ARGPARSE)
    assert found.names == {"data_url", "num_epochs", "verbose"}
    assert found.switches == {"verbose"}
    assert found.tolerant


def test_tensorflow_flags(tmp_path):
    found = read(tmp_path, main=FLAGS)
    assert found.names == {"max_steps", "data_url"}
    assert not found.tolerant


def test_click(tmp_path):
    found = read(tmp_path, main=CLICK)
    assert found.names == {"num-epochs", "shuffle", "no-shuffle", "fast"}
    assert found.switches == {"fast"}


def test_python_2(tmp_path):
    found = read(tmp_path, main=PYTHON_2)
    assert found.names == {"num_epochs", "max_steps"}
    assert found.tolerant


def test_imported_modules_of_the_code_count_and_others_do_not(tmp_path):
    found = read(
        tmp_path,
        main="import os\nfrom pkg import options\nfrom helpers.more import f",
        pkg__options="p.add_argument('--a')",
        helpers__more="p.add_argument('--b')\nimport main",
        unrelated="p.add_argument('--c')",
    )
    assert found.names == {"a", "b"}


def test_moxing_declares_its_own(tmp_path):
    found = read(tmp_path, main="import moxing.tensorflow as mox\ntf.flags.DEFINE_string('data_url', '', '')")
    assert {"num_gpus", "worker_hosts", "data_url"} <= found.names


@pytest.mark.parametrize("call", ["p.add_argument('--' + name)", "flags.DEFINE_string(name, '', '')"])
def test_names_that_are_made_when_it_runs_are_not_known(tmp_path, call):
    found = read(tmp_path, main=f"p.add_argument('--rate')\nfor name in ('data_url', 'train_url'): {call}\n")
    assert (found.names, found.computed) == ({"rate"}, True)
    assert not read(tmp_path, main="p.add_argument('--rate', '-r')\nflags.DEFINE_string('x', text, text)").computed


def test_nothing_declared_means_nothing_known(tmp_path):
    assert not read(tmp_path, main="import sys; print(sys.argv)").names


def test_rendering(tmp_path):
    declared = read(tmp_path, main=ARGPARSE)
    parameters = {"num_epochs": 3, "lr": 0.001, "verbose": True, "other": True, "text": "a b='c'", "empty": ""}
    assert render_arguments(parameters, declared) == [
        "--num_epochs=3", "--lr=0.001", "--verbose", "--other=True", "--text=a b='c'", "--empty=",
    ]  # fmt: skip
    assert render_arguments({"verbose": False}, declared) == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_source_is_read_without_an_error(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("code")
    (folder / "main.py").write_text(source, encoding="utf-8")
    declared_arguments(folder / "main.py", folder)


def test_a_script_that_is_started_declares_for_the_one_that_starts_it(tmp_path):
    start = "import runpy, os\nrunpy.run_path(os.environ['DLS_APP_URL'] + 'train.py', run_name='__main__')\n"
    train = "p.add_argument('--save-model', action='store_true')\np.parse_args()"
    declared = read(tmp_path, main=start, train=train, other="p.add_argument('--other')")
    assert declared.names == declared.switches == {"save-model"}
    assert read(tmp_path, main="print('see train.py')", train=train).names == set()
