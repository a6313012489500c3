"""What this machine notes about uploads, when several of them begin and end at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.store.file import FileStore
from orchestrator.store.index import PackNotes


def test_notes_of_many_uploads_come_and_go_at_once(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")

    def upload(number: int) -> None:
        for turn in range(300):
            notes = PackNotes(store, "datasets/words/packs/", tmp_path / str(number))
            notes.add(f"pack-{turn}", [("one", 1)])
            assert len(notes.read()) == 1
            notes.forget()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upload, range(6)))
