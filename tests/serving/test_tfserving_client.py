"""TensorFlow Serving's gRPC protocol by its own stubs, as the clients of TensorFlow Serving are written."""

import grpc
import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_service_pb2_grpc

from orchestrator.ports import free_ports
from orchestrator.serving.auth import token_hash
from tests.serving.tensorflow_client import TYPES, array, request

TOKEN = (("x-auth-token", "secret"),)


@pytest.fixture
def stub(run, deployed):
    (port,) = free_ports(1)
    run(deployed(), grpc_port=port, tokens=(token_hash("secret"),))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def test_text_goes_there_and_back(stub):
    values = np.array([[b"seven", "süß".encode()], [b"\xff\0", b""]], dtype=object)
    found = array(stub.Predict(request(values), 30.0, metadata=TOKEN).outputs["y"])
    assert found.tolist() == (values * 2).tolist()


def test_every_type_of_numbers_goes_there_and_back(stub):
    for kind in TYPES.keys() - {"object"}:
        values = np.arange(6, dtype=kind).reshape(3, 2)
        for whole in (False, True):
            answer = stub.Predict(request(values, whole=whole), 30.0, metadata=TOKEN)
            found = array(answer.outputs["y"])
            assert (found.dtype, found.tolist()) == (values.dtype, (values * 2).tolist())
    assert answer.model_spec.name == "echo"
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "predict_images"


def test_one_version_or_output_may_be_asked_for(stub):
    asked = request(np.ones((1, 2), np.float32))
    asked.model_spec.version.value = 1
    asked.output_filter.append("y")
    assert array(stub.Predict(asked, 30.0, metadata=TOKEN).outputs["y"]).tolist() == [[2, 2]]
    asked.model_spec.version.value = 9
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(asked, 30.0, metadata=TOKEN)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_many_at_once_by_futures(stub):
    asked = {number: request(np.full((1, 2), number, np.float32)) for number in range(50)}
    answers = {number: stub.Predict.future(one, 30.0, metadata=TOKEN) for number, one in asked.items()}
    for number, answer in answers.items():
        assert array(answer.result().outputs["y"]).tolist() == [[2 * number] * 2]


def test_what_the_model_takes_and_gives(stub):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "echo"
    known = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(asked, 30.0, metadata=TOKEN).metadata["signature_def"].Unpack(known)
    signature = known.signature_def["serving_default"]
    assert signature.inputs["x"].dtype == types_pb2.DT_FLOAT
    assert [dim.size for dim in signature.outputs["y"].tensor_shape.dim] == [-1, 2]


def test_what_is_wrong_is_told(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(np.ones((1, 2), np.float32), name="images"), 30.0, metadata=TOKEN)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "the model's inputs are x" in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(np.ones((1, 2), np.float32)), 30.0)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
