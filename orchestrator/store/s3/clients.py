"""The two clients of a bucket, and the one loop that all requests go through.

obstore serves everything that it can do: it answers in a quarter of boto3's time and starts in a twentieth. boto3
serves what needs the rest of S3's interface: parts of uploads, keys that expire, dialects, diagnosis.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orchestrator.errors import MlctlError, StoreError, UsageError
from orchestrator.store.s3.address import DEFAULT_REGION, Address
from orchestrator.store.s3.credentials import Credentials
from orchestrator.store.s3.faults import Action, Fault, boto_faults, explain, faults
from orchestrator.store.s3.retry import CONNECT_TIMEOUT, FIRST_CONTACT, PATIENCE, READ_TIMEOUT, Attempts

if TYPE_CHECKING:
    import obstore.store

WORKERS = 8  # threads for the parts of large objects, of all transfers together
LONGEST_REQUEST = "12h"  # obstore counts the whole transfer; what stalls ends by READ_TIMEOUT
USER_AGENT = "mlctl"

T = TypeVar("T")

_pid = 0  # of the process that obstore's threads are in


class Clients:
    """What speaks to one bucket; safe to use from several threads.

    Args:
        address: Of the bucket.
        patience: Seconds that one operation may take with all its attempts.

    Attributes:
        address: Of the bucket; its region may be found out on the way.
        patience: As given.

    Raises:
        PermissionDeniedError: There are no keys.
        NotFoundError, UsageError: The profile or the CA bundle is not valid.
    """

    def __init__(self, address: Address, *, patience: float = PATIENCE) -> None:
        self.address = address
        self.patience = patience
        self._reached = False  # somebody answers there
        self._tired = False  # it was reached, and has used up the patience of an operation since its last answer
        self._asked = 0.0  # when the first request failed, of time.monotonic
        self._moved = False
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._bulk: obstore.store.S3Store | None = None
        self._control: Any = None

    @property
    def credentials(self) -> Credentials:
        """The keys, looked for at first use."""
        with self._lock:
            if self._credentials is None:
                self._credentials = Credentials(self.address)
            return self._credentials

    @property
    def bulk(self) -> "obstore.store.S3Store":
        """obstore's client, made at first use."""
        _refuse_after_fork()
        credentials = self.credentials
        with self._lock:
            if self._bulk is None:
                self._bulk = _bulk_client(self.address, credentials)
            return self._bulk

    @property
    def control(self) -> Any:
        """boto3's client, made at first use."""
        credentials = self.credentials
        with self._lock:
            if self._control is None:
                self._control = _control_client(self.address, credentials)
            return self._control

    def call(self, action: Action, key: str, work: Callable[["obstore.store.S3Store"], T]) -> T:
        """Return what `work` returns, given obstore's client; try again what may succeed.

        Args:
            action: What is done, for messages.
            key: With which object or prefix, for messages.
            work: Is called again after a failure, so it must not matter how often it happens.

        Raises:
            ObjectNotFoundError, PermissionDeniedError, StoreError: It failed for good.
        """

        def once() -> T:
            with faults():
                return work(self.bulk)

        return self.attempt(action, key, once)

    def ask(self, action: Action, key: str, work: Callable[[Any], T]) -> T:
        """Return what `work` returns, given boto3's client; as `call`."""

        def once() -> T:
            with boto_faults():
                return work(self.control)

        return self.attempt(action, key, once)

    def attempt(self, action: Action, key: str, once: Callable[[], T]) -> T:
        """Return what `once` returns, which may raise Fault; as `call`."""
        attempts = Attempts()
        while True:
            try:
                result = once()
            except Fault as fault:
                if not self.try_again(fault, attempts):
                    raise self.error(fault, action, key) from fault
            else:
                self.answered()
                return result

    def answered(self) -> None:
        """Note that a request went well."""
        self._reached, self._tired = True, False

    def try_again(self, fault: Fault, attempts: Attempts) -> bool:
        """Wait, or find the right region, and tell whether the request is worth repeating."""
        self._reached = self._reached or fault.from_store
        if fault.kind == "region" and not self._moved:
            return self._move(fault.region)
        return fault.retriable and self._wait(fault, attempts)

    def _wait(self, fault: Fault, attempts: Attempts) -> bool:
        """Wait before the next attempt, or tell that there is none: who hardly will answer is not waited for long."""
        if not self._reached:
            # All operations have this time together, as one command may make several.
            self._asked = self._asked or attempts.begun
            return attempts.again(min(self.patience, self._asked + FIRST_CONTACT - attempts.begun))
        if self._tired or fault.kind == "strange":
            return attempts.again(min(self.patience, FIRST_CONTACT))
        if attempts.again(self.patience):
            return True
        self._tired = True
        return False

    def error(self, fault: Fault, action: Action, key: str) -> MlctlError:
        """Return the error for a user."""
        if key and fault.kind == "answer" and not fault.code and fault.status in (400, 403, 404):
            fault = self._ask_why(key) or fault
        return explain(fault, action, key.removeprefix(self.address.prefix), self.address, self.credentials)

    def _ask_why(self, key: str) -> Fault | None:
        """Return the fault with its reason: an answer to HEAD has none, not even that there is no such bucket."""
        import obstore

        attempts = Attempts()
        while True:
            try:
                with faults():
                    obstore.get(self.bulk, key, options={"range": (0, 1)})
            except Fault as fault:
                if self.try_again(fault, attempts):
                    continue
                return fault if fault.status != 416 else None  # an empty object has no first byte
            return None

    def _move(self, region: str) -> bool:
        """Go to the region that the bucket is in, once only, and tell whether it is another one."""
        region = region or self._find_region()
        if not region or region == self.address.region:
            return False
        with self._lock:
            self._moved = True
            self.address = msgspec.structs.replace(self.address, region=region)
            self._bulk = self._control = None
        return True

    def _find_region(self) -> str:
        """Ask for the bucket's region: obstore does not show the header that names it."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.control.head_bucket(Bucket=self.address.bucket)
        except ClientError as error:
            answer = error.response
        except (BotoCoreError, RecursionError):  # botocore follows a redirect that leads nowhere without end
            return ""
        return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", ""))


def _refuse_after_fork() -> None:
    """Raise where a request would wait for ever: a forked child has not got obstore's threads, and gets no others."""
    global _pid
    _pid = _pid or os.getpid()
    if _pid != os.getpid():
        hint = "start processes with multiprocessing.get_context('spawn')"
        raise StoreError("a bucket was used before this process was forked, so it cannot use one", hint=hint)


def _bulk_client(address: Address, credentials: Credentials) -> "obstore.store.S3Store":
    import obstore.store

    options: dict[str, Any] = {
        "connect_timeout": f"{CONNECT_TIMEOUT:g}s",
        "read_timeout": f"{READ_TIMEOUT:g}s",
        "timeout": LONGEST_REQUEST,
        "allow_http": address.endpoint.startswith("http://"),
        "user_agent": USER_AGENT,
    }
    if address.ca_bundle:
        options["root_certificate"] = Path(address.ca_bundle).read_bytes()
    settings: dict[str, Any] = {
        "region": address.region or DEFAULT_REGION,
        "virtual_hosted_style_request": not address.path_style,
        "checksum_algorithm": "SHA256",  # the store refuses what was changed on the way
        # obstore reads the environment by itself; what stands here goes before.
        "skip_signature": False,
    }
    if endpoint := address.host_url or _aws_endpoint(address):
        settings |= {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint}
    try:
        return obstore.store.S3Store(
            address.bucket,
            client_options=options,  # type: ignore[arg-type]
            retry_config={"max_retries": 0},  # one loop is enough, and it must know of each attempt
            credential_provider=credentials.provide,
            **settings,
        )
    except ValueError as error:
        if "root_certificate" not in str(error):
            raise
        message = f"{address.ca_bundle} holds no certificate in PEM format"
        raise UsageError(message, hint="name the PEM file of the authority to trust") from error


def _aws_endpoint(address: Address) -> str:
    """Return AWS's endpoint where it is not the one that obstore makes up; else nothing."""
    region = address.region or DEFAULT_REGION
    host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    return f"https://{host}" if address.path_style else f"https://{address.bucket}.{host}"


def _control_client(address: Address, credentials: Credentials) -> Any:
    import boto3
    import botocore.session
    from botocore.config import Config

    from orchestrator.store.s3.paced import pace
    from orchestrator.store.s3.signing import sign_by_checksum

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1},
        max_pool_connections=WORKERS + 2,
        signature_version="s3v4",
        s3={"addressing_style": "path" if address.path_style else "virtual", "payload_signing_enabled": True},
        tcp_keepalive=True,
        user_agent_extra=USER_AGENT,
    )
    if address.endpoint:
        # The checksums that newer boto3 adds by itself are refused by several servers, and stored inside of
        # objects by others; what mlctl itself sends is a plain header.
        config = config.merge(
            Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
        )
    session = credentials.session
    keys: dict[str, str] = {}
    if session is None:
        # The keys are known; a profile that only mlctl has would make boto3 refuse to start.
        session = boto3.Session(botocore_session=botocore.session.Session({"profile": (None, None, None, None)}))
        access_key, secret_key, token = credentials.current()
        keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key, "aws_session_token": token}
    client = session.client(
        "s3",
        endpoint_url=address.endpoint or None,
        region_name=address.region or DEFAULT_REGION,
        verify=address.ca_bundle or None,
        config=config,
        **{name: value for name, value in keys.items() if value},
    )
    pace(client)
    sign_by_checksum(client)
    return client
