"""The folder of a service's sockets, and those that were left."""

import shutil

from orchestrator.serving.scratch import scratch_folder


def test_what_a_killed_process_left_goes_and_what_lives_or_is_others_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    with scratch_folder(mine) as left:
        (left / "0.sock").touch()
        shutil.copytree(left, tmp_path / f"{left.name[:-1]}!")
        with scratch_folder(mine) as now, scratch_folder(other) as others:
            assert sorted(tmp_path.iterdir()) == sorted([left, now, others])
            assert (left / "0.sock").exists()
            (tmp_path / f"{left.name[:-1]}!").symlink_to(others)
        with scratch_folder(mine):
            assert (tmp_path / f"{left.name[:-1]}!").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == [f"{left.name[:-1]}!"]
