"""A shell in a pod, and what it uses."""

import os
from pathlib import Path

import pytest

from orchestrator.errors import ConflictError
from tests.jobs.conftest import project
from tests.kubernetes.test_jobs import Lab, lab

__all__ = ["lab", "project"]


def test_a_shell_is_in_the_script_s_container(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    lab.script("print('begun', flush=True); time.sleep(60)")
    view = lab.create()
    lab.wait_for_log(view, b"begun\n")
    lab.wait_for_state(view, "RUNNING")
    argv = lab.client.jobs.session("demo", command=["ls"], terminal=False).argv
    (pod,) = [word for word in argv if word.startswith("demo-v0001-")]
    assert argv[argv.index(pod) :][:3] == [pod, "--container", "main"] and argv[-1] == "ls"
    with pytest.raises(ConflictError, match="worker 1 of demo/V0001 does not run"):
        lab.client.jobs.session("demo", worker=1)
    (used,) = lab.client.jobs.top()
    assert used.usage is None and used.cpus, "there is no metrics server"
    lab.client.jobs.cancel("demo")
