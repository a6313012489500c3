"""What went wrong in a request: read out of what obstore and botocore raise, told so that a user can act on it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from orchestrator.errors import MlctlError, PermissionDeniedError, StoreError
from orchestrator.store.base import ObjectNotFoundError
from orchestrator.store.s3.address import DEFAULT_REGION, Address
from orchestrator.store.s3.credentials import Credentials

Kind = Literal["answer", "connect", "tls", "broken", "strange", "region", "keys", "unreadable"]
Action = Literal["read", "write", "list", "delete", "copy"]

_PERMISSIONS: dict[Action, str] = {
    "read": "s3:GetObject", "write": "s3:PutObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject",
    "copy": "s3:GetObject and s3:PutObject",
}  # fmt: skip
PROXY_LOGIN = 407  # HTTP status
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}
# The first four come with status 400: the server gave up on a slow request, or got other bytes than were sent.
_RETRIED_CODES = {
    "RequestTimeout", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "SlowDown", "InternalError",
    "ServiceUnavailable",
}  # fmt: skip
_REGION_CODES = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "ServiceQuotaExceededException"}

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([^<]+)</Code>|\(code: (\w+)\)")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_CONNECTING = re.compile(r"Error\(\s*Connect,")  # in it the time was over
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>")


class Fault(Exception):
    """A request that failed.

    Attributes:
        kind: `answer`: the server said so; `connect`: nobody answered; `tls`: no trust; `broken`: the connection broke;
            `strange`: what came is not S3's language; `region`: another region has the bucket; `keys`: no valid keys to
            sign with; `unreadable`: a listing has a key that obstore cannot express.
        status: Of HTTP; 0 if there was no answer.
        code: The S3 error's name; empty where there was no body.
        text: What the server or the system said.
        region: The right one, where the server named it.
    """

    def __init__(self, kind: Kind, *, status: int = 0, code: str = "", text: str = "", region: str = "") -> None:
        super().__init__(f"{kind} {status} {code} {text}")
        self.kind = kind
        self.status = status
        self.code = code
        self.text = text
        self.region = region

    @property
    def retriable(self) -> bool:
        """Whether the same request may succeed later."""
        if self.kind == "answer":
            return self.status in _RETRIED_STATUS or self.code in _RETRIED_CODES
        return self.kind in ("connect", "broken", "strange")

    @property
    def from_store(self) -> bool:
        """Whether it was the store that answered, rather than something on the way to it."""
        return self.kind == "region" or (self.kind == "answer" and bool(self.code or self.status < 500))

    @property
    def missing(self) -> bool:
        """Whether there is no such object (or bucket)."""
        return self.status == 404

    @property
    def summary(self) -> str:
        """In a few words."""
        if self.kind == "answer":
            return " ".join(filter(None, (str(self.status or ""), self.code, self.text and f"({self.text})")))
        return self.text or "the connection broke"


@contextmanager
def faults() -> Iterator[None]:
    """Turn what obstore raises into a Fault."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise _from_obstore(error) from error


@contextmanager
def boto_faults() -> Iterator[None]:
    """Turn what boto3 raises into a Fault."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise _from_boto(error) from error


def explain(fault: Fault, action: Action, key: str, address: Address, credentials: Credentials) -> MlctlError:
    """Return the error for a user.

    Args:
        fault: What went wrong.
        action: What was tried.
        key: With which object or prefix; empty is the bucket.
        address: Of the bucket.
        credentials: The keys that signed the request.
    """
    place, text = address.place, credentials.scrub(fault.text)
    what = f"cannot {action} {key or 'objects'} in {address.url}"
    if fault.kind == "keys":
        return credentials.failure()
    if fault.kind == "connect" or fault.status == PROXY_LOGIN:
        return _unreachable(place, address.proxy, text)
    if fault.kind == "tls":
        return _untrusted(place, text)
    if fault.kind == "region" or fault.code in _REGION_CODES:
        right = f"it is in {fault.region}" if fault.region else "it is in another region"
        hint = f"mlctl context add NAME --store {address.url} --region {fault.region or 'REGION'}"
        return StoreError(
            f"bucket {address.bucket} is not in region {address.region or DEFAULT_REGION}: {right}", hint=hint
        )
    if fault.code == "NoSuchBucket":
        hint = "make the bucket, or correct the store's URL and endpoint: mlctl context get"
        return StoreError(f"there is no bucket {address.bucket} at {place}", hint=hint)
    if fault.missing and fault.code in ("NoSuchKey", "") and action != "list":
        return ObjectNotFoundError(f"there is no object {key} in {address.url}")
    if fault.status in (401, 403) or fault.code in _KEY_TROUBLE:
        return _denied(fault, action, what, address, credentials)
    if fault.code in _FULL or fault.status == 507:
        return StoreError(f"{what}: the store is full ({fault.code})", hint="free some space there, or raise its quota")
    if fault.retriable and fault.kind != "strange":
        hint = "the store does not work well now: run the same command again later; it goes on where it stopped"
        return StoreError(f"{what}, tried again and again: {credentials.scrub(fault.summary)}", hint=hint)
    if not fault.code:
        hint = "is it the address of an S3 service? mlctl context get"
        return StoreError(f"{place} does not answer as S3 does: {fault.status or text}", hint=hint)
    return StoreError(f"{what}: {credentials.scrub(fault.summary)}", hint="mlctl store check")


_KEY_TROUBLE = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestTimeTooSkewed"}


def _denied(fault: Fault, action: Action, what: str, address: Address, credentials: Credentials) -> MlctlError:
    source = credentials.source
    if fault.code == "InvalidAccessKeyId":
        message = f"{address.place} does not know the access key from {source}"
        return PermissionDeniedError(message, hint="check the profile and the endpoint: mlctl context get")
    if fault.code == "SignatureDoesNotMatch":
        message = f"the secret key from {source} does not belong to its access key, says {address.place}"
        return PermissionDeniedError(message, hint="copy both keys anew; a proxy that changes requests does this too")
    if fault.code == "RequestTimeTooSkewed":
        message = f"this machine's clock and that of {address.place} differ too much for signed requests"
        return StoreError(message, hint="set the clock, as in: timedatectl set-ntp true; see: mlctl store check")
    if fault.code in _KEY_TROUBLE:
        message = f"the session token from {source} has expired or is not valid"
        return PermissionDeniedError(
            message, hint="get new keys (as in: aws sso login), then run the same command again"
        )
    said = f" ({credentials.scrub(fault.text)})" if fault.text else ""
    hint = f"the keys from {source} need {_PERMISSIONS[action]} there: mlctl store check"
    return PermissionDeniedError(f"{what}: access denied{said}", hint=hint)


def _unreachable(place: str, proxy: str, text: str) -> MlctlError:
    if proxy:
        hint = "check HTTP_PROXY and HTTPS_PROXY; hosts that need no proxy are listed in NO_PROXY"
        return StoreError(f"cannot reach {place} through the proxy {proxy}: {text or 'it refuses'}", hint=hint)
    hint = "check the endpoint and the network: mlctl context get; mlctl store check"
    return StoreError(f"cannot reach {place}: {text}", hint=hint)


def _untrusted(place: str, text: str) -> MlctlError:
    if "InvalidContentType" in text or "WRONG_VERSION_NUMBER" in text:
        return StoreError(f"{place} does not speak TLS", hint="write http:// in the endpoint, if that is meant")
    hint = "name the authority that signed it: mlctl context add NAME --ca-bundle FILE"
    if "NotValidForName" in text or "Hostname" in text or "IP address mismatch" in text:
        hint = "write the endpoint with the name that the certificate is for"
    elif "Expired" in text or "expired" in text:
        hint = "its certificate has expired: renew it, or set this machine's clock"
    return StoreError(f"the certificate of {place} is not trusted: {text}", hint=hint)


def _from_obstore(error: Exception) -> Fault:
    text = str(error)
    head, _, debug = text.partition("Debug source:")
    if "External AWS credential provider" in head:
        return Fault("keys")
    if "Error parsing Path" in head or "InvalidPath" in debug:
        return Fault("unreadable", text=head.strip())
    if "BareRedirect" in debug:
        return Fault("region", status=301)
    code = _CODE.search(head)
    name = (code[1] or code[2]) if code else ""
    region = _REGION.search(head)
    if status := _STATUS.search(head):
        said = _MESSAGE.search(head)
        kind: Kind = "region" if region and name in _REGION_CODES else "answer"
        return Fault(
            kind, status=int(status[1]), code=name, text=said[1] if said else "", region=region[1] if region else ""
        )
    if name:  # one key of a bulk delete
        return Fault("answer", status=403 if name == "AccessDenied" else 200, code=name)
    if reason := re.search(r"Invalid(?:Certificate|Message)\(\s*(\w+)", debug):
        return Fault("tls", text=reason[1])
    if "kind: Connect" in debug or _CONNECTING.search(debug):
        return Fault("connect", text=_reason(debug))
    told = head.strip().partition(": ")[2][:200]
    if "source: Invalid" in debug or "source: Metadata" in debug or "non-partial response" in head:
        return Fault("strange", text=told)
    return Fault("broken", text=_reason(debug) or told)


def _reason(debug: str) -> str:
    if "ProxyAuthRequired" in debug:
        return "it wants another name and password"
    if "TimedOut" in debug or "kind: Timeout" in debug:
        return "no answer in time"
    for pattern in (r'error: "([^"]+)"', r'message: "([^"]+)"', r"kind: (UnexpectedEof)"):
        if found := re.search(pattern, debug):
            return "the answer was cut" if found[1] == "UnexpectedEof" else found[1]
    return ""


def _from_boto(error: Exception) -> Fault:
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = error.response.get("Error", {})
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        code = str(said.get("Code", ""))
        region = str(said.get("Region") or headers.get("x-amz-bucket-region", ""))
        if code in _REGION_CODES or status == 301:
            return Fault("region", status=status, code=code, region=region)
        if code.isdecimal():  # botocore's stand-in where an answer has no body
            code = ""
        return Fault("answer", status=status, code=code, text=str(said.get("Message", "")))
    if isinstance(error, exceptions.SSLError):
        return Fault("tls", text=str(error).partition("reason=")[2] or str(error))
    if isinstance(error, exceptions.NoCredentialsError | exceptions.CredentialRetrievalError):
        return Fault("keys")
    if isinstance(
        error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError | exceptions.ProxyConnectionError
    ):
        return Fault("connect", text="no connection")
    return Fault("broken", text=type(error).__name__)
