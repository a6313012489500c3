"""Jobs on a cluster that bring packages in pip-requirements.txt."""

import os
from pathlib import Path

import pytest

from orchestrator.runtime.status import Reason, State
from tests.engines.conftest import make_wheel
from tests.jobs.conftest import project
from tests.kubernetes.test_jobs import Lab, lab

__all__ = ["lab", "project"]


@pytest.fixture
def asking(lab: Lab) -> Lab:
    """Give a lab whose jobs bring their packages along."""
    wheels = lab.folder / "code" / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "beta")
    lab.write(env={"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull})
    return lab


def ask(lab: Lab, text: str) -> None:
    Path(lab.folder, "code", "pip-requirements.txt").write_text(text)


def test_a_pod_installs_them_before_the_script(asking: Lab) -> None:
    asking.script("import beta; print(beta.version)")
    ask(asking, "--find-links ./wheels\nbeta\n")
    view = asking.run()
    said = asking.log(view).decode()
    assert view.status.state is State.SUCCEEDED, said
    assert said.startswith("mlctl: installing") and said.endswith(
        "mlctl: the packages of pip-requirements.txt are there\n1.0\n"
    )


def test_what_a_pod_cannot_install_is_the_reason_of_its_end(asking: Lab) -> None:
    ask(asking, "nowhere\n")
    view = asking.run()
    assert (view.status.state, view.status.reason) == (State.FAILED, Reason.REQUIREMENTS_FAILED)
    assert "nowhere" in view.status.message and f"mlctl logs demo -v {view.version}" in view.status.hint


def test_an_index_that_a_pod_does_not_reach_is_told_as_such(asking: Lab) -> None:
    index = "http://127.0.0.1:1/simple"
    asking.write(env={"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_RETRIES": "1"})
    ask(asking, "nowhere\n")
    view = asking.run()
    assert view.status.reason is Reason.REQUIREMENTS_FAILED
    assert "No matching distribution found for nowhere (the index did not answer: " in view.status.message
    assert "Connection refused" in view.status.message
