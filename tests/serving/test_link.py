"""The connection to a model's process, whatever pieces its answers come in."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.serving import wire
from orchestrator.serving.link import Link

ANSWERS: list[dict[str, Any]] = [{"value": 1}, {"value": {"y": np.arange(3.0)}}, {"value": b"x" * 3000}, {"value": ""}]
PLAIN = [{"value": 1}, {"value": {"y": [0, 1, 2]}}, {"value": b"x" * 3000}, {"value": ""}]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def asked(path: Path, talk: Talk, count: int, timeout: float) -> tuple[list[Any], list[Any]]:
    """Ask a process that talks like this; return what was answered, and how the connection ended if all was not."""
    answers: list[Any] = []
    done = asyncio.get_running_loop().create_future()

    def answered(answer: Any) -> None:
        answers.append(answer)
        if len(answers) == count:
            done.set_result([])

    def end(left: list[Any], late: bool) -> None:
        done.set_result([len(left), late])

    server = await asyncio.start_unix_server(talk, path)
    _, link = await asyncio.get_running_loop().create_unix_connection(lambda: Link(end), path)
    for number in range(count):
        link.ask({"n": number}, timeout, answered)
    ended = await asyncio.wait_for(done, 60)
    link.close()
    server.close()
    return answers, ended


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_answers_may_come_in_any_pieces(tmp_path, size):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b"".join(map(wire.frame, ANSWERS))
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0)

    answers, ended = asyncio.run(asked(tmp_path / "s", talk, len(ANSWERS), 60.0))
    answers[1]["value"]["y"] = answers[1]["value"]["y"].tolist()
    assert (answers, ended) == (PLAIN, [])


@pytest.mark.parametrize(
    ("data", "timeout", "left"),
    [(b"", 60.0, [3, False]), (b"\0\0\0\2" + bytes(8) + b"}{", 60.0, [2, False]), (None, 1.0, [2, True])],
    ids=["closed", "no JSON", "late"],
)
def test_what_is_not_answered_is_told(tmp_path, data, timeout, left):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if data != b"":
            writer.write(wire.frame({"value": 1}) + (data or b""))
            await reader.read()
        writer.close()

    answers, ended = asyncio.run(asked(tmp_path / "s", talk, 3, timeout))
    assert (answers, ended) == ([{"value": 1}] * (3 - left[0]), left)
