"""What a batch keeps of itself, and what it tells in the end."""

from typing import Literal

import msgspec

from orchestrator.services.form import Changed
from orchestrator.store.parallel import Failure

Mapping = Literal["file", "csv"]

RECORD, MANIFEST = "batch.json", "manifest.jsonl"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What answers are answers to.

    Attributes:
        service: Name of the service.
        source: URL of the files.
        mapping: A request for each file, or for each row of CSV files.
        rule: Hash of the rule for rows.
        as_is: Whether pictures are sent as they are.
        created: Seconds since the epoch.
    """

    service: str
    source: str
    mapping: Mapping
    rule: str = ""
    as_is: bool = False
    created: float = 0.0


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a file; a line of the manifest, with ModelArts' names."""

    source: str
    result: Literal["SUCCESSFUL", "FAILED"]
    location: str = msgspec.field(name="inference-loc", default="")
    error_message: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """How a batch ended.

    Attributes:
        done: Number of files that were answered.
        before: Of these, by earlier runs of the same batch.
        failures: The others.
        manifest: URL of the manifest.
        changed: What was done to pictures on their way, by this run.
    """

    done: int
    before: int
    failures: list[Failure]
    manifest: str
    changed: Changed
