"""Metrics are gathered from log, files and calls as they grow, by one process or by several after each other."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tensorboardX import SummaryWriter

from orchestrator.metrics.patterns import Measures
from orchestrator.metrics.table import Table
from orchestrator.runtime.events.sources import FolderSource
from orchestrator.runtime.guests import guest_folder
from orchestrator.runtime.measure.gather import Gatherer
from orchestrator.runtime.task import Workspace

MEASURES = Measures(styles=("mxnet", "steps", "keras"), patterns={"right": r"right: (\S+)"}, total=10, unit="step")


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path)
    made.make()
    return made


def gatherer(workspace, table=None, **changes):
    return Gatherer(MEASURES, workspace, table=table, **changes)


def say(workspace, text):
    with workspace.log.open("a") as log:
        log.write(text)


def values(table, name):
    series = table.find(name)
    return [(point.step, point.value) for point in series.points] if series else None


def test_a_line_counts_when_it_is_whole(workspace):
    one = gatherer(workspace)
    files = FolderSource(workspace.output)
    assert not one.gather(files)
    say(workspace, "step=1 loss=0.5\nstep=2 lo")
    assert one.gather(files)
    say(workspace, "ss=0.25\nstep=3 loss=0.1")
    one.gather(files)
    assert values(one.table, "loss") == [(1, 0.5), (2, 0.25)]
    one.gather(files, ended=True)
    assert values(one.table, "loss") == [(1, 0.5), (2, 0.25), (3, 0.1)]
    assert one.table.progress.done == 3


def test_another_process_goes_on_where_one_was_killed(workspace):
    files = FolderSource(workspace.output)
    lines = ["Epoch 1/2\n", "9/9 - 1s - loss: 0.5\n", "Epoch 2/2\n", "9/9 - 1s - loss: 0.4\n", "right: 1\nright: 2\n"]
    table = None
    for line in lines:
        say(workspace, line)
        one = gatherer(workspace, table)
        one.gather(files)
        table = msgspec.json.decode(msgspec.json.encode(one.table), type=Table)
        # What it had read and not told yet is read again, and counts once.
        one.gather(files)
    assert values(table, "loss") == [(1, 0.5), (2, 0.4)]
    assert values(table, "right") == [(0, 1.0), (1, 2.0)]


def test_files_and_calls(workspace, monkeypatch):
    with SummaryWriter(str(workspace.output / "eval"), filename_suffix="a") as writer:
        for step in (1, 2):
            writer.add_scalar("accuracy", step / 4, step, walltime=1000.0 + step)
        writer.add_text("note", "no number")
    (workspace.output / "metrics.jsonl").write_text('{"step": 4, "loss": 0.5}\nnonsense\n{"step": 5, "loss": NaN}\n')
    program = "import mlctl, numpy; mlctl.log(loss=numpy.array([[0.25]]), step=7); mlctl.log(speed=3)"
    environment = {"PYTHONPATH": str(guest_folder("metrics")), "MLCTL_METRICS": str(workspace.calls)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    one = gatherer(workspace)
    one.gather(FolderSource(workspace.output))
    one.gather(FolderSource(workspace.output), ended=True)
    assert values(one.table, "eval/accuracy") == [(1, 0.25), (2, 0.5)]
    assert one.table.find("eval/accuracy").last.time == 1002.0
    assert values(one.table, "loss") == [(7, 0.25)]
    assert [step for step, _ in values(one.table, "file:loss")] == [4, 5]
    assert values(one.table, "speed") == [(0, 3.0)]
    assert any("metrics.jsonl: line 2 behind byte 0 is passed over" in note for note in one.table.notes)
    assert one.table.progress.done == 7


def test_calls_without_mlctl_do_nothing_and_wrong_ones_are_refused(workspace):
    program = "import mlctl; mlctl.log(loss=1)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(guest_folder("metrics"))}, check=True)
    environment = {"PYTHONPATH": str(guest_folder("metrics")), "MLCTL_METRICS": str(workspace.calls)}
    for value, shown in (("'high'", "'high'"), ("numpy.array([1, 2])", "array([1, 2])")):
        command = [sys.executable, "-c", f"import mlctl, numpy; mlctl.log(loss={value})"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert f"TypeError: mlctl.log takes numbers, and loss is {shown}" in done.stderr
    assert not workspace.calls.exists()


def test_event_files_that_grow_and_one_that_is_damaged(workspace):
    writer = SummaryWriter(str(workspace.output))
    one = gatherer(workspace)
    files = FolderSource(workspace.output)
    for step in range(3):
        writer.add_scalar("loss", 1 / (step + 1), step)
        writer.flush()
        one.gather(files, ended=True)
    writer.close()
    one.gather(files, ended=True)
    assert [step for step, _ in values(one.table, "loss")] == [0, 1, 2]
    (workspace.output / "events.out.tfevents.9").write_bytes(b"no record at all, but many bytes")
    one.gather(files, ended=True)
    assert [note for note in one.table.notes if "damaged" in note] != []
    assert [step for step, _ in values(one.table, "loss")] == [0, 1, 2]


def test_a_half_written_event_waits_for_its_other_half(workspace):
    with SummaryWriter(str(workspace.folder / "elsewhere")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    data = next(Path(workspace.folder / "elsewhere").iterdir()).read_bytes()
    target = workspace.output / "events.out.tfevents.1"
    one = gatherer(workspace)
    for end in (1, len(data) - 3, len(data)):
        target.write_bytes(data[:end])
        one.gather(FolderSource(workspace.output), ended=True)
    assert values(one.table, "loss") == [(1, 0.5)]


def test_a_pattern_that_finds_nothing_is_named_at_the_end(workspace):
    one = gatherer(workspace)
    one.gather(FolderSource(workspace.output), ended=True)
    assert one.table.notes == [r"no line of the log has a number for `right`: its pattern is right: (\S+)"]


def test_what_the_script_uses_is_sampled_and_other_workers_have_only_that(workspace):
    say(workspace, "step=1 loss=0.5\n")
    one = gatherer(workspace, sample=lambda: {"cpu": 1.5, "memory": 1e9}, reads=False)
    one.gather(FolderSource(workspace.output))
    assert set(one.table.named()) == {"cpu", "memory"}
    assert one.table.summaries() == {}


def test_a_line_without_end_does_not_fill_the_memory(workspace):
    say(workspace, "x" * 200_000)
    one = gatherer(workspace)
    one.gather(FolderSource(workspace.output))
    assert one.table.read["log"] == 200_000
