"""What is said of a sweep before it begins."""

import pytest

from orchestrator.config import home_dir
from orchestrator.errors import PreflightError


def test_it_may_cost_what_all_trials_may(sweeping):
    home_dir().mkdir(exist_ok=True)
    (home_dir() / "prices.yaml").write_text("{currency: EUR, cpu: 10, local: true}")
    plan = sweeping.client.sweeps.plan(sweeping.write())  # four trials of an hour each
    assert plan.at_most == pytest.approx(4 * plan.job.budget.at_most) and plan.at_most > 0
    assert sweeping.client.sweeps.plan(sweeping.write(budget={"max_cost": 7})).at_most == 7


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"algorithm": "random", "budget": {"trials": 9}}, "has 4 points, so of 9 trials some will be the same"),
        ({"algorithm": "anneal_search", "parameters": {"rate": [0.1, 0.2]}, "budget": {"trials": 1}}, "rate will be"),
    ],
)
def test_what_a_search_space_makes_pointless_is_said(sweeping, fields, said):
    def warnings(**fields):
        return " ".join(sweeping.client.sweeps.plan(sweeping.write(**fields)).job.warnings)

    assert said in warnings(**fields)
    assert said not in warnings()


def test_the_file_to_correct_is_the_sweeps_or_the_jobs(sweeping):
    path = sweeping.write(parameters={"rat": [1, 2]})
    with pytest.raises(PreflightError, match="does not declare --rat") as error:
        sweeping.client.sweeps.plan(path).require_possible()
    assert error.value.hint == f"correct {path} or {path.with_name('job.yaml')} and run it again"
