"""Keys, tokens and passwords never leave the place they are kept in: not by records, logs, arguments or messages."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import obstore

from orchestrator.store import open_store
from orchestrator.store.s3 import S3Store
from orchestrator.store.s3.multipart import PART
from tests.buckets import PROFILE
from tests.cli.conftest import Run
from tests.waiting import wait_until

WRONG = "Wr0ngSecretKey/of+nobody0123456789abcdef"
TOKEN = "Wr0ngSessionToken/of+nobody" + "0123456789abcdef" * 8
PASSWORD = "Pr0xyPassword-of-nobody"
POLL = 0.03  # seconds between two looks at all processes


def spellings(secrets: list[str]) -> list[bytes]:
    return [one.encode() for secret in secrets for one in {secret, quote(secret, safe="")}]


def files_with(folder: Path, wanted: list[bytes], *, besides: str) -> list[str]:
    names = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name != besides:
            data = path.read_bytes()
            names += [str(path) for secret in wanted if secret in data]
    return names


@contextmanager
def watching_arguments(wanted: list[bytes]) -> Iterator[set[bytes]]:
    """Look at the arguments of all processes inside the block; yield those that have a secret in them."""
    found: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(POLL):
            for process in os.scandir("/proc"):
                if process.name.isdecimal():
                    try:
                        line = Path(process.path, "cmdline").read_bytes()
                    except OSError:  # it has ended
                        continue
                    found.update([line] if any(secret in line for secret in wanted) else [])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def test_secrets_stay_where_they_are(mlctl: Run, spec, s3, bucket_url, tmp_path, monkeypatch):
    secret = s3.environment["AWS_SECRET_ACCESS_KEY"]
    wanted = spellings([secret, s3.environment["AWS_ACCESS_KEY_ID"], WRONG, TOKEN, PASSWORD])
    monkeypatch.setenv("MLCTL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    (folder / "small").mkdir(parents=True)
    for number in range(20):
        (folder / "small" / str(number)).write_text(str(number))
    (folder / "large").write_bytes(bytes(PART + 1))
    said: dict[str, str] = {}

    def run(*arguments: str, code: int = 0, **environment: str) -> None:
        done = mlctl(*arguments, env={**os.environ, **environment})
        assert done.returncode == code, done.stdout + done.stderr
        said[f"{arguments} {sorted(environment)}"] = done.stdout + done.stderr

    with watching_arguments(wanted) as seen:
        settings = ["--store", bucket_url, "--endpoint", s3.endpoint]
        run("context", "add", "lab", *settings)
        run("context", "use", "lab")
        run("store", "check")
        run("dataset", "push", str(folder), "--name", "demo")
        run("dataset", "pull", "demo", str(tmp_path / "back"))
        run("job", "create", spec, "--yes", "--follow")
        run("logs", "demo")
        run("job", "get", "demo", "-o", "json")
        run("store", "check", code=7, AWS_SECRET_ACCESS_KEY=WRONG)
        run("dataset", "push", str(folder), "--name", "demo", code=6, AWS_SECRET_ACCESS_KEY=WRONG)
        run("dataset", "push", str(folder), "--name", "demo", code=6, AWS_SESSION_TOKEN=TOKEN)
        run("job", "create", spec, "--yes", code=6, AWS_SECRET_ACCESS_KEY=WRONG)
        run("job", "list", code=7, HTTP_PROXY=f"http://me:{PASSWORD}@127.0.0.1:1")
        run("context", "add", "x", "--store", bucket_url, "--endpoint", "http://h/" + quote(WRONG), code=2)
        lines = [f"{name.lower()} = {os.environ[name]}\n" for name in s3.environment]
        (tmp_path / "aws-credentials").write_text(f"[{PROFILE}]\n" + "".join(lines))
        for name in s3.environment:
            monkeypatch.delenv(name)
        run("context", "add", "kept", *settings, "--profile", PROFILE)
        run("job", "create", spec, "--yes", "--follow", "-c", "kept")

    assert seen == set()
    assert [name for name, text in said.items() if any(one in text.encode() for one in wanted)] == []
    assert files_with(tmp_path, wanted, besides="aws-credentials") == []
    store = open_store(bucket_url, "kept")
    assert isinstance(store, S3Store)
    names = [meta["path"] for page in obstore.list(store.clients.bulk, store.clients.address.prefix) for meta in page]
    assert len(names) > 10
    for name in names:
        found = obstore.get(store.clients.bulk, name)
        text = repr(found.attributes).encode() + found.bytes().to_bytes() + name.encode()
        assert not any(one in text for one in wanted), name


def test_what_looks_for_secrets_finds_them(tmp_path: Path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text(f"key={quote(WRONG, safe='')}")
    assert files_with(tmp_path, spellings([WRONG]), besides="") == [str(tmp_path / "here" / "file")]
    word = token_hex(20)  # which another test that looks meanwhile does not know
    command = ["sh", "-c", "read line; exit", word]
    with watching_arguments(spellings([word])) as seen, subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_until(lambda: seen)
        process.communicate()
    assert seen == {f"sh\0-c\0read line; exit\0{word}\0".encode()}
