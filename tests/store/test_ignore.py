"""Ignore files mean what git says they mean: the oracle is git itself."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.store.scan import scan_code
from tests.store.trees import make_tree

PATHS = [
    "a", "b.py", "x.txt", "a.txt/a", "d/a", "d/b.py", "d/e/a", "d/e/x.txt", "d/e/f/b.py", "e/d/a", "e/x y", "e/ab",
    "[a]", "d/!a", "#c", "d/e/.x", "abc/d/a", "z/**/a",
]  # fmt: skip

pieces = st.sampled_from(
    ["a", "b", "d", "e", "x", "*", "**", "?", "/", "/", "/", ".", ".py", ".txt", "[ab]", "[!a]", "[a-c]", "\\", "!",
     "#", " ", "[", "]", "-", "[[:alpha:]]", "abc", "f"]
)  # fmt: skip
lines = st.lists(pieces, min_size=1, max_size=6).map("".join)
files = st.lists(lines, max_size=5).map("\n".join)

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is the oracle")


def kept_by_git(folder: Path) -> set[str]:
    command = ["git", "-C", folder, "ls-files", "--others", "--exclude-per-directory=.gitignore", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return set(filter(None, listed.split("\0")))


@needs_git
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files, files, files)
@example("*\n!*/\n!*.py", "", "")
@example("d/*\n!d/e/", "", "")
@example("/*\n!/d", "!a", "a")
@example("**/e\n", "", "")
@example("d/**/a", "", "")
@example("d/**", "!e", "")
@example("a\\ \n#c\n\\#c\n\\!a", "", "")
@example("**", "", "!a")
@example("*.txt  \na.txt/", "", "")
@example("[]a]\n[!]]\n[a", "", "")
@example("***/a\nd/***", "", "")
def test_the_same_files_are_kept_as_by_git(top, inner, deep):
    with tempfile.TemporaryDirectory() as place:
        folder = make_tree(Path(place), dict.fromkeys(PATHS, "x"))
        for name, text in ((".gitignore", top), ("d/.gitignore", inner), ("d/e/.gitignore", deep)):
            (folder / name).write_text(text)
        subprocess.run(["git", "init", "-q", folder], check=True)
        kept = {found.path for found in scan_code(folder).found if found.kind == "file"}
        assert kept == kept_by_git(folder)


def test_a_mark_of_byte_order_and_windows_line_ends_are_no_part_of_a_rule(tmp_path):
    folder = make_tree(tmp_path, {"a": "", "b": "", "c": "", ".gitignore": "\ufeffa\r\nb\r\n".encode()})
    assert [found.path for found in scan_code(folder).found] == [".gitignore", "c"]


@needs_git
def test_files_of_the_work_tree_around_the_folder_count(tmp_path):
    make_tree(tmp_path, {"repo/.gitignore": "*.bin\n/code/deep/no\n", "repo/code/a.bin": "", "repo/code/a.py": "",
                         "repo/code/deep/no": "", "repo/code/deep/yes": "", ".gitignore": "*"})  # fmt: skip
    (tmp_path / "repo/.git").mkdir()
    scan = scan_code(tmp_path / "repo/code")
    assert [found.path for found in scan.found] == ["a.py", "deep/yes"]
    assert scan.skipped[0].reason == f"rule *.bin in {tmp_path}/repo/.gitignore"


def test_a_folder_that_is_itself_ignored_is_scanned_when_it_is_named(tmp_path):
    make_tree(tmp_path, {".git/": None, ".gitignore": "build\n*.o", "build/out/a.o": "", "build/out/a.py": ""})
    assert [found.path for found in scan_code(tmp_path / "build/out").found] == ["a.o", "a.py"]
