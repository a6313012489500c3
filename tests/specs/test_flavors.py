import pytest

from orchestrator.errors import NotFoundError, PermissionDeniedError, SpecError
from orchestrator.specs.flavors import Flavor, get_flavor, list_flavors, resolve_resources
from orchestrator.specs.job_parts import Resources

GIB = 2**30


def write(home, text):
    home.mkdir(exist_ok=True)
    (home / "flavors.yaml").write_text(text)


def test_built_in_flavors():
    names = [flavor.name for flavor in list_flavors()]
    assert names[:3] == ["cpu.small", "cpu.medium", "cpu.large"]
    assert {"gpu.p100", "gpu.4xp100", "gpu.v100", "gpu.a100", "gpu.8xa100"} <= set(names)
    four = get_flavor("gpu.4xp100")
    assert (four.gpus, four.gpu_type, four.price_per_hour, four.currency) == (4, "p100", 30, "CNY")
    assert get_flavor("cpu.small").memory_bytes == 2 * GIB


def test_an_unknown_flavor():
    with pytest.raises(NotFoundError, match=r"no flavor `cpu\.smal`; did you mean `cpu\.small`"):
        get_flavor("cpu.smal")


def test_own_flavors_add_and_change(home):
    write(home, "gpu.v100: {price_per_hour: 19.5}\ngpu.mine: {cpus: 4, memory: 16Gi, gpus: 1, currency: EUR}\n")
    changed = get_flavor("gpu.v100")
    assert (changed.price_per_hour, changed.gpus, changed.memory) == (19.5, 1, "64Gi")
    assert list_flavors()[-1] == Flavor(name="gpu.mine", cpus=4, memory="16Gi", gpus=1, currency="EUR")


def test_an_empty_file_changes_nothing(home):
    before = list_flavors()
    write(home, "# none yet\n")
    assert list_flavors() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine: {cpus: 4}", "flavors.yaml:1:7: missing key `mine.memory`; for example: `memory: 32Gi`"),
        ("mine: {cpu: 4, memory: 1Gi}", "flavors.yaml:1:8: unknown key `mine.cpu`; did you mean `cpus`?"),
        (
            "cpu.small: {cpus: none}",
            "flavors.yaml:1:19: `cpu.small.cpus` must be a number of cores above 0, not `none`",
        ),
        ("mine: {cpus: 1, memory: 3}", "flavors.yaml:1:25: `mine.memory` must be an amount of memory, not `3`"),
        ("mine: {cpus: 1, memory: '3'}", "flavors.yaml:1:25: `mine.memory` is only 3 bytes"),
        ("mine: {name: x, cpus: 1, memory: 1Gi}", "flavors.yaml:1:8: unknown key `mine.name`"),
        ("mine: 4", "flavors.yaml:1:7: `mine` must be a mapping"),
        ("[a]", "flavors.yaml:1:1: flavors are a mapping"),
        ("a: [", "flavors.yaml:1:5: not valid YAML"),
        ("My Flavor: {cpus: 1, memory: 1Gi}", 'flavors.yaml:1:1: `"My Flavor"` cannot be the name of a flavor'),
    ],
)
def test_own_flavors_that_are_wrong(home, text, message):
    write(home, text)
    with pytest.raises(SpecError) as caught:
        list_flavors()
    assert caught.value.message.removeprefix(f"{home}/").startswith(message)


def test_own_flavors_that_cannot_be_read(home):
    (home / "flavors.yaml").mkdir(parents=True)
    with pytest.raises(PermissionDeniedError, match="cannot read"):
        list_flavors()


@pytest.mark.parametrize(
    ("resources", "sizes"),
    [
        (Resources(), (1, 2 * GIB, 0)),
        (Resources(flavor="cpu.large"), (8, 32 * GIB, 0)),
        (Resources(cpus=4), (4, 8 * GIB, 0)),
        (Resources(memory="512Mi"), (1, GIB // 2, 0)),
        (Resources(gpus=2, gpu_type="p100"), (16, 128 * GIB, 2)),
        (Resources(gpus=2, cpus=3, memory="7Gi"), (3, 7 * GIB, 2)),
    ],
)
def test_sizes_of_a_job(resources, sizes):
    found = resolve_resources(resources)
    assert (found.cpus, found.memory_bytes, found.gpus) == sizes
    assert found.gpu_type == resources.gpu_type
