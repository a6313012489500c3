"""From what an API server answers to what a user can do about it: pure functions."""

import json
import re
from typing import Any

from orchestrator.errors import (
    ClusterError,
    ConflictError,
    MlctlError,
    NotFoundError,
    PermissionDeniedError,
    PreflightError,
)

_FORBIDDEN = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_WEBHOOK = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')

_FUTURE = "ResourceVersionTooLarge"  # cause of a 504: the cluster's state was restored from a backup


class GoneError(ClusterError):
    """The server cannot go on from the resourceVersion that was asked for: list again."""


class TroubleError(ClusterError):
    """A call failed, and may work when it is made again.

    Attributes:
        after: Seconds that the server asks to wait; 0 if it does not say.
        passing: Whether there is hope.
    """

    def __init__(self, message: str, *, hint: str = "", after: float = 0.0, passing: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.after = after
        self.passing = passing


class UnknownKindError(ClusterError):
    """The cluster has no such kind of object: it is too old, or what defines the kind is not installed."""


class ExistsError(ConflictError):
    """An object of that name exists already (409)."""


def refusal(status: int, body: str, place: str, *, after: str = "") -> MlctlError:
    """Return the error that fits an answer.

    Args:
        status: HTTP status code.
        body: What came with it, usually a `Status` object as JSON.
        place: The cluster, for people.
        after: The header `Retry-After`, in seconds.
    """
    told = _status(body)
    message = str(told.get("message") or body.strip() or "no reason given")
    match status:
        case 401:
            hint = "log in again, or look at it with: kubectl auth whoami"
            return PermissionDeniedError(f"{place} does not accept these credentials: {message}", hint=hint)
        case 403:
            return _forbidden(message, place)
        case 404:
            return _not_found(message, told, place)
        case 409:
            kind = ExistsError if told.get("reason") == "AlreadyExists" else ConflictError
            return kind(f"{place}: {message}", hint="run the same command again")
        case 410:
            return GoneError(f"{place}: {message}")
        case 400 | 422:
            hint = "correct what it names; the same command with --dry-run -o yaml shows the objects"
            return PreflightError(f"{place} refuses the object: {_with_causes(message, told)}", hint=hint)
    if any(cause.get("reason") == _FUTURE for cause in _causes(told)):
        return GoneError(f"{place}: {message}")
    if status == 429 or status >= 500:
        seconds = float(after) if after.isdecimal() else 0.0
        hint = "its administrators can tell more; run the same command again later"
        return TroubleError(f"{place} fails ({status}): {message}", hint=hint, after=seconds)
    return ClusterError(f"{place} answers {status}: {message}", hint="is this the address of a Kubernetes API server?")


def role_rule(message: str) -> str:
    """Return the rule that a Role lacks, as YAML in one line; empty if the message is about something else."""
    found = _FORBIDDEN.search(message)
    if not found:
        return ""
    return f'{{apiGroups: ["{found["group"]}"], resources: ["{found["resource"]}"], verbs: ["{found["verb"]}"]}}'


def _forbidden(message: str, place: str) -> MlctlError:
    if rule := role_rule(message):
        return PermissionDeniedError(f"{place}: {message}", hint=f"your Role lacks this rule: {rule}")
    if found := _WEBHOOK.search(message):
        hint = f"the cluster's policy {found['name']} wants it otherwise; ask who runs the cluster"
        return PreflightError(f"{place}: {message}", hint=hint)
    if "exceeded quota" in message:
        return PreflightError(f"{place}: {message}", hint="wait for other jobs to end, or ask for a larger quota")
    return PermissionDeniedError(f"{place}: {message}", hint="ask who runs the cluster for the right to do this")


def _not_found(message: str, told: dict[str, Any], place: str) -> MlctlError:
    details = told.get("details") or {}
    if details.get("kind") == "namespaces":
        name = details.get("name", "")
        hint = f"kubectl create namespace {name}, or choose another: mlctl context add --namespace NAME"
        return NotFoundError(f"{place} has no namespace {name!r}", hint=hint)
    if not details:  # an unknown kind of object, or not a Kubernetes answer
        hint = "is this the address of a Kubernetes API server, and is it new enough (1.29)?"
        return UnknownKindError(f"{place} does not know this kind of object: {message}", hint=hint)
    return NotFoundError(f"{place}: {message}")


def _with_causes(message: str, told: dict[str, Any]) -> str:
    lines = [f"\n  - {cause.get('field', '')}: {cause.get('message', '')}" for cause in _causes(told)]
    return message if len(lines) < 2 else message.partition(": ")[0] + "".join(lines)


def _causes(told: dict[str, Any]) -> list[dict[str, Any]]:
    return (told.get("details") or {}).get("causes") or []


def is_status(body: bytes) -> bool:
    """Tell whether an answer is the API server's own, and not that of a Service behind it."""
    told = _status(body.decode(errors="replace"))
    return (told.get("kind"), told.get("apiVersion")) == ("Status", "v1")


def _status(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
