"""A plan of a service that the tests start from, and any others."""

import msgspec
from hypothesis import strategies as st

from orchestrator.services.kubernetes.plan import Host, Plan
from orchestrator.services.shape import Shape
from orchestrator.serving.settings import Deployed, Settings
from tests.backends.kubernetes.examples import SITE, SITES

SETTINGS = Settings(
    name="digits",
    models=(
        Deployed(model="digits", number=3, weight=90, folder="/mlctl/models/digits-v3", host="/mlctl/model-1.sock"),
        Deployed(model="digits", number=4, weight=10, folder="/mlctl/models/digits-v4", host="/mlctl/model-2.sock"),
    ),
    tokens=("0" * 64,),
    host="",
    port=8080,
)
HOSTS = (
    Host(name="model-1", image="mlctl/mxnet-1.9:1.9.1-cpu", environment={}),
    Host(name="model-2", image="mlctl/tensorflow-2:2.15-cpu", environment={"TF_USE_LEGACY_KERAS": "1"}),
)
PLAN = Plan(settings=SETTINGS, hosts=HOSTS, shape=Shape(), site=SITE, token="a-token", owner="0d9f9c0e")
SHAPES = st.builds(
    Shape,
    replicas=st.integers(1, 9),
    max_replicas=st.sampled_from([0, 9]),
    cpus=st.sampled_from([0.1, 1, 8]),
    memory=st.sampled_from(["512Mi", "1.5Gi"]),
    gpus=st.integers(0, 2),
    ingress=st.sampled_from(["", "digits.lab"]),
    gateway=st.sampled_from(["", "web", "edge/web"]),
)
PLANS = st.builds(
    Plan,
    settings=st.just(SETTINGS),
    hosts=st.just(HOSTS),
    shape=SHAPES,
    site=SITES,
    token=st.sampled_from(["", "a-token"]),
    owner=st.sampled_from(["", "0d9f9c0e"]),
)


def plan(**shape: object) -> Plan:
    return msgspec.structs.replace(PLAN, shape=Shape().changed(**shape))
