"""From requests to verbs, and from objects to answers."""

import base64
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tests.kubernetes.standin import discovery, patch, selectors, watching
from tests.kubernetes.standin.api import Api, DeleteOptions, Options
from tests.kubernetes.standin.request import Request
from tests.kubernetes.standin.resources import Object
from tests.kubernetes.standin.selectors import Match
from tests.kubernetes.standin.status import bad_request, expired, no_such_path, not_allowed
from tests.kubernetes.standin.store import Entry

if TYPE_CHECKING:
    from tests.kubernetes.standin.connection import Connection
    from tests.kubernetes.standin.faults import Faults


class Part(Protocol):
    """Serves a subresource such as `pods/log`."""

    def __call__(self, request: Request, connection: "Connection", body: Any) -> None: ...


class Handlers:
    """Answers requests.

    Attributes:
        api: Does what they ask.
        faults: Say who may do what.
        parts: Who serves which subresource, by names such as `pods/log`.
        absent: Groups of the API that this cluster does not have.
        bookmark_every: Seconds between the bookmarks of a watch.
    """

    def __init__(self, api: Api, faults: "Faults", bookmark_every: float) -> None:
        self.api = api
        self.faults = faults
        self.parts: dict[str, Part] = {}
        self.absent: set[str] = set()
        self.bookmark_every = bookmark_every

    def take_warnings(self) -> list[str]:
        """Give the warnings of the request that this thread is at."""
        taken = list(self.api.warnings)
        self.api.warnings.clear()
        return taken

    def without_resource(self, method: str, path: str, body: Any) -> Object | None:
        """Answer what is asked of the server itself; None if there is nothing of that name."""
        return discovery.answer(method, path, body, self.faults, self.api.schemas, self.absent)

    def answer(self, request: Request, connection: "Connection", body: bytes) -> None:
        """Answer a request on its connection."""
        if request.resource.group in self.absent:
            connection.send_whole(b"404 page not found\n", 404, kind="text/plain; charset=utf-8")
            return
        serve = self.parts.get(request.role_resource)
        if serve and request.part == "proxy":
            serve(request, connection, body)  # which need not be JSON
        elif serve and request.part:
            serve(request, connection, connection.decode(body))
        elif request.verb == "watch" or request.flag("watch"):
            watching.serve(self.api.store, request, _selection(request), connection, self.bookmark_every)
        elif request.verb == "list":
            connection.send_json(self._list(request))
        else:
            kind = connection.headers.get("Content-Type", "").partition(";")[0]
            answer, code = self.carry_out(request, connection.decode(body), kind)
            connection.send_json(answer, code)

    def carry_out(self, request: Request, body: Any, kind: str = "") -> tuple[bytes | Object, int]:
        """Do what a request for one object asks.

        Returns:
            The answer and its code.
        """
        api, resource, where = self.api, request.resource, (request.resource, request.namespace, request.name)
        if request.part not in {"", "status"} or (request.part == "status" and not resource.has_status):
            raise no_such_path()
        options = Options(
            strict=request.query.get("fieldValidation") or "Warn",
            dry_run=request.query.get("dryRun") == "All",
            force=request.flag("force"),
            manager=request.query.get("fieldManager", ""),
        )
        match request.verb:
            case "get":
                return api.store.get(*where).data, 200
            case "create" if not resource.namespaced or request.namespace:
                return api.create(resource, request.namespace, body, options).data, 201
            case "update":
                return api.replace(*where, body, options, request.part).data, 200
            case "patch":
                entry, new = api.patch(*where, kind, body, options, request.part)
                return entry.data, 201 if new else 200
            case "delete":
                return self._delete(request, body)
            case "deletecollection":
                matches = _selection(request)
                gone = [entry for entry in api.store.entries(resource, request.namespace) if matches(entry.value)]
                for entry in gone:
                    metadata = entry.value["metadata"]
                    api.delete(
                        resource, metadata.get("namespace", ""), metadata["name"], _delete_options(request, body)
                    )
                return _list_body(request, [entry.item for entry in gone], {}, api.store.revision), 200
        raise not_allowed(resource)

    def _delete(self, request: Request, body: Any) -> tuple[bytes | Object, int]:
        resource = request.resource
        found = self.api.store.get(resource, request.namespace, request.name)
        entry, gone = self.api.delete(resource, request.namespace, request.name, _delete_options(request, body))
        if not gone or resource.plural == "pods":
            return entry.data, 200
        details = {"name": request.name, "kind": resource.plural, "uid": found.value["metadata"]["uid"]}
        if resource.group:
            details["group"] = resource.group
        said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return said, 200

    def _list(self, request: Request) -> bytes:
        store = self.api.store
        matches = _selection(request)
        limit, token = int(request.query.get("limit") or 0), request.query.get("continue", "")
        with store.locked():
            entries, revision = store.entries(request.resource, request.namespace), store.revision
            forgotten = store.forgotten
        after = ("", "")
        if token:
            revision, *place = msgspec.json.decode(_untoken(token))
            after = (place[0], place[1])
            if revision < forgotten:
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                    "new list without the continue parameter, or use the continue token in this response to retrieve "
                    "the remainder of the results. Continuing with the provided token results in an inconsistent list "
                    "- objects that were created, modified, or deleted between the time the first chunk was returned "
                    "and now may show up in the list."
                )
        elif (said := request.query.get("resourceVersion", "0")).isdigit() and int(said or 0) > revision:
            raise expired(f"Too large resource version: {said}, current: {revision}")
        chosen = [entry for entry in entries if _place(entry) > after and matches(entry.value)]
        metadata: Object = {}
        if limit and len(chosen) > limit:
            place = _place(chosen[limit - 1])
            metadata["continue"] = base64.urlsafe_b64encode(msgspec.json.encode([revision, *place])).decode()
            if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(chosen) - limit
            chosen = chosen[:limit]
        items = [entry.item if request.resource.schema else entry.data for entry in chosen]
        return _list_body(request, items, metadata, revision)


def _place(entry: Entry) -> tuple[str, str]:
    return entry.value["metadata"].get("namespace", ""), entry.value["metadata"]["name"]


def _untoken(token: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(token)
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {error}") from error


def _list_body(request: Request, items: list[bytes], metadata: Object, revision: int) -> bytes:
    resource = request.resource
    head = {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(revision), **metadata},
    }
    return msgspec.json.encode(head)[:-1] + b',"items":[' + b",".join(items) + b"]}"


def _selection(request: Request) -> Match:
    labels = selectors.labels(request.query.get("labelSelector", ""))
    fields = selectors.fields(request.query.get("fieldSelector", ""), request.resource.kind)
    return lambda obj: labels(obj) and fields(obj)


def _delete_options(request: Request, body: Any) -> DeleteOptions:
    said = body if isinstance(body, dict) else {}
    query = request.query
    if "propagationPolicy" in query:
        said = {**said, "propagationPolicy": query["propagationPolicy"]}
    if "gracePeriodSeconds" in query:
        said = {**said, "gracePeriodSeconds": int(query["gracePeriodSeconds"])}
    if query.get("dryRun"):
        said = {**said, "dryRun": ["All"]}
    try:
        return msgspec.convert(patch.merge({}, said), DeleteOptions)
    except msgspec.ValidationError as error:
        raise bad_request(f"invalid delete options: {error}") from error
