"""A person sees the curve: TensorBoard's page in a real browser, of events that TensorBoard's own writer wrote."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.engines.catalog import engine_folders
from tests.jobs.conftest import ENGINE
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

POINTS = 25
PATIENCE = 20_000  # milliseconds of the page's own time
CURVE = re.compile(r'<path d="M([^"]+)" style="fill: none; stroke: [^"]*opacity: 0.25')  # as it is, not smoothed


def page(url: str, profile: Path) -> str:
    """Return what a browser has made of a page, its curves drawn as SVG."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("there is no chromium: apt install chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-3d-apis", f"--user-data-dir={profile}"]
    command = [browser, *options, f"--virtual-time-budget={PATIENCE}", "--window-size=1400,1000", "--dump-dom", url]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=180, check=True).stdout


def test_the_loss_curve_is_drawn(project, open_board, tmp_path):
    engine = Path(os.environ["MLCTL_ENGINES"], "board-1")
    engine.mkdir()
    (engine / "engine.yaml").write_text(ENGINE.replace("plain-1", "board-1"))
    shutil.copy(engine_folders()[-1] / "tensorboard" / "requirements.txt", engine)
    project.script(f"""
        from tensorboard.summary import Writer
        writer = Writer(train_url)
        for step in range({POINTS}):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.close()
    """)
    assert project.run(engine="board-1").status.state == "SUCCEEDED"
    shown = open_board("demo", "--port", "0")
    wait_until(lambda: len(shown.steps("V0001")) == POINTS)
    drawn = page(f"{shown.url}#timeseries", tmp_path / "browser")
    assert "V0001" in drawn and 'title="loss"' in drawn
    (curve,) = CURVE.findall(drawn)
    points = [tuple(map(float, point.split(","))) for point in curve.split("L")]
    assert len(points) == POINTS
    # The page's scale is whatever it likes; on it, the curve is that of 1 / (step + 1).
    (x0, y0), (x1, y1) = points[0], points[-1]
    for step, (x, y) in enumerate(points):
        assert (x - x0) / (x1 - x0) == pytest.approx(step / (POINTS - 1), abs=0.01)
        assert (y0 - y) / (y0 - y1) == pytest.approx((1 - 1 / (step + 1)) / (1 - 1 / POINTS), abs=0.01)
