"""An engine that is nothing but Python, so that only mlctl's own time counts."""

import os
import sys
from pathlib import Path

ENGINE = """\
name: bare
framework: Python
version: "1"
description: Nothing but Python, so that only mlctl's own time counts.
python: ["{version}"]
images: {{cpu: example/bare, gpu: example/bare}}
"""


def use_bare_engine(folder: Path) -> None:
    """Make the engine `bare` below a folder, and have mlctl find it."""
    engine = folder / "engines" / "bare"
    engine.mkdir(parents=True)
    (engine / "engine.yaml").write_text(ENGINE.format(version=f"{sys.version_info.major}.{sys.version_info.minor}"))
    (engine / "requirements.txt").write_text("")
    os.environ["MLCTL_ENGINES"] = str(engine.parent)
