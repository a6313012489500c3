"""Requests that are asked together: as many as may be, of one shape, and each with its own fate."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.serving.conftest import Running

TOGETHER = {"max_batch_size": 8, "max_delay_ms": 2000}
# Tells how many rows it was given at once; by what it is given it fails, or dies.
COUNTING = """
import os
import numpy as np
from mlctl_model.together import by_rows
from model_service.model_service import SingleNodeService

class Counting(SingleNodeService):
    def predict(self, inputs, outputs=None, signature=None):
        x = inputs["x"]
        if (x == 13).any():
            raise ValueError("not this number")
        if (x == 99).any():
            os._exit(9)
        if (x == 7).any():
            return {"y": x.sum(axis=0)}
        return {"y": x * 2, "rows": np.full(len(x), len(x))}

    def _preprocess(self, data):
        return {"x": np.asarray(data["x"], dtype=float)}

    @by_rows
    def _inference(self, data):
        return self.predict(data)

    def _postprocess(self, data):
        return {name: value.tolist() for name, value in data.items()}
"""
Ask = Callable[..., list[httpx.Response]]


@pytest.fixture
def running(run, deployed) -> Running:
    return run(deployed(source=COUNTING, config=TOGETHER))


@pytest.fixture
def ask(running) -> Ask:
    """Give a function that sends inputs at the same time."""

    def together(*inputs: Any, path: str = "/v1/models/echo:predict") -> list[httpx.Response]:
        def one(x: Any) -> httpx.Response:
            return running.http.post(path, json={"x": x} if path == "/" else {"inputs": {"x": x}})

        with ThreadPoolExecutor(len(inputs)) as pool:
            return list(pool.map(one, inputs))

    return together


def test_requests_are_asked_together_and_answered_apart(ask):
    answers = [one.json()["outputs"] for one in ask(*([[n, n]] for n in range(20, 28)))]
    assert [one["y"] for one in answers] == [[[2 * n, 2 * n]] for n in range(20, 28)]
    assert {len(one["rows"]) for one in answers} == {1}
    assert max(one["rows"][0] for one in answers) > 1
    answers = [one.json() for one in ask(*([[n]] for n in range(20, 28)), path="/")]
    assert [one["y"] for one in answers] == [[[2 * n]] for n in range(20, 28)]
    assert max(one["rows"][0] for one in answers) > 1


def test_rows_are_counted_and_shapes_are_not_mixed(ask):
    answers = ask([[1, 2]] * 5, [[1, 2]] * 5, [[1, 2, 3]], [[1]], [[2, 3]])
    assert [len(one.json()["outputs"]["y"]) for one in answers] == [5, 5, 1, 1, 1]
    assert max(one.json()["outputs"]["rows"][0] for one in answers) <= 8
    assert answers[2].json()["outputs"]["rows"] == [1]


@pytest.mark.parametrize("path", ["/v1/models/echo:predict", "/"])
def test_what_fails_or_kills_the_process_fails_alone(ask, path):
    assert [one.status_code for one in ask([[1]], [[13]], [[2]], path=path)] == [200, 422, 200]
    assert [one.status_code for one in ask([[1]], [[99]], [[2]], path=path)] == [200, 503, 200]


def test_a_result_without_a_row_for_each_is_not_cut(ask):
    answers = ask([[7, 1, 1]], [[7, 2, 2]])
    assert [one.json()["outputs"] for one in answers] == [[7, 1, 1], [7, 2, 2]]


def test_a_batch_size_that_cannot_be_is_told(run, deployed):
    running = run(deployed(config={"max_batch_size": 0}), ready=False)
    assert running.process.wait(60) == 3
    assert "max_batch_size is 0" in running.log.read_text()
