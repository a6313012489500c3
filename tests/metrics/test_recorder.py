"""Readings become a table, and tell how far the script is."""

from orchestrator.metrics.lines import Readings
from orchestrator.metrics.recorder import MOST_SERIES, Recorder
from orchestrator.metrics.table import Table


def said(*values, **told):
    readings = Readings()
    for key, value in told.items():
        setattr(readings, key, value)
    for value in values:
        readings.column("loss").values.append(value)
        readings.column("loss").steps.append(None)
    return readings


def test_goals_are_those_of_the_spec_or_guessed():
    table = Table()
    recorder = Recorder(table, {"distance": "minimize"})
    for name in ("distance", "loss", "accuracy"):
        recorder.record("log", name, 1, 5.0, 0.5)
    goals = {each.name: (each.goal, each.guessed) for each in table.series}
    assert goals == {
        "distance": ("minimize", False),
        "loss": ("minimize", True),
        "accuracy": ("maximize", True),
    }


def test_what_has_no_step_is_counted():
    table = Table()
    recorder = Recorder(table, {})
    for value in (1.0, 2.0):
        recorder.record("log", "a", None, 0.0, value)
    assert [point.step for point in table.series[0].points] == [0, 1]


def test_progress_by_epochs():
    table = Table()
    recorder = Recorder(table, {}, 4, "epoch")
    for epochs, time in ((1, 100.0), (2.5, 115.0), (2, 116.0)):
        recorder.read(said(1.0, epochs=[epochs]), time)
    assert (table.progress.done, table.progress.share, table.progress.remaining) == (2.5, 0.625, 15.0)


def test_a_clock_that_goes_backwards_harms_nothing():
    table = Table()
    recorder = Recorder(table, {}, 10, "step")
    recorder.read(said(1.0, steps=[1]), 100.0)
    recorder.read(said(0.5, steps=[2]), 50.0)
    assert table.progress.done == 2
    assert table.progress.remaining is None
    assert [point.value for point in table.series[0].points] == [1.0, 0.5]


def test_a_script_that_begins_again_is_timed_anew():
    table = Table()
    recorder = Recorder(table, {}, 10, "step")
    for steps, time in ((5, 0.0), (9, 40.0), (2, 100.0), (4, 110.0)):
        recorder.advance("log", steps, time)
    assert (table.progress.done, table.progress.remaining) == (4, 30.0)


def test_a_framework_that_says_how_many_epochs_there_are():
    table = Table()
    Recorder(table, {}).read(said(epochs=[2], of=8), 0.0)
    assert table.progress.share == 0.25
    assert table.series == []


def test_another_process_knows_what_the_log_said_of_epochs():
    table = Table()
    Recorder(table, {}).read(said(epochs=[2], of=8), 0.0)
    Recorder(table, {}).read(said(epochs=[4]), 10.0)
    assert (table.progress.share, table.progress.remaining) == (0.5, 20.0)


def test_a_flood_of_names_is_cut_and_said():
    table = Table()
    recorder = Recorder(table, {})
    for number in range(MOST_SERIES + 50):
        recorder.record("file", f"m{number}", 0, 0.0, 1.0)
    assert len(table.series) == MOST_SERIES
    assert "only the first" in table.notes[0]
