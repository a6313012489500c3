"""Whether a node could take a pod if it were empty, and if not, why: the scheduler's rules that users meet.

Sources: the Kubernetes documentation on node affinity, taints and tolerations, and resource management.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator.backends.kubernetes import pods
from orchestrator.backends.kubernetes.gpus import kind_of

Json = dict[str, Any]

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def why_not(pod: Json, node: Json) -> str:
    """Return why a node can never take a pod, in a few words; empty if it could when it were empty."""
    spec = pod.get("spec", {})
    if node.get("spec", {}).get("unschedulable"):
        return "takes no new pods (cordoned)"
    if not pods.holds(node, "Ready"):
        return "is not ready"
    labels = node["metadata"].get("labels") or {}
    missing = [f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items() if labels.get(key) != value]
    if missing:
        return f"lacks the label {', '.join(missing)}"
    if reason := _affinity(spec, labels, pods.name_of(node)):
        return reason
    for taint in node.get("spec", {}).get("taints") or ():
        if taint.get("effect") != "PreferNoSchedule" and not _tolerated(taint, spec.get("tolerations") or ()):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"has the taint {taint['key']}{value}:{taint['effect']}, which the job does not tolerate"
    return _resources(requests_of(pod), node.get("status", {}).get("allocatable") or {}, labels)


def requests_of(pod: Json) -> dict[str, Decimal]:
    """Return what a pod asks for: the sum of its containers and sidecars, or its largest init container."""
    spec = pod.get("spec", {})
    total: dict[str, Decimal] = {}
    largest: dict[str, Decimal] = {}
    for one in spec.get("initContainers") or ():
        target = total if one.get("restartPolicy") == "Always" else largest
        for name, amount in _requests(one).items():
            target[name] = (
                target.get(name, Decimal(0)) + amount if target is total else max(target.get(name, Decimal(0)), amount)
            )
    for one in spec.get("containers") or ():
        for name, amount in _requests(one).items():
            total[name] = total.get(name, Decimal(0)) + amount
    return {name: max(total.get(name, Decimal(0)), largest.get(name, Decimal(0))) for name in {*total, *largest}}


def amount_of(quantity: str | int | float) -> Decimal:
    """Return a Kubernetes quantity, as `500m` or `32Gi`, as a number; 0 of what is none."""
    text = str(quantity)
    number = text.rstrip("numkKMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return Decimal(0)


def _requests(one: Json) -> dict[str, Decimal]:
    resources = one.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: amount_of(quantity) for name, quantity in asked.items()}


def _resources(wanted: Mapping[str, Decimal], has: Mapping[str, str], labels: Mapping[str, str]) -> str:
    short = []
    for name, amount in sorted(wanted.items()):
        if amount > amount_of(has.get(name, "0")):
            kind = f" ({kind_of(labels)})" if "gpu" in name and has.get(name) and kind_of(labels) else ""
            there = _plain(name, amount_of(has[name])) if name in has else "no"
            short.append(f"has {there} {name}{kind}, it asks for {_plain(name, amount)}")
    return "; ".join(short)


def _plain(name: str, amount: Decimal) -> str:
    if name in ("memory", "ephemeral-storage") and amount >= 1024**2:
        return f"{float(amount / 1024**3):.3g}Gi" if amount >= 1024**3 else f"{float(amount / 1024**2):.3g}Mi"
    return f"{amount.normalize():f}"


def _affinity(spec: Json, labels: Mapping[str, str], name: str) -> str:
    node = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (node or {}).get("nodeSelectorTerms") or ()
    if not terms:
        return ""
    for term in terms:
        expressions = term.get("matchExpressions") or ()
        fields = term.get("matchFields") or ()
        if all(_matches(one, labels) for one in expressions) and all(
            _matches(one, {"metadata.name": name}) for one in fields
        ):
            return ""
    wanted = {
        f"{one['key']} {one['operator']} {'|'.join(one.get('values') or ())}".strip()
        for term in terms
        for one in term.get("matchExpressions") or ()
    }
    if any("gpu" in one.lower() or "accelerator" in one for one in wanted):
        has = kind_of(labels)
        return f"has GPUs of another kind ({has})" if has else "has no GPU of that kind"
    return f"does not match {' or '.join(sorted(wanted))}"


def _matches(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt" as operator:
            has = labels.get(key, "")
            if not has.lstrip("-").isdecimal() or not values:
                return False
            return int(has) > int(values[0]) if operator == "Gt" else int(has) < int(values[0])
    return False


def _tolerated(taint: Json, tolerations: Any) -> bool:
    for one in tolerations:
        if one.get("effect") and one["effect"] != taint.get("effect"):
            continue
        if one.get("operator", "Equal") == "Exists":
            if one.get("key") in (None, "", taint["key"]):
                return True
        elif one.get("key") == taint["key"] and (one.get("value") or "") == (taint.get("value") or ""):
            return True
    return False
