"""A service of a cluster over gRPC: from the Service's port to the model, by TensorFlow Serving's own stubs."""

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from orchestrator.services.place import Place
from tests.kubernetes.standin import Standin
from tests.services.conftest import DOUBLE
from tests.serving.tensorflow_client import array, request


def address_of(standin: Standin, url: str) -> str:
    """Return where the cluster takes what is sent to a Service's name and port: its only pod."""
    host, _, number = url.partition(":")
    name, namespace, _ = host.split(".")
    (service,) = [one for one in standin.objects("services") if one["metadata"]["name"] == name]
    assert service["metadata"]["namespace"] == namespace
    (port,) = [one for one in service["spec"]["ports"] if one["port"] == int(number)]
    assert port["appProtocol"] == "kubernetes.io/h2c"
    (pod,) = standin.objects("pods")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (target,) = [
        one["containerPort"]
        for container in pod["spec"]["containers"]
        for one in container["ports"]
        if one["name"] == port["targetPort"]
    ]
    return f"{pod['status']['podIP']}:{target}"


def test_a_service_is_asked_over_grpc(client, model, standin: Standin):
    view, _ = client.services.deploy(model("one", source=DOUBLE), engine="plain-1")
    assert view.grpc == "echo.default.svc:8081"
    token = Place("echo@lab").token()
    with grpc.insecure_channel(address_of(standin, view.grpc)) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        asked = request(np.array([[1, 2], [3, 4]], np.float32))
        answer = stub.Predict(asked, 60.0, metadata=[("x-auth-token", token)], wait_for_ready=True)
        assert array(answer.outputs["y"]).tolist() == [[2, 4], [6, 8]]
        assert answer.model_spec.version.value == 1
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(asked, 60.0)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
