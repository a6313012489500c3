import msgspec
import pytest

from orchestrator.specs.kubernetes import Kubernetes, defaults_and
from orchestrator.specs.kubernetes_parts import Toleration, Volume

from .examples import FULL, KUBERNETES, MINIMAL, parse, refusal


def section(text: str) -> Kubernetes:
    return parse(f"{MINIMAL}kubernetes: {text}").spec.kubernetes


def test_without_the_section_nothing_is_said_and_nothing_is_recorded():
    assert parse(MINIMAL).spec.kubernetes == Kubernetes()
    assert msgspec.to_builtins(parse(MINIMAL).spec)["kubernetes"] == {}


def test_the_section_survives_json():
    assert msgspec.json.decode(msgspec.json.encode(KUBERNETES), type=Kubernetes) == KUBERNETES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{imag: a}", "job.yaml:5:14: unknown key `kubernetes.imag`; did you mean `image`?"),
        ("[]", "job.yaml:5:13: `kubernetes` must be a mapping, not a list; "),
        ("{image: Team/mxnet}", "job.yaml:5:21: `kubernetes.image` must be an image, "),
        ("{image: 'a b'}", "job.yaml:5:21: `kubernetes.image` must be an image, "),
        ("{image_pull_policy: Allways}", "job.yaml:5:33: `kubernetes.image_pull_policy` must be `Always`, "),
        ("{security: restrictd}", "did you mean `security: restricted`?"),
        ("{queue: Team_A}", "job.yaml:5:21: `kubernetes.queue` must be the name of a Kubernetes object"),
        ("{image_pull_secrets: a}", "`kubernetes.image_pull_secrets` must be a list of the names of Secrets, not `a`"),
        ("{image_pull_secrets: [a, B]}", "job.yaml:5:38: `kubernetes.image_pull_secrets[1]` must be the name of "),
        ("{image_pull_secrets: [a, B]}", "for example: `- registry-lab`"),
        ("{node_selector: {gpu: true}}", "`kubernetes.node_selector.gpu` must be text of at most 63 "),
        ("{node_selector: {gpu: true}}", 'did you mean `gpu: "true"`?'),
        ("{node_selector: {-x: a}}", "job.yaml:5:30: key `kubernetes.node_selector.-x` must be the key of a label"),
        ("{tolerations: {key: a}}", "`kubernetes.tolerations` must be a list of mappings, not a mapping"),
        ("{tolerations: [a]}", "job.yaml:5:28: `kubernetes.tolerations[0]` must be a mapping, not `a`"),
        ("{tolerations: [{ky: a}]}", "unknown key `kubernetes.tolerations[0].ky`; did you mean `key`?"),
        ("{tolerations: [{tolerationSeconds: 1}]}", "did you mean `toleration_seconds`?"),
        ("{tolerations: [{value: a}]}", "`kubernetes.tolerations[0].value` needs the `key` of a taint"),
        ("{tolerations: [{key: a, operator: Exists, value: b}]}", "`Exists` takes no `value`"),
        ("{tolerations: [{key: a, toleration_seconds: 1}]}", "is for `effect: NoExecute` only"),
        ("{gpu_resource: gpu}", "`kubernetes.gpu_resource` must be the name of an extended resource"),
        ("{env_from: [settings]}", "`kubernetes.env_from[0]` must be `secret/NAME` or `configmap/NAME`"),
        ("{secrets: {KEY: wandb}}", "`kubernetes.secrets.KEY` must be `SECRET/KEY`, not `wandb`"),
        ("{secrets: {1KEY: a/b}}", "key `kubernetes.secrets.1KEY` must be letters, digits"),
        ("{volumes: {data: {pvc: a}}}", "key `kubernetes.volumes.data` must be an absolute path"),
        ("{volumes: {/mlctl/x: {pvc: a}}}", "key `kubernetes.volumes./mlctl/x` must be an absolute path"),
        ("{volumes: {/data: }}", "job.yaml:5:31: `kubernetes.volumes./data` must be a mapping, not nothing"),
        ("{volumes: {/data: {}}}", "`kubernetes.volumes./data.pvc` is missing: a volume has one of pvc, "),
        ("{volumes: {/data: {pvc: a, secret: b}}}", "job.yaml:5:48: `kubernetes.volumes./data.secret` stands beside"),
        ("{volumes: {/data: {empty_dir: 5}}}", "`kubernetes.volumes./data.empty_dir` must be an amount of disk"),
        ("{volumes: {/data: {empty_dir: '5'}}}", "did you mean `empty_dir: 5Gi`?"),
        ("{volumes: {/data: {host_path: /x}}}", "unknown key `kubernetes.volumes./data.host_path`"),
        ("{shm: 8gb}", "did you mean `shm: 8G`?"),
        ("{cache: '1e50'}", "`kubernetes.cache` is impossible: no machine has 1e50"),
        ("{retries: -1}", "`kubernetes.retries` must be a whole number from 0 to 100"),
        ("{ttl: 2 days}", "did you mean `ttl: 2d`?"),
        ("{ttl: 99999d}", "`kubernetes.ttl` is impossible: a duration is between 0 and"),
        ("{labels: {mlctl/job: a}}", "key `kubernetes.labels.mlctl/job` must be the key of a label"),
        ("{labels: {app.kubernetes.io/name: a}}", "are mlctl's own"),
        ("{annotations: {a: 1}}", 'did you mean `a: "1"`?'),
        ("{pod: [a]}", "`kubernetes.pod` must be a mapping, not a list"),
    ],
)
def test_mistakes_are_told_with_their_place(text, message):
    lines = refusal(f"{MINIMAL}kubernetes: {text}\n")
    assert message in "\n".join(lines)
    assert lines[0].startswith("job.yaml:5:")


def test_all_mistakes_of_lists_and_mappings_are_told_at_once():
    lines = refusal(MINIMAL + "kubernetes:\n  tolerations: [{key: '-'}, 1]\n  volumes: {/a: {pvc: B}, b: {pvc: c}}\n")
    assert [line.partition(":")[2].partition(":")[0] for line in lines] == ["6", "6", "7", "7"]


def test_what_is_accepted():
    image = "registry.lab:5000/a/b__c/d-e:V1.2@sha256:" + "0" * 64
    assert section("{image: '" + image + "'}").image == image
    assert section("{image: python}").image == "python"
    assert section("{gpu_resource: nvidia.com/mig-1g.5gb}").gpu_resource == "nvidia.com/mig-1g.5gb"
    assert section("{tolerations: [{operator: Exists}, {}]}").tolerations == [
        Toleration(operator="Exists"),
        Toleration(),
    ]
    assert section("{volumes: {/mlctls: {pvc: a}, /dev/shmx/y: {secret: b}}}").volumes == {
        "/mlctls": Volume(pvc="a"),
        "/dev/shmx/y": Volume(secret="b"),
    }
    assert section("{pod: {containers: [{name: main, tty: true}], x: null}}").pod == {
        "containers": [{"name": "main", "tty": True}],
        "x": None,
    }


def test_a_key_is_set_from_the_command_line_and_holds_variables():
    assert parse(MINIMAL, assignments=["kubernetes.queue=b"]).spec.kubernetes == Kubernetes(queue="b")
    changed = parse(FULL, assignments=["kubernetes.retries=0", "kubernetes.volumes=null"]).spec.kubernetes
    assert (changed.retries, changed.volumes, changed.queue) == (0, {}, "team-a")
    text = MINIMAL + "variables: {TEAM: a}\nkubernetes: {queue: 'team-${TEAM}', image_pull_secrets: ['${TEAM}']}\n"
    assert parse(text).spec.kubernetes == Kubernetes(queue="team-a", image_pull_secrets=["a"])


def test_what_a_job_leaves_open_is_the_contexts_choice():
    defaults = Kubernetes(
        queue="all",
        retries=3,
        security="image",
        node_selector={"pool": "a", "zone": "1"},
        tolerations=[Toleration(key="x")],
    )
    own = Kubernetes(retries=0, node_selector={"pool": "b"}, tolerations=[Toleration(key="x"), Toleration(key="y")])
    assert defaults_and(defaults, own) == Kubernetes(
        queue="all",
        retries=0,
        security="image",
        node_selector={"pool": "b", "zone": "1"},
        tolerations=[Toleration(key="x"), Toleration(key="y")],
    )
    assert defaults_and(Kubernetes(), KUBERNETES) == KUBERNETES == defaults_and(KUBERNETES, Kubernetes())
