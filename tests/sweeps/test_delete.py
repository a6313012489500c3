"""Deleted sweeps: what goes, what stays, and what is refused."""

import pytest

from orchestrator.config import home_dir
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.store.base import list_objects

SAVES_A_MODEL = """
    import os
    if arguments.rate == 0.3:
        os.makedirs(arguments.train_url + "model")
        open(arguments.train_url + "model/weights", "w").write("0")
        open(arguments.train_url + "model/config.json", "w").write('{"model_type": "Image", "model_algorithm": "x"}')
    measure(1, accuracy=arguments.rate)
"""


def test_a_sweep_goes_its_trials_stay_and_its_number_is_taken(sweeping):
    record = sweeping.run(parameters={"rate": [0.1, 0.3]}).record
    done = sweeping.client.sweeps.delete("rates")
    assert (done.sweeps, done.jobs, done.trials, done.kept) == (["rates/V0001"], ["demo"], [], {})
    assert sweeping.client.sweeps.list() == []
    with pytest.raises(NotFoundError, match="all versions of sweep rates were deleted"):
        sweeping.client.sweeps.get("rates")
    with pytest.raises(NotFoundError, match="all versions of sweep rates were deleted"):
        sweeping.client.sweeps.delete("rates")
    assert [item.key for item in list_objects(sweeping.client.store, "sweeps/")] == [record.prefix + "sweep.json"]
    assert not any((home_dir() / "sweeps").iterdir())
    assert [job.version for job in sweeping.client.jobs.list("demo")] == ["V0002", "V0001"]
    # The very same again is another sweep: it takes no trial of the first for its own.
    again = sweeping.run(parameters={"rate": [0.1, 0.3]})
    assert again.record.version == "V0002"
    assert [trial.version for trial in again.trials] == ["V0003", "V0004"]


def test_with_its_trials_but_for_those_that_models_are_made_of(sweeping):
    sweeping.run(parameters={"rate": [0.1]})
    sweeping.script(SAVES_A_MODEL)
    sweeping.run(parameters={"rate": [0.1, 0.3]})
    sweeping.client.model_of("demo", "V0003")
    done = sweeping.client.sweeps.delete("rates", "v2", trials=True)
    assert (done.sweeps, done.trials) == (["rates/V0002"], ["demo/V0002"])
    assert list(done.kept) == ["demo/V0003"]
    assert [job.version for job in sweeping.client.jobs.list("demo")] == ["V0003", "V0001"]
    assert sweeping.client.sweeps.get("rates").record.version == "V0001"
    with pytest.raises(NotFoundError, match="sweep rates/V0002 was deleted; its latest is V0001"):
        sweeping.client.sweeps.get("rates", "v2")


def test_one_that_has_not_ended_is_refused(sweeping):
    sweeping.script("time.sleep(600)")
    sweeping.create()
    sweeping.wait_for_trials(2)
    with pytest.raises(ConflictError, match="rates/V0001 is RUNNING and cannot be deleted") as error:
        sweeping.client.sweeps.delete("rates")
    assert error.value.hint == "mlctl sweep stop rates/V0001"
    sweeping.kill()
    with pytest.raises(ConflictError, match="is INTERRUPTED and cannot be deleted"):  # its trials run
        sweeping.client.sweeps.delete("rates", trials=True)
    sweeping.client.sweeps.stop("rates")
    assert sweeping.client.sweeps.delete("rates", trials=True).trials == ["demo/V0001", "demo/V0002"]
    assert sweeping.client.jobs.list() == []
