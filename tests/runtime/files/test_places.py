"""Where URLs lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.runtime.files.places import address

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1)
STEPS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), max_size=4)


@given(scheme=st.sampled_from(["s3", "obs"]), steps=STEPS, slashes=st.integers(1, 3), end=st.booleans())
def test_doubled_slashes_count_once(scheme: str, steps: list[str], slashes: int, end: bool):
    url = f"{scheme}://bucket" + "".join("/" * slashes + step for step in steps) + "/" * end
    assert address(url) == (f"{scheme}://bucket", "/".join(steps))


@given(path=st.text(st.sampled_from("ab./"), max_size=12))
def test_no_key_leads_out_of_its_bucket(path: str):
    try:
        bucket, key = address(f"s3://bucket/{path}")
    except UsageError:
        assert ".." in path
    else:
        assert bucket == "s3://bucket"
        assert not {".", ".."} & set(key.split("/")) and "//" not in key and not key.startswith("/")


@pytest.mark.parametrize("url", ["", "file:///tmp/x", "/tmp/x", "s3:/bucket/x", "s3://", "s3:///x", "gs://bucket/x"])
def test_anything_else_is_refused(url: str):
    with pytest.raises(UsageError):
        address(url)
