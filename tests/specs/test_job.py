import msgspec
import pytest

from orchestrator.errors import UsageError
from orchestrator.specs.job import JobSpec, parse_dataset_url
from orchestrator.specs.job_parts import Resources

from .examples import FULL, parse


def test_a_spec_survives_json():
    spec = parse(FULL).spec
    assert msgspec.json.decode(msgspec.json.encode(spec), type=JobSpec) == spec


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("dataset://mnist", ("mnist", None)),
        ("dataset://mnist@v3", ("mnist", 3)),
        ("dataset://mnist@V0012", ("mnist", 12)),
        ("dataset://mnist@latest", ("mnist", None)),
        ("./mnist", None),
        ("s3://mnist/", None),
    ],
)
def test_dataset_urls(url, found):
    assert parse_dataset_url(url) == found


def test_contradictions_are_refused_in_code_too():
    with pytest.raises(UsageError, match="`flavor` already says what `memory` is"):
        Resources(flavor="cpu.small", memory="1Gi")
    with pytest.raises(UsageError, match="`max_duration` must be more than no time"):
        JobSpec(name="a", engine="b", code="c", boot_file="d.py", max_duration="0h")
