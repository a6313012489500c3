"""Records are claimed once, also where the store does not say whether it has written."""

import msgspec
import pytest

from orchestrator.store.base import AlreadyExistsError
from orchestrator.store.file import FileStore
from orchestrator.store.records import claim, read


class Claimed(msgspec.Struct):
    by: str


class Forgetful(FileStore):
    """Loses the answer to its first write, and is asked again by whoever carries its requests."""

    lost = False

    def put_if_absent(self, key: str, data: bytes) -> str:
        if not self.lost:
            self.lost = True
            super().put_if_absent(key, data)
        return super().put_if_absent(key, data)


def test_a_claim_whose_answer_was_lost_is_the_claimers_own(tmp_path):
    store = Forgetful(tmp_path)
    claim(store, "first", Claimed("me"))
    assert read(store, "first", Claimed) == Claimed("me")
    with pytest.raises(AlreadyExistsError):
        claim(store, "first", Claimed("you"))
