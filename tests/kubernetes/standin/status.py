"""What the API server says when it does not do what it was asked: `Status` objects with the real server's words."""

from typing import NamedTuple

from tests.kubernetes.standin.resources import Object, Resource


class Cause(NamedTuple):
    """One thing wrong with a field.

    Attributes:
        reason: Such as `FieldValueRequired`.
        message: Such as `Required value`.
        field: Such as `spec.template.spec.restartPolicy`.
    """

    reason: str
    message: str
    field: str


class ApiError(Exception):
    """An answer that is not a success.

    Attributes:
        code: Of HTTP.
        reason: Such as `NotFound`.
        details: What it is about.
        headers: To send along, such as `Retry-After`.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.headers = headers or {}

    def body(self) -> Object:
        """Tell it as a `Status` object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            **({"reason": self.reason} if self.reason else {}),
            **({"details": self.details} if self.details is not None else {}),
            "code": self.code,
        }


def _about(resource: Resource, name: str, **more: object) -> Object:
    return {
        **({"name": name} if name else {}),
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
        **more,
    }


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403."""
    subject = f'{resource.full_name} "{name}"' if name else resource.full_name
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=_about(resource, name))


def not_found(resource: Resource, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, "NotFound", f'{resource.full_name} "{name}" not found', details=_about(resource, name))


def no_such_path() -> ApiError:
    """404 for a path that no resource has."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def not_allowed(resource: Resource) -> ApiError:
    """405."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 on create."""
    message = f'{resource.full_name} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_about(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """409 on update."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_about(resource, name))


def expired(message: str) -> ApiError:
    """410: the resourceVersion or the continue token is older than the history."""
    return ApiError(410, "Expired", message)


def invalid(resource: Resource, name: str, causes: list[Cause]) -> ApiError:
    """422, with all that is wrong."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details: Object = {
        "name": name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.kind,
        "causes": [cause._asdict() for cause in causes],
    }
    return ApiError(422, "Invalid", f'{resource.full_kind} "{name}" is invalid: {text}', details=details)


STANDARD = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "the object has been modified; please apply your changes to the latest version and try again"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: leader changed"),
    503: ("ServiceUnavailable", "The server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded"),
}


def standard(code: int, message: str = "", retry_after: int | None = 1) -> ApiError:
    """Give the usual answer of a code, for faults that a test asks for.

    Args:
        code: Of HTTP.
        message: Other words than the usual ones.
        retry_after: Seconds, told with 429 and 503; None tells nothing.
    """
    reason, usual = STANDARD[code]
    told = retry_after is not None and code in {429, 503}
    return ApiError(
        code,
        reason,
        message or usual,
        details={"retryAfterSeconds": retry_after} if told else None,
        headers={"Retry-After": str(retry_after)} if told else {},
    )
