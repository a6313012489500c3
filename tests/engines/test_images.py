"""The engines that come with the package: locks are whole, images install them."""

import re
from pathlib import Path

import pytest

from orchestrator.engines import Engine, list_engines

PINNED = re.compile(r"^(?P<name>[a-zA-Z0-9._-]+)==(?P<version>[^ ;\\]+)")
SHIPPED = [engine for engine in list_engines() if Path(engine.folder).parent.name == "images"]


@pytest.fixture(params=SHIPPED, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


def requirements(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("--hash")]


def test_every_requirement_is_pinned(engine: Engine):
    for line in requirements(engine.requirements_path):
        assert PINNED.match(line), line


def test_the_lock_answers_what_was_asked_for(engine: Engine):
    locked = {
        (match["name"], match["version"])
        for line in requirements(engine.requirements_path)
        if (match := PINNED.match(line))
    }
    for line in requirements(Path(engine.folder, "requirements.in")):
        if match := PINNED.match(line):
            assert (match["name"], match["version"]) in locked
        else:
            assert re.split(r"[ <>]", line)[0] in {name for name, _ in locked}
    assert any(f"{version}.".startswith(f"{engine.version}.") for _, version in locked)


def test_all_that_plain_indexes_carry_is_locked_by_hash(engine: Engine):
    blocks = re.split(r"\n(?=[a-zA-Z])", engine.requirements_path.read_text())
    for block in blocks:
        if (match := PINNED.match(block)) and "+" not in match["version"]:
            assert "--hash=sha256:" in block, match["name"]


def test_the_image_installs_the_same_lock_and_needs_no_root(engine: Engine):
    dockerfile = Path(engine.folder, "Dockerfile").read_text()
    assert f"COPY {engine.requirements} " in dockerfile
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE)
    assert f"uv venv --python {engine.python[0]} " in dockerfile
    for image in filter(None, (engine.images.cpu, engine.images.gpu)):
        assert f"-t {image} " in dockerfile
