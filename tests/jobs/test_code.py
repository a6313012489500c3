"""Code may be in a bucket: it is kept with the version as it was at the submit, whatever becomes of the prefix."""

import pytest

from orchestrator.config import get_context
from orchestrator.errors import PreflightError
from orchestrator.runtime.status import State
from orchestrator.store import open_store


@pytest.fixture
def remote(request, project, tmp_path):
    """Give a function that puts the project's code beside the context's store, and the URL of it there."""
    url = get_context().store.rpartition("/")[0] + "/remote-" + tmp_path.name

    def put() -> None:
        open_store(url).put("main.py", (project.folder / "code" / "main.py").read_bytes())

    put()
    return put, url


@pytest.mark.parametrize("each_store", ["bucket"], indirect=True)
def test_code_in_a_bucket(each_store, project, remote):
    put, url = remote
    project.script("print('first', os.path.basename(os.path.dirname(__file__)))")
    put()
    first = project.run(code=url + "/")
    assert first.status.state is State.SUCCEEDED
    assert project.log(first) == f"first {url.rpartition('/')[2]}\n".encode()
    assert first.record.spec["code"] == url + "/"
    project.script("print('second')")
    put()
    second = project.run()
    assert project.log(second) == b"second\n"
    assert first.record.code.sha256 != second.record.code.sha256
    (project.folder / "code" / "other.py").write_text("")
    same = project.client.jobs.plan(project.write(code="./code"))
    assert same.code.manifest.files == 2
    (project.folder / "code" / "other.py").unlink()
    assert project.client.jobs.plan(project.spec).code.sha256 == second.record.code.sha256
    open_store(url).delete(["main.py"])
    with pytest.raises(PreflightError, match=f"nothing below {url}/"):
        project.create(code=url)
    assert open_store(get_context().store, get_context()).head(first.record.code.key)


@pytest.mark.parametrize("each_store", ["bucket"], indirect=True)
def test_the_boot_file_is_looked_for_before_anything_is_submitted(each_store, project, remote):
    with pytest.raises(PreflightError, match=rf"no boot_file mian.py in {remote[1]}") as caught:
        project.create(code=remote[1], boot_file="mian.py")
    assert "did you mean main.py?" in caught.value.message
    with pytest.raises(PreflightError, match=r"there is no bucket nobody-has-it"):
        project.create(code="s3://nobody-has-it/code/")
    assert project.client.jobs.list() == []


def test_code_in_a_folder_by_its_url(each_store, project):
    project.script("print('by url')")
    view = project.run(code=(project.folder / "code").as_uri())
    assert project.log(view) == b"by url\n"
