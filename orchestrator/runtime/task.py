"""The work order of one job version: all that the machine which runs it needs to know."""

from pathlib import Path

import msgspec

from orchestrator.metrics.patterns import Measures
from orchestrator.models.record import Lineage

JOB = "job.json"
STATUS = "status.json"
CANCEL = "cancel.json"
OUTPUT = "output.json"
URLS = ("data_url", "train_url")  # the platform's arguments that every script had on ModelArts
CALLS = "metrics.jsonl"  # in the work folder: what the script's calls of mlctl.log write


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wants a version to end.

    Attributes:
        message: Why, if it was not a person who asked.
        pruned: Whether a sweep asked because others do better.
    """

    message: str = ""
    pruned: bool = False


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """The model that the output becomes when the script ends well.

    Attributes:
        name: Of the model.
        number: The version's number, if it is free: that of the job version.
        lineage: Where it comes from.
    """

    name: str
    number: int
    lineage: Lineage


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One training run, in terms of the store.

    Attributes:
        job: Name of the job.
        version: As in `V0003`.
        store: URL of the store with the job's record, code and data.
        prefix: Where the job version's objects live, as in `jobs/mnist/V0003/`.
        code_key: The code archive.
        code_name: Name of the code folder, below the working directory.
        boot_file: The script, relative to the code folder.
        data_prefix: Where the data's files live; empty without data.
        data_manifest: Key of their manifest; empty if there is none.
        data_mode: `local`: the platform fetches the data; `url`: the script gets the URL.
        output_store: URL of the store that the output goes to.
        output_prefix: Prefix of the output in it, as in `jobs/mnist/V0003/output/`.
        urls: Which of data_url and train_url the script gets as arguments of these names.
        arguments: What follows them, as in `--num_epochs=8`; `${data_url}` and `${train_url}` stand for the two.
        flags: Those for workers of several that the script declares, as in `task_index`.
        framework: Of the engine, where there are several workers: some bring servers of their own.
        environment: Extra environment variables; the two URLs stand in them likewise.
        cpus: CPUs the job counts for.
        memory: Bytes; 0 is no limit.
        gpus: GPUs on this node.
        max_duration: Seconds the script may run.
        budget: The sum in words that `max_duration` is what it pays for, if it is.
        model: What the output becomes, if it becomes a model.
        provided: Packages, as requirements, that the image has under another name, for those that the job brings.
        measures: What is measured of it.
        guests: What the script's own Python finds beside the code, by the names of the folders in `orchestrator/guest`.
    """

    job: str
    version: str
    store: str
    prefix: str
    code_key: str
    code_name: str
    boot_file: str
    data_prefix: str = ""
    data_manifest: str = ""
    data_mode: str = "local"
    output_store: str
    output_prefix: str
    urls: tuple[str, ...] = URLS
    arguments: list[str] = []
    flags: tuple[str, ...] = ()
    framework: str = ""
    environment: dict[str, str] = {}
    cpus: float = 1
    memory: int = 0
    gpus: int = 0
    max_duration: int = 3600
    budget: str = ""
    model: Registration | None = None
    provided: tuple[str, ...] = ()
    measures: Measures = Measures()
    guests: tuple[str, ...] = ("moxing",)


class Workspace:
    """The folders of one run on the machine where it happens, as ModelArts lays them out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.job_dir = self.work / "user-job-dir"
        self.data = self.work / "data"
        self.output = self.work / "output"
        self.cache = self.work / "cache"
        self.logs = self.work / "log"
        self.guests = self.work / "guest"
        self.exchange = self.work / "exchange"
        self.packages = self.work / "packages"
        self.calls = self.work / CALLS
        self.socket = self.work / "mlctl.sock"
        self.log = folder / "script.log"

    def make(self) -> None:
        """Create the folders; those that exist stay."""
        for folder in (self.job_dir, self.data, self.output, self.cache, self.logs, self.exchange):
            folder.mkdir(parents=True, exist_ok=True)
