"""What a client asks, read from the path and the query."""

from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests.kubernetes.standin.resources import BY_PATH, NAMESPACES, Resource

TRUE = {"1", "t", "T", "true", "TRUE", "True"}  # as Go's strconv.ParseBool reads them
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a resource.

    Attributes:
        verb: As in a Role: get, list, watch, create, update, patch, delete or deletecollection.
        resource: What is asked for.
        namespace: Empty for all.
        name: Empty for all.
        part: The subresource, such as `log`.
        rest: What comes after the part `proxy`.
        query: Parameters; of several of a name, the last.
        commands: All parameters called `command`.
    """

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    part: str = ""
    rest: str = ""
    query: dict[str, str] = {}
    commands: list[str] = []

    @property
    def role_resource(self) -> str:
        """The resource as a Role names it, such as `pods/log`."""
        return f"{self.resource.plural}/{self.part}" if self.part else self.resource.plural

    def flag(self, name: str) -> bool:
        """Say whether a parameter is set and true."""
        return self.query.get(name, "") in TRUE


def read(method: str, url: str) -> Request | None:
    """Read a request line; gives None if no resource has such a path."""
    parts = urlsplit(url)
    path = [unquote(part) for part in parts.path.strip("/").split("/")]
    many = parse_qs(parts.query, keep_blank_values=True)
    query = {name: values[-1] for name, values in many.items()}
    match path:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) >= 3 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    elif rest[:1] == ["namespaces"] and len(rest) >= 2:
        namespace = ""
    resource = BY_PATH.get((group, version, rest[0])) if rest else None
    proxied = ""
    if rest[2:3] == ["proxy"]:
        rest, proxied = rest[:3], "/".join(rest[3:])
    if resource is None or len(rest) > 3 or bool(namespace) > resource.namespaced:
        return None
    name, part = [*rest[1:], "", ""][:2]
    if resource.namespaced and name and not namespace:
        return None
    verb = _VERBS.get(method)
    if verb is None:
        return None
    if not name:
        verb = {"get": "watch" if query.get("watch") in TRUE else "list", "delete": "deletecollection"}.get(verb, verb)
    return Request(
        verb=verb,
        resource=resource,
        namespace=namespace if resource != NAMESPACES else "",
        name=name,
        part=part,
        rest=proxied,
        query=query,
        commands=many.get("command", []),
    )
