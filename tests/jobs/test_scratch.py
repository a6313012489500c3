"""Scratch space: /cache, and DLS_LOCAL_CACHE_PATH."""

import os
from pathlib import Path

import pytest

from orchestrator.runtime.status import State
from tests.jobs.conftest import Project

WRITE = """
    cache = os.environ['DLS_LOCAL_CACHE_PATH']
    print(os.listdir(cache))
    open(cache + '/mine', 'w').close()
    print(os.path.exists('/cache/mine'))
    """


def test_each_script_has_its_own(project: Project):
    project.script(WRITE)
    for _ in range(2):
        view = project.run()
        assert view.status.state is State.SUCCEEDED
        assert project.log(view).splitlines()[0] == b"[]"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_where_root_runs_it_that_is_what_the_script_sees_as_cache(project: Project):
    project.script(WRITE)
    before = set(Path("/cache").iterdir()) if Path("/cache").exists() else set()
    view = project.run()
    assert project.log(view).splitlines()[1] == b"True"
    assert Path("/cache/mine") not in set(Path("/cache").iterdir()) - before
