"""How fast a service answers, against other model servers: one small model, JSON and pictures, 1, 8 and 64 clients.

    python benchmarks/serving.py [--only mlctl litserve] [--seconds 5] [--rounds 3]      # 10 minutes
    python benchmarks/serving.py --only mlctl multi-model-server --seconds 0.7 --pairs 16       # 3 minutes

The model is an MLP over 784 numbers in NumPy, so that what is measured is the server. Each server has one process with
the model and otherwise its own defaults; the peers are from PyPI, each in an environment of its own below the user's
cache. One server runs at a time, and they take turns; the client, on the same machine, keeps its connections. Prints
a Markdown table: medians of the rounds, memory of all of a server's processes (proportional set size) after the load,
and the time from the start of its process to its first good answer.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import httptools
import httpx
import uvloop
from serving_peers import MLP, PEERS, Peer, python_of

from orchestrator.ports import free_ports

CLIENTS = (1, 8, 64)
START = 120.0  # seconds that a server may take to be ready
# A grey picture of 28 x 28 pixels.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAACrElEQVR4nAXBBzQVYACA0e+9/vYeFCVCUylFKklCKaOhcYqM7BWi"
    "fRLSlhJahFQSmhoUiiSENERKVEhGSkND414JAbT2xzqe4inMzCV5GfL17N3Ij244iwCej8MonmumqORyeC2SeryhegTmxwWZBoy/"
    "TZQjParYDA1DWHGIvBloXUWiasXAFoL8+dwX2zgeaTArhwsWDKtlv7DiVwuuUDGGeXHcWMDIHCI86FTLOgRvFFl0lDv6qKdz0p5e"
    "L9kKjbKsDEWar4j2ZRL0kXlCsD1fvrJmJ49lmX2OS2Iawws44EtHE+5QOYr5MaQZM/ouR9wEnd/iB+8UWBJJth6TbhJrR58XbANp"
    "828sQyhUYPpFEvUYXMouO7614bCDp2IQc85yZSFKDzjow98PeMIrVUyiuTVXMDaLYy50rWED1A1laTj3dJl8nVM2iH7lbIePA1i9"
    "jyJNdFJIWo5cCXs20S4+4RRImRqGp0k1Q/k+YV7wHi94rSwwO0GGIWoZnHCi+2s2wXs5lodxXwepZiqnDRlQRqATn9qx2UOJHLpJ"
    "pOgwVBSxbwM/P+IC5WOZe4rrJqjeI9wTaZ3AB2qUWHiMrDlMuEW0Az1fsQU+DEZSkciD6Uwt5Kwlg5rZsY22PtjFUjoJPZHIxSUo"
    "FBLix+9m3ODFaIxjuTmfUdmCSHfEO3zh7XAWH+HubCamEbOG3pVIOoJpkmFVAgXaTMvn3EpkG9m5la+9sBfBPFFHP4HLi1DMJ3Qd"
    "fxrxgJcjWXBSkD6PMXc46kqXN6yH2mFYRJAzC40bSJRs6fsZ/yBaBmJ1hodazMjj/AqGNLBb2PIdHIN4Nh6DM1w1Z0Qeh7z518Ba"
    "BFUqmEZx24hxmRx3pls1G6FenmWHkeaqMOUa8Ub0f06AM60/sN5LsTwzk0n+D/Kr+p2qEr4IAAAAAElFTkSuQmCC"
)


class Load(NamedTuple):
    """What came of some seconds of requests.

    Attributes:
        rate: Good answers per second.
        p50, p99: Seconds until an answer.
        failed: Answers that were not good.
    """

    rate: float
    p50: float
    p99: float
    failed: int


class Client(asyncio.Protocol):
    """A connection that asks again as soon as it has its answer."""

    def __init__(self, request: bytes, until: float, times: list[float], failures: list[int]) -> None:
        self._request, self._until = request, until
        self._times, self._failures = times, failures
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 200:
            self._times.append(time.perf_counter() - self._begun)
        else:
            self._failures.append(status)
        if time.perf_counter() < self._until:
            asyncio.get_running_loop().call_soon(self._ask)
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._begun = time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, request: bytes, clients: int, seconds: float) -> Load:
    """Ask for some seconds, with so many connections."""
    times: list[float] = []
    failures: list[int] = []
    begun = time.perf_counter()
    asked = [Client(request, begun + seconds, times, failures) for _ in range(clients)]
    loop = asyncio.get_running_loop()
    for one in asked:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)
    await asyncio.gather(*(one.done for one in asked))
    took = time.perf_counter() - begun
    ordered = sorted(times) or [0.0]
    return Load(len(times) / took, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], len(failures))


def request_of(peer: Peer, kind: str) -> bytes:
    """Return the bytes of a request."""
    path, content, body = _asked(peer, kind)
    headers = f"Host: 127.0.0.1\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\n{headers}\r\n".encode() + body


def _asked(peer: Peer, kind: str) -> tuple[str, str, bytes]:
    """Return path, content type and body of a request."""
    if kind == "JSON":
        return peer.json, "application/json", json.dumps(peer.document([0.5] * 784)).encode()
    head = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return peer.form, "multipart/form-data; boundary=b", head.encode() + PICTURE + b"\r\n--b--\r\n"


@contextlib.contextmanager
def running(name: str, peer: Peer, folder: Path) -> Iterator[tuple[int, int, float]]:
    """Run a server; give its port, its process and the seconds that it took to be ready."""
    ports = free_ports(3)
    (folder / "mlp.py").write_text(MLP)
    python = python_of(name, peer.packages)
    command, environment = peer.prepare(folder, python, ports)
    path = f"{python.parent}:{os.environ['PATH']}"
    with (folder / "log").open("wb") as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment, "PATH": path, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{ports[0]}{peer.ready}").status_code == 200:
                    break
            if process.poll() is not None or time.perf_counter() - begun > START:
                raise SystemExit(f"{name} does not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.01)
        path, kind, body = _asked(peer, "JSON")
        url = f"http://127.0.0.1:{ports[0]}{path}"
        while httpx.post(url, content=body, headers={"Content-Type": kind}, timeout=START).status_code != 200:
            if time.perf_counter() - begun > START:
                raise SystemExit(f"{name} does not answer:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.05)
        yield ports[0], process.pid, time.perf_counter() - begun
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def memory(root: int) -> float:
    """Return the MB of a server's processes; what they share is counted once."""
    parents = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit():
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    family = {root}
    while more := {one for one, parent in parents.items() if parent in family} - family:
        family |= more
    total = 0
    for one in family:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def in_pairs(names: list[str], seconds: float, count: int) -> None:
    """Have two servers run beside each other, asked in turns; print the median of the ratios of their answers."""
    print("| request | clients | times as many answers | by turns, lowest and highest quarter |\n|---|---|---|---|")
    with contextlib.ExitStack() as stack:
        ports = {}
        for name in names:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ports[name] = stack.enter_context(running(name, PEERS[name], folder))[0]
        for kind in ("JSON", "multipart"):
            requests = {name: request_of(PEERS[name], kind) for name in names}
            for clients in CLIENTS:
                ratios = []
                for number in range(count):
                    order = names if number % 2 else names[::-1]
                    rates = {one: uvloop.run(load(ports[one], requests[one], clients, seconds)).rate for one in order}
                    ratios.append(rates[names[0]] / rates[names[1]])
                low, middle, high = statistics.quantiles(ratios, n=4)
                print(f"| {kind} | {clients} | {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=[*PEERS])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, metavar="N", help="compare the first two of --only, in N turns each")
    asked = parser.parse_args()
    if asked.pairs:
        in_pairs(asked.only[:2], asked.seconds, asked.pairs)
        return
    found: dict[tuple[str, str, int], list[Load]] = {}
    started: dict[str, list[float]] = {}
    held: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        for name in asked.only:
            peer = PEERS[name]
            with tempfile.TemporaryDirectory() as folder, running(name, peer, Path(folder)) as (port, process, took):
                started.setdefault(name, []).append(took)
                for kind in ("JSON", "multipart") if peer.form else ("JSON",):
                    request = request_of(peer, kind)
                    uvloop.run(load(port, request, 8, 1.0))
                    for clients in CLIENTS:
                        result = uvloop.run(load(port, request, clients, asked.seconds))
                        found.setdefault((name, kind, clients), []).append(result)
                held.setdefault(name, []).append(memory(process))
    print("| server | request | clients | answers/s | p50, ms | p99, ms | failed |\n|---|---|---|---|---|---|---|")
    for (name, kind, clients), loads in found.items():
        rate, p50, p99 = (statistics.median(getattr(one, field) for one in loads) for field in ("rate", "p50", "p99"))
        failed = sum(one.failed for one in loads)
        print(f"| {name} | {kind} | {clients} | {rate:,.0f} | {p50 * 1e3:.1f} | {p99 * 1e3:.1f} | {failed} |")
    print("\n| server | start, s | memory, MB |\n|---|---|---|")
    for name in asked.only:
        print(f"| {name} | {statistics.median(started[name]):.2f} | {statistics.median(held[name]):.0f} |")
    print(f"\nload of the machine at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
