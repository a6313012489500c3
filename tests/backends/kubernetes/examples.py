"""Orders and sites that the tests of the manifests start from, and any others."""

from hypothesis import strategies as st

from orchestrator.backends.kubernetes.order import Order, Site
from orchestrator.runtime.task import Task
from orchestrator.specs.flavors import Flavor
from orchestrator.specs.kubernetes import Kubernetes
from orchestrator.specs.kubernetes_parts import Toleration, Volume

SITE = Site(
    namespace="ml",
    runtime_image="mlctl/runtime:0.1.0",
    store={"store": "s3://ml/team-a", "endpoint": "https://minio.lab", "path_style": True},
    store_secret="mlctl-store-0123456789",
)
TASK = Task(
    job="mnist-mxnet",
    version="V0003",
    store="s3://ml/team-a",
    prefix="jobs/mnist-mxnet/V0003/",
    code_key="code/0.tar.gz",
    code_name="mnist-mxnet",
    boot_file="train_mnist.py",
    output_store="s3://ml/team-a",
    output_prefix="jobs/mnist-mxnet/V0003/output/",
)
SMALL = Flavor(name="cpu.small", cpus=1, memory="2Gi")
GPU = Flavor(name="gpu.p100", cpus=8, memory="64Gi", gpus=1, gpu_type="p100")
ORDER = Order(task=TASK, run="4f1a2b3c4d5e6f70", image="mlctl/mxnet-1.9:1.9.1-cpu", sizes=SMALL)


def order(sizes: Flavor = SMALL, nodes: int = 1, **section) -> Order:
    return Order(
        task=TASK, run=ORDER.run, image=ORDER.image, sizes=sizes, nodes=nodes, kubernetes=Kubernetes(**section)
    )


LABELS = st.sampled_from(["a", "0", "team-a", "x" * 63, "a--b"])
KEYS = st.sampled_from(["a", "B_c.d", "example.com/team", "x" * 63, "nvidia.com/gpu"])
VALUES = st.sampled_from(["", "a", "B_c.d", "x" * 63, "0"])
SIZES = st.one_of(st.sampled_from(["1Mi", "1.5Gi", "2G", "1e9", "100Ti"]), st.integers(2**20, 2**50))
TOLERATIONS = st.builds(
    Toleration,
    key=KEYS,
    value=st.none() | VALUES,
    effect=st.just("NoExecute"),
    toleration_seconds=st.none() | st.integers(0, 9),
)
VOLUMES = st.one_of(
    st.builds(Volume, pvc=LABELS, read_only=st.booleans()),
    st.builds(Volume, empty_dir=SIZES),
    st.builds(Volume, config_map=LABELS),
    st.builds(Volume, secret=LABELS),
)
NODE_AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "Exists"}]},
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]},
            ]
        }
    }
}
SECTIONS = st.builds(
    Kubernetes,
    image=st.none() | st.just("registry.lab:5000/team/mxnet:1.9"),
    image_pull_policy=st.sampled_from([None, "Always", "IfNotPresent", "Never"]),
    image_pull_secrets=st.lists(LABELS, max_size=2, unique=True),
    queue=st.none() | LABELS,
    priority_class=st.none() | LABELS,
    runtime_class=st.none() | LABELS,
    service_account=st.none() | LABELS,
    node_selector=st.dictionaries(KEYS, VALUES, max_size=2),
    tolerations=st.lists(TOLERATIONS, max_size=2),
    affinity=st.sampled_from([{}, {"podAntiAffinity": {}}, NODE_AFFINITY]),
    gpu_resource=st.sampled_from([None, "amd.com/gpu", "nvidia.com/mig-1g.5gb"]),
    env_from=st.lists(st.builds("{}/{}".format, st.sampled_from(["secret", "configmap"]), LABELS), max_size=2),
    secrets=st.dictionaries(
        st.sampled_from(["A", "B_1", "AWS_ACCESS_KEY_ID"]), st.builds("{}/{}".format, LABELS, LABELS), max_size=2
    ),
    volumes=st.dictionaries(st.builds("/{}".format, LABELS), VOLUMES, max_size=3),
    shm=st.none() | SIZES,
    cache=st.none() | SIZES,
    disk=st.none() | SIZES,
    retries=st.none() | st.integers(0, 100),
    ttl=st.none() | st.sampled_from(["0s", "1d", 90]),
    security=st.sampled_from([None, "restricted", "image"]),
    labels=st.dictionaries(KEYS, VALUES, max_size=2),
    annotations=st.dictionaries(KEYS, st.text("ab: {}", max_size=5), max_size=2),
    pod=st.sampled_from(
        [
            {},
            {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]},
            {"containers": [{"name": "main", "env": [{"name": "POD_A", "value": "1"}], "tty": True}]},
            {"volumes": [{"name": "cache", "emptyDir": None, "persistentVolumeClaim": {"claimName": "fast"}}]},
            {"initContainers": [{"name": "mine", "image": "busybox:1"}], "dnsPolicy": "Default"},
        ]
    ),
)
FLAVORS = st.builds(
    Flavor,
    name=st.just(""),
    cpus=st.one_of(st.integers(1, 500), st.floats(0.001, 64)),
    memory=SIZES,
    gpus=st.integers(0, 16),
    gpu_type=st.sampled_from([None, "p100", "a100", "NVIDIA-H100-80GB-HBM3"]),
)
JOB_NAMES = st.from_regex(r"[a-z](?:[-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True)
RUNS = st.text("0123456789abcdef", min_size=8, max_size=32)


def task(job: str, version: int, mode: str, seconds: int) -> Task:
    return Task(
        job=job,
        version=f"V{version:04d}",
        store=TASK.store,
        prefix=f"jobs/{job}/V{version:04d}/",
        code_key=TASK.code_key,
        code_name=TASK.code_name,
        boot_file=TASK.boot_file,
        output_store=TASK.output_store,
        output_prefix=TASK.output_prefix,
        data_mode=mode,
        max_duration=seconds,
    )


ORDERS = st.builds(
    Order,
    task=st.builds(
        task, JOB_NAMES, st.integers(1, 999_999_999), st.sampled_from(["local", "url"]), st.integers(1, 3650 * 86400)
    ),
    run=RUNS,
    image=st.just(ORDER.image),
    sizes=FLAVORS,
    nodes=st.integers(1, 64),
    kubernetes=SECTIONS,
)
SITES = st.builds(
    Site,
    namespace=LABELS,
    runtime_image=st.just(SITE.runtime_image),
    image_registry=st.sampled_from(["", "registry.lab:5000/mirror"]),
    store=st.just(SITE.store),
    store_secret=st.just(SITE.store_secret),
    ca_bundle=st.booleans(),
    defaults=st.one_of(st.just(Kubernetes()), SECTIONS),
)
