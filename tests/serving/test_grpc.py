"""gRPC, by independent clients: Triton's for the Open Inference Protocol, TensorFlow's own bytes for its protocol."""

import asyncio

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from orchestrator.ports import free_ports
from orchestrator.serving.auth import token_hash

TOKEN = "secret"
AUTHORIZED = (("authorization", f"Bearer {TOKEN}"),)
PREDICT = "/tensorflow.serving.PredictionService/Predict"
# What tensorflow-serving-api 1.15 makes of {"x": make_tensor_proto(np.array([[1, 2]], np.float32))}, asked of version 1
# of the model `echo`, signature `s`, output `y`, and what it reads as [[2, 4]].
ASKED = bytes.fromhex("0a0d0a046563686f120208011a0173121b0a0178121608011208120208011202080222080000803f000000401a0179")
ANSWERED = "0a1b0a017912160801120812020801120208022a080000004000008040120d0a046563686f120208011a0173"


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def service(run, deployed, port):
    return run(deployed(), grpc_port=port, tokens=(token_hash(TOKEN),), body=1 << 20)


def call(port, method, request, metadata=AUTHORIZED, timeout=30):
    """Make a call with bytes, and return the answer's."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return channel.unary_unary(method)(request, metadata=metadata, timeout=timeout, wait_for_ready=True)


def error_of(port, method, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(port, method, request, **options)
    return caught.value.code(), caught.value.details()


def infer(client, values, name="x", datatype="FP32", model="echo", version=""):
    given = triton.InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values)
    return client.infer(model, [given], model_version=version, headers=dict(AUTHORIZED))


@pytest.mark.usefixtures("service")
def test_the_open_inference_protocol(port):
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        headers = dict(AUTHORIZED)
        assert client.is_model_ready("echo", "1", headers=headers)
        assert client.get_server_metadata(headers=headers).name == "mlctl"
        known = client.get_model_metadata("echo", headers=headers, as_json=True)
        assert known["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "2"]}]
        found = infer(client, np.array([[1, 2]], np.float32))
        assert found.as_numpy("y").tolist() == [[2, 4]]
        assert found.get_response().model_version == "1"
        words = np.array([["seven", "süß"]], dtype=object)
        assert infer(client, words, datatype="BYTES").as_numpy("y").tolist() == [[b"sevenseven", "süßsüß".encode()]]
        for wrong in ({"name": "z"}, {"model": "other"}, {"version": "9"}, {"version": "one"}):
            with pytest.raises(InferenceServerException):
                infer(client, np.array([[1, 2]], np.float32), **wrong)


@pytest.mark.usefixtures("service")
def test_tensorflow_servings_protocol(port):
    assert call(port, PREDICT, ASKED).hex() == ANSWERED
    asked = bytes.fromhex("0a060a046563686f120d7369676e61747572655f646566")
    known = call(port, "/tensorflow.serving.PredictionService/GetModelMetadata", asked)
    assert b"serving_default" in known
    status = call(port, "/tensorflow.serving.ModelService/GetModelStatus", bytes.fromhex("0a060a046563686f"))
    assert status.hex() == "0a060801101e1a00"


def test_who_may_call_what_is_too_much_and_what_fails(service, port):
    assert error_of(port, PREDICT, ASKED, metadata=())[0] is grpc.StatusCode.UNAUTHENTICATED
    assert error_of(port, PREDICT, ASKED, metadata=(("x-auth-token", "no"),))[0] is grpc.StatusCode.UNAUTHENTICATED
    assert call(port, PREDICT, ASKED, metadata=(("x-auth-token", TOKEN),))
    assert error_of(port, PREDICT, bytes(2 << 20))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    code, told = error_of(port, PREDICT, ASKED.replace(b"echo", b"none"))
    assert (code, "it has echo/v1" in told) == (grpc.StatusCode.NOT_FOUND, True)
    code, told = error_of(port, PREDICT, ASKED.replace(b"\n\x01x", b"\n\x01z"))
    assert (code, "the model's inputs are x" in told) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    more = ASKED.replace(bytes.fromhex("12020802"), bytes.fromhex("12020803"))
    code, told = error_of(port, PREDICT, more)
    assert (code, "of shape [1, 3] has 8 bytes" in told) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    metrics = service.http.get("/metrics").text
    assert 'mlctl_failures_total{model="echo",protocol="tfserving",version="v1"} 1.0' in metrics
    assert '"method":"gRPC"' in service.log.read_text()


@pytest.mark.usefixtures("service")
def test_a_client_that_gives_up_harms_nobody(port):
    async def give_up() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls = [channel.unary_unary(PREDICT)(ASKED, metadata=AUTHORIZED) for _ in range(50)]
            for one in calls:
                one.cancel()

    asyncio.run(give_up())
    assert call(port, PREDICT, ASKED).hex() == ANSWERED


def test_a_port_that_is_taken_is_told(run, deployed):
    first = run(deployed(), grpc_port=free_ports(1)[0])
    second = run(deployed(2), grpc_port=first.settings.grpc_port, ready=False)
    assert second.process.wait(60) != 0
    assert f"port {first.settings.grpc_port}, for gRPC, cannot be had" in second.log.read_text()
