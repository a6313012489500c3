import pytest

from orchestrator.errors import PermissionDeniedError, SpecError
from orchestrator.specs.flavors import get_flavor, price_of, resolve_resources
from orchestrator.specs.job_parts import Resources
from orchestrator.specs.prices import Price, Prices, read_prices

GIB = 2**30


def write(home, text, file="prices.yaml"):
    home.mkdir(exist_ok=True)
    (home / file).write_text(text)


def test_without_a_file_only_flavors_have_prices():
    assert read_prices() == Prices()
    assert price_of(get_flavor("gpu.4xp100"), "kubernetes") == Price(30.0, "CNY")
    assert price_of(get_flavor("gpu.v100"), "kubernetes") is None
    assert price_of(resolve_resources(Resources(cpus=4)), "kubernetes") is None


def test_this_machine_is_free_unless_the_user_says_otherwise(home):
    assert price_of(get_flavor("gpu.4xp100"), "local") == Price(0.0, "CNY")
    write(home, "local: true")
    assert price_of(get_flavor("gpu.4xp100"), "local") == Price(30.0, "CNY")


@pytest.mark.parametrize(
    ("resources", "per_hour"),
    [
        (Resources(cpus=4, memory="8Gi"), 4 * 0.5 + 8 * 0.25),
        (Resources(cpus=1, memory="2Gi", gpus=2, gpu_type="p100"), 0.5 + 2 * 0.25 + 2 * 3),
        (Resources(cpus=1, memory="2Gi", gpus=2, gpu_type="b200"), 0.5 + 2 * 0.25 + 2 * 8),
        (Resources(cpus=1, memory="2Gi", gpus=1), 0.5 + 2 * 0.25 + 8),
        (Resources(flavor="cpu.small"), 0.5 + 2 * 0.25),
        (Resources(flavor="gpu.p100"), 7.5),  # its own
    ],
)
def test_prices_of_parts_are_for_sizes_without_a_price(home, resources, per_hour):
    write(home, "{currency: EUR, cpu: 0.5, memory: 0.25, gpus: {p100: 3, any: 8}}")
    price = price_of(resolve_resources(resources), "kubernetes")
    assert price == Price(per_hour, "CNY" if resources.flavor == "gpu.p100" else "EUR")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("gpus: {p100: 3}", {"p100": 3.0}),
        ("{cpu: 0, gpus: {p100: 3}}", {"p100": 3.0, None: 0.0}),
        ("currency: EUR", {}),
    ],
)
def test_what_is_not_priced_is_not_known(home, text, known):
    write(home, text)
    for gpu in ("p100", "v100", None):
        resources = Resources(cpus=1, gpus=int(bool(gpu)), gpu_type=gpu)
        price = price_of(resolve_resources(resources), "kubernetes")
        assert (price and price.per_hour) == known.get(gpu)


def test_flavors_without_a_currency_have_that_of_the_prices(home):
    write(home, "currency: EUR")
    write(home, "gpu.v100: {price_per_hour: 2}\ngpu.p100: {cpus: 9}\nmine: {cpus: 1, memory: 1Gi}", "flavors.yaml")
    found = {name: get_flavor(name) for name in ("gpu.v100", "gpu.p100", "mine", "gpu.4xp100")}
    assert {name: (one.price_per_hour, one.currency) for name, one in found.items()} == {
        "gpu.v100": (2, "EUR"),
        "gpu.p100": (7.5, "CNY"),  # which the user did not change
        "mine": (None, "EUR"),
        "gpu.4xp100": (30, "CNY"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus: 4", "prices.yaml:1:1: unknown key `cpus`; did you mean `cpu`?"),
        ("cpu: -1", "prices.yaml:1:6: `cpu` must be a number, 0 or more, not `-1`"),
        ("cpu: cheap", "prices.yaml:1:6: `cpu` must be a number, 0 or more, not `cheap`"),
        ("cpu: .nan", 'prices.yaml:1:6: ".nan" is not a finite number'),
        ("cpu: .inf", 'prices.yaml:1:6: ".inf" is not a finite number'),
        ("gpus: 3", "prices.yaml:1:7: `gpus` must be a mapping of kinds to numbers, not `3`"),
        ("gpus: {p100: no}", "prices.yaml:1:14: `gpus.p100` must be a number, 0 or more"),
        ("local: 1", "prices.yaml:1:8: `local` must be true or false, not `1`"),
        ("[a]", "prices.yaml:1:1: prices are a mapping"),
        ("a: [", "prices.yaml:1:5: not valid YAML"),
    ],
)
def test_prices_that_are_wrong(home, text, message):
    write(home, text)
    with pytest.raises(SpecError) as caught:
        read_prices()
    assert caught.value.message.removeprefix(f"{home}/").startswith(message)


def test_an_empty_file(home):
    write(home, "# none yet\n")
    assert read_prices() == Prices()


def test_prices_that_cannot_be_read(home):
    (home / "prices.yaml").mkdir(parents=True)
    with pytest.raises(PermissionDeniedError, match="cannot read"):
        read_prices()
