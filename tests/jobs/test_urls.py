"""Data mode `url`: scripts that read and write the bucket themselves, as with `mox.file`."""

import json
from pathlib import Path

import pytest

from orchestrator import config
from tests.buckets import Bucket
from tests.jobs.conftest import LONGEST, Project
from tests.store.proxy import at_random, open_proxy

SCRIPT = """
    import moxing as mox
    mox.file.copy_parallel(data_url, 'data')
    text = open('data/a/words').read()
    mox.file.write(train_url + 'model/upper', text.upper())
    mox.file.make_dirs(train_url + 'empty')
    mox.file.write(train_url.replace('output', 'aside') + 'not-output', 'other')
    names = ('S3_ENDPOINT', 'S3_USE_HTTPS', 'AWS_ACCESS_KEY_ID', 'ACCESS_KEY_ID', 'ENDPOINT_URL')
    print(json.dumps([data_url, train_url, mox.file.list_directory(train_url), {n: os.environ[n] for n in names}]))
"""


@pytest.fixture
def in_bucket(project: Project, bucket_url: str, s3: Bucket) -> Project:
    """Give the project in a context with a bucket."""
    config.add_context(config.Context(name="lab", store=bucket_url, endpoint=s3.endpoint))
    config.use_context("lab")
    (project.folder / "data" / "a").mkdir(parents=True)
    (project.folder / "data" / "a" / "words").write_text("some words")
    return project


def test_what_a_script_writes_to_its_bucket_is_the_output(
    in_bucket: Project, bucket_url: str, s3: Bucket, tmp_path: Path
):
    in_bucket.script("import json\n" + SCRIPT.replace("\n    ", "\n"))
    view = in_bucket.run(data="./data", data_mode="url")
    assert view.status.state == "SUCCEEDED", in_bucket.log(view)
    data_url, train_url, names, environment = json.loads(in_bucket.log(view))
    assert data_url == f"{bucket_url}/datasets/demo-data/V0001/files/"
    assert train_url == f"{bucket_url}/jobs/{view.name}/V0001/output/"
    assert names == ["empty", "model"]
    key = s3.environment["AWS_ACCESS_KEY_ID"]
    assert environment == {
        "S3_ENDPOINT": s3.endpoint.partition("://")[2],
        "S3_USE_HTTPS": str(int(s3.endpoint.startswith("https"))),
        "ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "ACCESS_KEY_ID": key,
    }
    output = in_bucket.client.jobs.pull_outputs(view.name, view.version, tmp_path / "pulled")
    assert [(entry.path, entry.size) for entry in output.manifest.entries] == [("model/upper", 10)]
    assert (tmp_path / "pulled" / "model" / "upper").read_text() == "SOME WORDS"
    assert (view.status.output_files, view.status.output_complete) == (1, True)


def test_what_a_failed_script_wrote_is_kept(in_bucket: Project):
    in_bucket.script("import moxing as mox\nmox.file.write(train_url + 'half', 'text')\nsys.exit(3)")
    view = in_bucket.run(data_mode="url")
    assert (view.status.state, view.status.exit_code) == ("FAILED", 3)
    output = in_bucket.client.jobs.outputs(view.name)
    assert [entry.path for entry in output.manifest.entries] == ["half"] and not output.complete


def test_scripts_with_folders_may_use_the_bucket_too(in_bucket: Project, bucket_url: str):
    in_bucket.script(f"""
import moxing.mxnet as mox
mox.file.write('{bucket_url}/shared/note', 'text')
mox.file.copy('{bucket_url}/shared/note', os.path.join(train_url, 'model', 'note'))
""")
    view = in_bucket.run()
    assert view.status.state == "SUCCEEDED", in_bucket.log(view)
    assert [entry.path for entry in in_bucket.client.jobs.outputs(view.name).manifest.entries] == ["model/note"]


def test_a_script_survives_a_bad_network(in_bucket: Project, own_s3: Bucket, bucket_url: str):
    with open_proxy(own_s3.endpoint) as proxy:
        config.add_context(config.Context(name="worse", store=bucket_url, endpoint=proxy.endpoint))
        config.use_context("worse")
        in_bucket.script("import json\n" + SCRIPT.replace("\n    ", "\n"))
        view = in_bucket.create(data="./data", data_mode="url")
        proxy.rule = at_random(0.1, 3, ("500", "503", "reset", "truncated"))
        view = in_bucket.client.jobs.wait(view.name, view.version, timeout=LONGEST)
        proxy.rule = lambda _request: None
        assert view.status.state == "SUCCEEDED", in_bucket.log(view)
        assert proxy.done


def test_urls_need_a_bucket(in_bucket: Project):
    in_bucket.script("")
    (problem,) = in_bucket.client.jobs.plan(in_bucket.write(data_mode="url", output="./here")).problems
    assert "this output is a folder" in problem.message


def test_metrics_that_a_script_writes_to_its_bucket(in_bucket: Project):
    in_bucket.script(
        "import moxing as mox\nmox.file.write(train_url + 'metrics.jsonl', '{\"step\": 3, \"loss\": 0.5}\\n')"
    )
    view = in_bucket.run(data_mode="url")
    assert view.status.metrics["loss"].last.value == 0.5
