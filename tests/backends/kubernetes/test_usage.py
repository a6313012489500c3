from orchestrator.backends.kubernetes.state import Seen
from orchestrator.backends.kubernetes.usage import usage_of


def measured(name, *containers):
    used = [
        {"name": f"c{number}", "usage": {"cpu": cpu, "memory": memory}}
        for number, (cpu, memory) in enumerate(containers)
    ]
    return {name: {"metadata": {"name": name}, "window": "15s", "containers": used}}


def pod(name):
    return {"metadata": {"name": name}}


def test_all_containers_of_all_pods_count():
    found = (
        measured("a", ("1500m", "2Gi"), ("4000000n", "10Mi"))
        | measured("b", ("250m", "1Gi"))
        | measured("other", ("9", "9Gi"))
    )
    usage = usage_of(Seen({}, [pod("a"), pod("b")]), found)
    assert usage and round(usage.cpus, 3) == 1.754 and usage.memory == 3 * 1024**3 + 10 * 1024**2


def test_what_was_not_measured_is_not_told():
    assert usage_of(Seen({}, [pod("new")]), measured("a", ("1", "1Gi"))) is None
    assert usage_of(None, {}) is None
