"""Logs arrive whole through a network that does not work well."""

import time
from pathlib import Path

import pytest

from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.logread import LogReader
from orchestrator.runtime.logship import CHUNK, LogShipper
from orchestrator.store import open_store
from orchestrator.store.base import Store
from tests.store.proxy import at_random, open_proxy


def ship(store: Store, path: Path) -> LogShipper:
    return LogShipper(store, "logs/", path, Arrivals(path, time.time))


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_logs_arrive_whole(s3, bucket_url, tmp_path, monkeypatch, rate):
    path = tmp_path / "log"
    with open_proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        store = open_store(bucket_url)
        assert store.head("logs/none") is None  # it has been reached
        with proxy.doing(at_random(rate, 1)):
            shipper = ship(store, path)
            for number in range(8):
                with path.open("ab") as file:
                    file.write(f"line of part {number}\n".encode() * (CHUNK // 100))
                if number == 5:
                    shipper = ship(store, path)  # another process goes on
                shipper.poll()
                shipper.send()
            reader = LogReader(store, "logs/", None)
            assert reader.size() == path.stat().st_size > CHUNK
            for _ in range(5):
                assert b"".join(reader.read(0, reader.size())) == path.read_bytes()
            assert b"".join(reader.read(reader.tail_offset(3, reader.size()), reader.size())) == b"line of part 7\n" * 3
