"""Whether a pod fits on a node, and if not, why, in the scheduler's words."""

from collections import Counter
from decimal import Decimal
from typing import NamedTuple

from tests.kubernetes.standin import quantity
from tests.kubernetes.standin.resources import Object

_ZERO = Decimal(0)
NO_VICTIMS = "No preemption victims found for incoming pod"
HELPLESS = "Preemption is not helpful for scheduling"


class Obstacle(NamedTuple):
    """Why a pod does not fit on a node.

    Attributes:
        reason: In the scheduler's words.
        final: Whether no other pod's going would help.
    """

    reason: str
    final: bool = True


class Words:
    """What the scheduler says differently from version to version.

    Attributes:
        taint: Of a node with a taint; has the taint's key and value filled in, up to 1.34.
        deallocation: Before the outcome of preemption, since 1.34.
    """

    def __init__(self, version: str) -> None:
        minor = int(version.split(".")[1])
        self.taint = "node(s) had untolerated taint(s)" if minor >= 35 else "node(s) had untolerated taint {{{}: {}}}"
        self.deallocation = "no new claims to deallocate, " if minor >= 34 else ""


def obstacles(
    pod: Object, wanted: dict[str, Decimal], node: Object, used: dict[str, Decimal], words: Words
) -> list[Obstacle]:
    """Say why a pod does not fit on a node; nothing if it does.

    As the real scheduler does, stops at the first kind of obstacle: unschedulable, taints, affinity, resources.

    Args:
        pod: Which.
        wanted: What it takes.
        node: Where.
        used: What is taken there, with `pods` counted.
        words: Of the version.
    """
    spec = pod["spec"]
    taints = (node.get("spec") or {}).get("taints") or []
    if (node.get("spec") or {}).get("unschedulable"):
        return [Obstacle("node(s) were unschedulable")]
    for taint in taints:
        if taint["effect"] != "PreferNoSchedule" and not tolerates(spec, taint):
            return [Obstacle(words.taint.format(taint["key"], taint.get("value", "")))]
    if not _wants(spec, node):
        return [Obstacle("node(s) didn't match Pod's node affinity/selector")]
    room = {name: quantity.parse(amount) for name, amount in node["status"].get("allocatable", {}).items()}
    found = []
    if used.get("pods", _ZERO) + 1 > room.get("pods", Decimal(110)):
        found.append(Obstacle("Too many pods", final=False))
    for name, amount in wanted.items():
        if amount and used.get(name, _ZERO) + amount > room.get(name, _ZERO):
            found.append(Obstacle(f"Insufficient {name}", final=amount > room.get(name, _ZERO)))
    return found


def tolerates(spec: Object, taint: Object) -> bool:
    """Say whether a pod bears a taint."""
    for toleration in spec.get("tolerations") or []:
        if toleration.get("effect") not in {None, "", taint["effect"]}:
            continue
        key, operator = toleration.get("key"), toleration.get("operator", "Equal")
        if not key and operator == "Exists":
            return True
        if key == taint["key"] and (operator == "Exists" or toleration.get("value", "") == taint.get("value", "")):
            return True
    return False


def _wants(spec: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term(term, node, labels) for term in required["nodeSelectorTerms"])


def _term(term: Object, node: Object, labels: dict[str, str]) -> bool:
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    named = {"metadata.name": node["metadata"]["name"]}
    return bool(expressions or fields) and all(
        [*(_expression(item, labels) for item in expressions), *(_expression(item, named) for item in fields)]
    )


def _expression(item: Object, table: dict[str, str]) -> bool:
    has, values = table.get(item["key"]), item.get("values") or []
    match item["operator"]:
        case "In":
            return has in values
        case "NotIn":
            return has not in values
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
        case "Gt":
            return has is not None and int(has) > int(values[0])
        case _:
            return has is not None and int(has) < int(values[0])


def message(reasons: dict[str, list[Obstacle]], words: Words) -> str:
    """Tell why no node will do, as the event does.

    Args:
        reasons: By the names of the nodes.
        words: Of the version.
    """
    if not reasons:
        return "no nodes available to schedule pods"
    counts = Counter(obstacle.reason for found in reasons.values() for obstacle in found)
    hopeful = sum(not any(obstacle.final for obstacle in found) for found in reasons.values())
    parts = [f"{count} {text}" for count, text in ((hopeful, NO_VICTIMS), (len(reasons) - hopeful, HELPLESS)) if count]
    why = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return told(len(reasons), why, parts, words)


def told(total: int, why: str, preemption: list[str], words: Words) -> str:
    """Put the parts of the message together."""
    available = f"0/{total} nodes are available:"
    return f"{available} {why}. {words.deallocation}preemption: {available} {', '.join(preemption)}."
