"""The page about a sweep: one file, whatever is in it, and what a browser makes of it."""

import re
import shutil
import subprocess

import pytest

from orchestrator.jobs.record import JobRecord
from orchestrator.sweeps.record import SweepRecord, SweepState, SweepStatus, Trial, TrialState
from orchestrator.sweeps.report import report, write_report
from orchestrator.sweeps.view import SweepView

HOSTILE = "</script><script>document.title = 'taken'</script><b>&amp;"
SPEC = {
    "name": "rates",
    "job": "job.yaml",
    "parameters": {"kind": ["a", HOSTILE], "rate": {"float": [0.001, 1], "log": True}},
    "objective": {"metric": "accuracy"},
    "budget": {"trials": 4},
}


@pytest.fixture
def view() -> SweepView:
    template = JobRecord(name="demo", number=0)
    record = SweepRecord(
        name="rates", number=1, digest="", created=1e9, author="me", spec=SPEC, goal="maximize", template=template
    )
    trials = [
        Trial(number=n, parameters={"kind": kind, "rate": 10.0**-n}, state=state, value=value, version=f"V000{n}")
        for n, kind, state, value in [
            (1, "a", TrialState.SUCCEEDED, 0.5),
            (2, HOSTILE, TrialState.SUCCEEDED, 0.9),
            (3, "a", TrialState.FAILED, None),
            (4, "a", TrialState.PRUNED, 0.1),
        ]
    ]
    return SweepView(record=record, status=SweepStatus(state=SweepState.SUCCEEDED), trials=trials)


def test_the_page_asks_nobody_and_is_not_taken_over(view):
    page = report(view)
    assert HOSTILE not in page and page.count("</script>") == 2
    assert re.findall(r"https?://[^\"' ]+", page) == ["http://www.w3.org/2000/svg"]  # a name, not an address
    assert "default-src 'none'" in page


def test_a_sweep_without_any_trial_has_a_page(view):
    empty = SweepView(record=view.record, status=view.status, trials=[])
    assert '"trials":[]' in report(empty)


@pytest.mark.journey
def test_a_browser_draws_it(view, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("there is no chromium: apt install chromium")
    write_report(view, tmp_path / "page.html")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    address = (tmp_path / "page.html").as_uri()
    command = [browser, *options, "--virtual-time-budget=5000", "--dump-dom", address]
    drawn = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
    assert "<title>Sweep rates/V0001</title>" in drawn
    assert len(re.findall("<polyline", drawn)) == 4 and drawn.count('class="trial unfinished"') == 2
    assert len(re.findall("<circle", drawn)) == 2
    assert len(re.findall("<tr[ >]", drawn)) == 5  # a heading and four trials
    assert re.search(r'<tr class="best" data-trial="2"><td>2</td><td>V0002</td>', drawn)
    assert "best: trial 2: accuracy 0.9" in drawn
