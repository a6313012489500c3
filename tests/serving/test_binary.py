"""Binary data of the Open Inference Protocol over REST, as Triton's own client sends it, and damaged."""

import itertools
import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

LENGTH = "Inference-Header-Content-Length"
ARRAYS = (
    ("FP32", np.array([[1, 2.5]], np.float32)),
    ("INT64", np.array([[1, -2], [3, 4]], np.int64)),
    ("BYTES", np.array([["seven", "süß"]], object)),
    ("FP64", np.zeros((0, 2), np.float64)),
)
WRONG: tuple[tuple[dict[str, object], bytes, str], ...] = (
    ({"parameters": {"binary_data_size": 8}}, b"1234", "input x wants 8 bytes, of 4"),
    ({"parameters": {"binary_data_size": 4}}, b"1234", "has 4 bytes, and float32 takes 8"),
    ({"parameters": {"binary_data_size": 8}}, b"123456789", "1 bytes behind the JSON belong to no input"),
    ({"parameters": {"binary_data_size": 8}, "data": [1, 2]}, b"12345678", "input x has values twice"),
    ({}, b"", "input x has no data"),
    ({"parameters": {"binary_data_size": -1}}, b"", "this is no inference request"),
    ({"datatype": "BYTES", "parameters": {"binary_data_size": 6}}, b"\7\0\0\0ab", "in the middle of a text"),
    ({"datatype": "BYTES", "parameters": {"binary_data_size": 2}}, b"\1\0", "in the middle of a text"),
    ({"datatype": "BYTES", "parameters": {"binary_data_size": 5}}, b"\1\0\0\0a", "is not of shape"),
)


@pytest.fixture
def http(run, deployed) -> httpx.Client:
    return run(deployed(), body=1 << 20).http


@pytest.fixture
def client(http: httpx.Client) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{http.base_url.host}:{http.base_url.port}") as client:
        yield client


def test_arrays_go_there_and_back(client):
    for (datatype, values), sent, wanted in itertools.product(ARRAYS, (True, False), (True, False, None)):
        given = triton.InferInput("x", list(values.shape), datatype)
        given.set_data_from_numpy(values, binary_data=sent)
        outputs = None if wanted is None else [triton.InferRequestedOutput("y", binary_data=wanted)]
        found = client.infer("echo", [given], outputs=outputs).as_numpy("y")
        assert found.shape == values.shape
        read = [one.decode() if isinstance(one, bytes) else one for one in found.reshape(-1).tolist()]
        assert read == (values * 2).reshape(-1).tolist()


def test_two_inputs_share_what_follows_and_one_may_stand_in_the_json(client):
    inputs = []
    for name, binary in (("x", True), ("z", False), ("w", True)):
        inputs.append(triton.InferInput(name, [1, 1], "FP32"))
        inputs[-1].set_data_from_numpy(np.ones((1, 1), np.float32), binary_data=binary)
    with pytest.raises(InferenceServerException, match="the model's inputs are x"):  # it has come as far as the model
        client.infer("echo", inputs)


def test_what_does_not_fit_is_told(http):
    def refusal(tensor: dict[str, object], binary: bytes, length: str = "") -> str:
        text = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32"} | tensor]}).encode()
        headers = {LENGTH: length or str(len(text))}
        answer = http.post("/v2/models/echo/infer", content=text + binary, headers=headers)
        assert answer.status_code == 400
        return answer.json()["error"]

    for tensor, binary, message in WRONG:
        assert message in refusal(tensor, binary)
    for length, message in (
        ("9999", "is '9999', and the request has"),
        ("-1", "is '-1', and"),
        ("3", "not valid JSON"),
    ):
        assert message in refusal({"data": [1, 2]}, b"", length)
