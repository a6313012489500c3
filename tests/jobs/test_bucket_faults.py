"""A whole job through a network that does not work well."""

import msgspec
import pytest

from orchestrator import config
from orchestrator.runtime.status import State
from orchestrator.store import open_store
from tests.buckets import PROFILE
from tests.jobs.conftest import LONGEST, run_of
from tests.store.proxy import at_random, open_proxy
from tests.store.trees import make_tree, read_tree
from tests.waiting import wait_until

SCRIPT = """
for name in sorted(os.listdir(data_url)):
    print(name, len(open(data_url + name).read()), flush=True)
    open(train_url + name, 'w').write(name * 1000)
"""


@pytest.mark.parametrize("rate", [0.1, pytest.param(0.3, marks=pytest.mark.journey), 0.5])
def test_a_job_from_create_to_output(project, s3, bucket_url, home, tmp_path, monkeypatch, rate):
    for name in (*s3.environment, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    keys = "".join(f"{name.lower()} = {value}\n" for name, value in s3.environment.items())
    (tmp_path / "aws-credentials").write_text(f"[{PROFILE}]\n{keys}")
    data = make_tree(project.folder / "data", {f"f{number}": "x" * number for number in range(6)})
    project.script(SCRIPT)
    with open_proxy(s3.endpoint) as proxy:
        config.add_context(config.Context(name="lab", store=bucket_url, endpoint=proxy.endpoint, profile=PROFILE))
        monkeypatch.setenv("MLCTL_CONTEXT", "lab")
        monkeypatch.setattr("orchestrator.store.s3.clients.FIRST_CONTACT", 60.0)  # a few attempts on a busy machine
        with proxy.doing(at_random(rate, 1)):
            view = project.create(data="./data")
            view = project.client.jobs.wait(view.name, view.version, timeout=LONGEST)
            assert view.status.state == State.SUCCEEDED, msgspec.json.encode(view.status)
            log = project.log(view)
            project.client.jobs.pull_outputs("demo", "v1", tmp_path / "pulled")
        assert log.decode().splitlines() == [f"f{number} {number}" for number in range(6)]
        assert read_tree(tmp_path / "pulled") == {path.name: path.name.encode() * 1000 for path in data.iterdir()}
        assert sum(proxy.done.values()) > 3
        wait_until(lambda: not run_of(view).folder.exists())
        assert open_store(bucket_url, "lab").get("jobs/demo/V0001/logs/worker-0/000000000000.log").data == log
