"""`moxing.tensorflow` in its two engines: small regressions whose answers are known."""

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from orchestrator.engines import ensure_environment, get_engine
from orchestrator.store.serve import free_ports
from tests.guest.conftest import Beside
from tests.guest.pythons import GUESTS

pytestmark = pytest.mark.journey

ENGINES = ("moxing-1.15", "moxing-2")
TIMEOUT = 300  # seconds

# y = 2 * x + 1, learned by one weight and one bias, of which nothing is by chance.
HEADER = """
import glob, os, sys, time
import numpy as np
import tensorflow.compat.v1 as tf
import moxing.tensorflow as mox

here = os.getcwd()
seen = []

def input_fn(run_mode, **kwargs):
    def samples():
        number = 0
        while run_mode == mox.ModeKeys.TRAIN or number < 10:
            number += 1
            yield np.float32([number % 4]), np.float32(2 * (number % 4) + 1)
    data = tf.data.Dataset.from_generator(samples, (tf.float32, tf.float32), ([1], []))
    return data.make_one_shot_iterator().get_next()

def model_fn(inputs, run_mode, **kwargs):
    x, y = inputs
    w = tf.get_variable('w', [1], initializer=tf.zeros_initializer())
    b = tf.get_variable('b', [], initializer=tf.zeros_initializer())
    guess = tf.reduce_sum(x * w, axis=1) + b
    loss = tf.reduce_mean(tf.square(guess - y))
    export = mox.ExportSpec({'x': x}, {'guess': guess}, version='model')
    return mox.ModelSpec(loss=loss, log_info={'loss': loss}, output_info={'guess': guess}, export_spec=export)

def train(**more):
    fixed = dict(input_fn=input_fn, model_fn=model_fn, run_mode=mox.ModeKeys.TRAIN, batch_size=4)
    fixed['optimizer_fn'] = mox.get_optimizer_fn('sgd', learning_rate=0.05)
    mox.run(**dict(fixed, **more))
"""


class Lab:
    """Runs scripts in an engine."""

    def __init__(self, name: str, folder: Path) -> None:
        self.engine = get_engine(name)
        self.folder = folder
        self.python = ensure_environment(self.engine)
        folder.mkdir()

    def command(self, source: str, *arguments: str) -> list[str | Path]:
        (self.folder / "script.py").write_text(HEADER + textwrap.dedent(source))
        return [self.python, self.folder / "script.py", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        fixed = {"PYTHONPATH": str(GUESTS / "moxing"), "PYTHONDONTWRITEBYTECODE": "1"}
        return os.environ | self.engine.env | fixed | more

    def run(self, source: str, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            self.command(source, *arguments),
            env=self.environment(**environment),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(params=ENGINES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return Lab(request.param, tmp_path / "lab")


def test_training_logs_saves_and_exports(lab: Lab):
    text = lab.run("""
        export = mox.ExportKeys.TF_SERVING
        train(log_dir=here + '/log', max_number_of_steps=60, save_summary_steps=20, export_model=export)
        with tf.Graph().as_default(), tf.Session() as session:
            model = tf.saved_model.loader.load(session, ['serve'], here + '/log/model')
            for name in ('predict_object', 'serving_default'):
                one = model.signature_def[name]
                (guess,) = session.run([one.outputs['guess'].name], {one.inputs['x'].name: [[10.0]]})
                assert abs(guess[0] - 21) < 0.5, guess
            assert not [op for op in session.graph.get_operations() if 'Iterator' in op.type or 'PyFunc' in op.type]
        (events,) = glob.glob(here + '/log/events*')
        steps = {event.step for event in tf.train.summary_iterator(events) if event.summary.value}
        steps = sorted(steps)
        gaps = [after - before for before, after in zip(steps, steps[1:])]
        # TensorFlow reads the step while another operation counts it, so it may be a step early.
        assert steps[0] == 1 and len(gaps) > 1 and set(gaps) <= {19, 20}, steps
    """)
    lines = re.findall(
        r"^INFO:tensorflow:step: (\d+)\(global step: (\d+)\)\tsample/sec: [\d.]+\tloss: ([\d.]+)$", text, re.M
    )
    assert [(int(step), int(overall)) for step, overall, _ in lines] == [(n, n) for n in range(10, 61, 10)]
    assert float(lines[-1][2]) < float(lines[0][2])
    names = {path.name for path in (lab.folder / "log").iterdir()}
    assert {"checkpoint", "model.ckpt-0.index", "model.ckpt-60.index", "model"} <= names


def test_it_goes_on_with_a_checkpoint_evaluates_and_predicts(lab: Lab):
    text = lab.run("""
        train(log_dir=here + '/log', max_number_of_steps=30, log_every_n_steps=0)
        train(log_dir=here + '/log', max_number_of_steps=60, log_every_n_steps=10)
        train(log_dir=here + '/log', max_number_of_steps=60, log_every_n_steps=1)  # is over at once
        train(log_dir=here + '/other', checkpoint_path=here + '/log', max_number_of_steps=1, log_every_n_steps=1)
        common = dict(input_fn=input_fn, model_fn=model_fn, batch_size=4, checkpoint_path=here + '/log')
        means = mox.run(run_mode=mox.ModeKeys.EVAL, log_every_n_steps=0, **common)
        assert set(means) == {'loss'} and means['loss'] < 0.5, means
        mox.run(run_mode=mox.ModeKeys.PREDICT, output_fn=seen.append, output_every_n_steps=2, **common)
        assert [[len(one['guess']) for one in outputs] for outputs in seen] == [[4, 4], [2]], seen
        assert abs(seen[0][0]['guess'][0] - 3) < 1
        mox.run(run_mode=mox.ModeKeys.EXPORT, log_dir=here + '/export', **common)
        assert os.path.exists(here + '/export/model/saved_model.pb')
    """)
    lines = re.findall(r"step: (\d+)\(global step: (\d+)\)\tsample/sec: [\d.]+\tloss: ([\d.]+)", text)
    assert [(int(step), int(overall)) for step, overall, _ in lines] == [(10, 40), (20, 50), (30, 60), (1, 1)]
    assert float(lines[-1][2]) < 0.5  # it began with what the first had learned


def test_two_devices_learn_as_one_with_a_batch_twice_as_large(lab: Lab):
    source = "train(log_dir=None, max_number_of_steps=5, log_every_n_steps=5, batch_size=int(sys.argv[-1]))"
    loss = r"loss: ([\d.]+)"
    together, alone = (
        re.findall(loss, lab.run(source, gpus, size)) for gpus, size in (("--num_gpus=2", "4"), ("", "8"))
    )
    assert together == alone and len(alone) == 1


def test_a_log_dir_may_be_a_url(lab: Lab, beside: Beside):
    (lab.folder / "cache").mkdir()
    environment = beside.environment("/")
    text = lab.run(
        f"""
        url = {beside.url!r} + '/V0001/'
        train(log_dir=url, max_number_of_steps=10)
        assert not os.listdir(os.environ['DLS_LOCAL_CACHE_PATH'])
        time.sleep(1)  # events are named by the second
        train(log_dir=url, max_number_of_steps=20, export_model=mox.ExportKeys.TF_SERVING)
        common = dict(input_fn=input_fn, model_fn=model_fn, batch_size=5)
        mox.run(run_mode=mox.ModeKeys.EVAL, checkpoint_path=url, **common)
        mox.run(run_mode=mox.ModeKeys.EVAL, checkpoint_path=url + 'model.ckpt-20', max_number_of_steps=1, **common)
        """,
        **{name: value for name, value in environment.items() if name.startswith("MLCTL_")},
        DLS_LOCAL_CACHE_PATH=str(lab.folder / "cache"),
    )
    assert "step: 10(global step: 20)" in text
    held = beside.held()
    assert {"V0001/checkpoint", "V0001/model.ckpt-20.index", "V0001/model/saved_model.pb"} <= held.keys()
    assert b"model.ckpt-20" in held["V0001/checkpoint"]
    assert len([key for key in held if "events" in key]) == 2


def test_hyperparameters_are_searched(lab: Lab):
    text = lab.run("""
        def optimizer_fn(param_spec, **kwargs):
            return mox.get_optimizer_fn('momentum', param_spec.learning_rate, momentum=param_spec.momentum)()
        found = mox.auto.search(
            input_fn=input_fn, model_fn=model_fn, optimizer_fn=optimizer_fn, batch_size=4, total_steps=20,
            evaluation_total_steps=2, by_acc=False, param_spec=mox.auto.ParamSpec(learning_rate=0.001, momentum=0.0),
            param_list_spec=mox.auto.ParamSpec(learning_rate=[0.1, 100.0], momentum=[0.5]))
        assert found.learning_rate == 0.1, found
        mox.auto.run(input_fn=input_fn, model_fn=model_fn, optimizer_fn=optimizer_fn, batch_size=4,
                     param_spec=found, run_mode=mox.ModeKeys.TRAIN, max_number_of_steps=10)
        for call in (lambda: train(inter_mode='eval'), lambda: mox.auto.search(window=3), lambda: train(x=1)):
            try:
                call()
            except NotImplementedError as error:
                assert 'docs/moxing.md' in str(error)
            else:
                raise AssertionError('it is covered')
    """)
    assert "best of all: ParamSpec(learning_rate=0.1," in text


def test_workers_share_a_parameter_server(lab: Lab):
    """Two processes train one model, which a third one holds."""
    ps, first, second = (f"127.0.0.1:{port}" for port in free_ports(3))
    hosts = [f"--ps_hosts={ps}", f"--worker_hosts={first},{second}"]
    command = lab.command("train(log_dir=here + '/log', max_number_of_steps=40, log_every_n_steps=5)", *hosts)

    def start(job: str, index: int) -> "subprocess.Popen[str]":
        given = [*command, f"--job_name={job}", f"--task_index={index}"]
        return subprocess.Popen(given, env=lab.environment(), cwd=lab.folder, stderr=subprocess.PIPE, text=True)

    processes = [start("ps", 0), start("worker", 0)]
    try:
        said = [processes[1].communicate(timeout=TIMEOUT)[1]]  # it may have done all before the other begins
        processes.append(start("worker", 1))
        said.append(processes[2].communicate(timeout=TIMEOUT)[1])
        assert [process.returncode for process in processes[1:]] == [0, 0], said
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert "(global step: 40)" in said[0]
    assert re.search(r"model.ckpt-4\d", (lab.folder / "log" / "checkpoint").read_text())
