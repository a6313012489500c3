"""Code and data come in whole, also when the store goes away in between; what is wrong for good is told apart."""

import msgspec
import pytest

from orchestrator.progress import SILENT
from orchestrator.runtime.fetch import FetchError, fetch_inputs
from orchestrator.runtime.status import Reason
from orchestrator.runtime.task import JOB, Task, Workspace
from orchestrator.store.archive import snapshot_code, store_code
from orchestrator.store.file import FileStore
from orchestrator.store.records import write
from orchestrator.store.scan import scan_all
from orchestrator.store.transfer import upload_tree
from tests.store.trees import make_tree, read_tree

DATA = {f"f{number}": "x" * number for number in range(5)}


class Inputs:
    """A store with a job's record, code and data, and a folder to fetch them into."""

    def __init__(self, folder):
        self.folder = folder / "store"
        self.store = FileStore(self.folder)
        self.workspace = Workspace(folder / "run")
        code = snapshot_code(make_tree(folder / "code", {"main.py": "pass"}))
        data = make_tree(folder / "data", DATA)
        manifest = upload_tree(self.store, "data/", data, scan=scan_all(data), reporter=SILENT)
        write(self.store, "data.json", manifest)
        self.store.put(f"job/{JOB}", b"{}")
        self.task = Task(
            job="demo",
            version="V0001",
            store=self.store.url,
            prefix="job/",
            code_key=store_code(self.store, code),
            code_name="code",
            boot_file="main.py",
            data_prefix="data/",
            data_manifest="data.json",
            output_store=self.store.url,
            output_prefix="job/output/",
        )

    def fetch(self):
        fetch_inputs(self.task, self.workspace, self.store, reporter=SILENT)

    def refused(self):
        with pytest.raises(FetchError) as caught:
            self.fetch()
        return caught.value


@pytest.fixture
def inputs(tmp_path):
    return Inputs(tmp_path)


@pytest.mark.parametrize("lost", ["data", "data.json", "data/f3"])
def test_fetching_goes_on_when_the_store_is_back(inputs, tmp_path, lost):
    # As with a folder that is not mounted, its record is gone too.
    places = {inputs.folder / lost: tmp_path / "gone", inputs.folder / "job": tmp_path / "record"}
    for place, away in places.items():
        place.rename(away)
    assert inputs.refused().passing
    for place, away in places.items():
        away.rename(place)
    inputs.fetch()
    assert read_tree(inputs.workspace.data) == {name: text.encode() for name, text in DATA.items()}
    assert read_tree(inputs.workspace.job_dir) == {"code/main.py": b"pass"}


@pytest.mark.parametrize(
    ("lost", "reason"),
    [("data.json", Reason.DATA_MISSING), ("data/f3", Reason.DATA_DAMAGED), ("code", Reason.CODE_MISSING)],
)
def test_what_the_store_has_lost_does_not_pass(inputs, tmp_path, lost, reason):
    (inputs.folder / lost).rename(tmp_path / "gone")
    error = inputs.refused()
    assert (error.reason, error.passing) == (reason, False)


def test_what_is_wrong_here_does_not_pass(inputs, small_disk):
    disk = small_disk("size=64k")
    inputs.workspace = Workspace(disk)
    with pytest.raises(OSError, match="No space left"):
        (disk / "full").write_bytes(b"x" * 100_000)
    error = inputs.refused()
    assert (error.reason, error.passing) == (Reason.DISK_FULL, False)


def test_folders_that_the_spec_names_are_there_when_the_script_begins(tmp_path):
    inputs = Inputs(tmp_path)
    arguments = ["--save=${train_url}model/net.pt", "--export=${train_url}export", "--out=${train_url}../away/x"]
    environment = {"LOGS": "${train_url}logs/a/"}
    inputs.task = msgspec.structs.replace(inputs.task, arguments=arguments, environment=environment)
    inputs.fetch()
    output = inputs.workspace.output
    assert sorted(str(path.relative_to(output)) for path in output.rglob("*")) == ["logs", "logs/a", "model"]
    assert not (output.parent / "away").exists()
