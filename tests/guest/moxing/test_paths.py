"""Names and patterns: in a bucket they mean what they mean in a folder."""

import glob
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.guest.pythons import GUESTS

NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
FILES = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=8)
PATTERNS = st.lists(st.text("ab.*?", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@pytest.fixture(scope="module")
def looking():
    """Give the guest's module, in this Python."""
    sys.path.insert(0, str(GUESTS / "moxing"))
    from moxing.framework.file import looking

    yield looking
    sys.path.remove(str(GUESTS / "moxing"))
    for name in [name for name in sys.modules if name.split(".")[0] == "moxing"]:
        del sys.modules[name]


def leaves(path: str) -> bool:
    """Tell whether a path may lead out of its folder, where there is much to look at; no key of a bucket does."""
    return any(step in (".", "..") for step in path.split("/"))


class FolderAsBucket:
    """Answers as the process beside a script does, of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, do: str, url: str, recursive: bool = False):
        inside = url.removeprefix("s3://bucket").strip("/")
        path = self.folder / ("nowhere" if leaves(inside) else inside)
        if do == "look":
            kind = {"kind": "folder"} if path.is_dir() else {"kind": "file", "size": 0, "modified": 0}
            return kind if path.exists() else None
        if not path.is_dir():
            raise FileNotFoundError(2, "there is nothing")
        found = sorted(path.rglob("*") if recursive else path.iterdir())
        return [(str(one.relative_to(path)), -1 if one.is_dir() else 0, 0) for one in found]


@given(files=FILES, pattern=PATTERNS)
@settings(max_examples=60)
def test_patterns_and_walks_are_those_of_folders(looking, files: list[str], pattern: str):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in files:
            if not any((folder / path[:cut]).is_file() for cut in range(1, len(path))) and not (folder / path).exists():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).touch()
        before, looking.client.ask = looking.client.ask, FolderAsBucket(folder).ask
        try:
            ours = looking.glob(f"s3://bucket/{pattern}")
            walked = [(top, sorted(folders), sorted(names)) for top, folders, names in looking.walk("s3://bucket")]
        finally:
            looking.client.ask = before
        if not leaves(pattern):
            theirs = glob.glob(pattern, root_dir=folder)  # noqa: PTH207  (`Path.glob` takes hidden files for others)
            assert sorted(ours) == sorted(f"s3://bucket/{path}" for path in theirs)
        expected = [
            (top.replace(name, "s3://bucket", 1), sorted(dirs), sorted(names)) for top, dirs, names in os.walk(name)
        ]
        assert sorted(walked) == sorted(expected)


@given(st.text("abS3:/.", max_size=12))
def test_a_url_is_written_in_one_way(looking, rest: str):
    from moxing.framework.file import paths

    url = paths.url(f"S3://bucket/{rest}")
    assert paths.is_url(url) and url.startswith("s3://bucket")
    assert "//" not in url.removeprefix("s3://") and paths.url(url) == url
    assert not paths.is_url(rest) or rest.lower().startswith("s3://")
    assert paths.name(paths.join(url, "x")) == "x"
