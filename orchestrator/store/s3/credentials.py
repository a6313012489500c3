"""The keys to a bucket, found as boto3 finds them, and kept out of everything that is shown."""

import os
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.errors import MlctlError, NotFoundError, PermissionDeniedError, UsageError
from orchestrator.store.s3.address import Address
from orchestrator.store.s3.profiles import own_credentials, read_profile

if TYPE_CHECKING:
    from obstore.store import S3Credential

RENEW = timedelta(minutes=5)  # how long obstore keeps keys that may change before it asks again
HIDDEN = "****"
SHORTEST = 6  # characters; what is shorter is no secret, and replacing it would garble a message

_SIGNED = re.compile(
    r"(?i)((?:x-amz-(?:signature|credential|security-token)|signature|awsaccesskeyid)[=:]\s*)[^&\s,<>\"]+"
)
_HINT = "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: mlctl context add --profile NAME"


class Keys(NamedTuple):
    """What a request is signed with; `token` is empty for long-lived keys."""

    access_key: str
    secret_key: str
    token: str


class Credentials:
    """The keys to one bucket.

    Args:
        address: Of the bucket.

    Attributes:
        source: Where they are from, for people.
        session: boto3's session where it looks after them (roles, single sign-on, web identity), else None.

    Raises:
        PermissionDeniedError: There are none.
        NotFoundError, UsageError: The profile does not exist or is not valid.
    """

    def __init__(self, address: Address) -> None:
        self.session: Any = None
        self._given: Any = None
        self._failure: MlctlError | None = None
        keys = _from_environment() if not address.profile else None
        name = address.profile or os.environ.get("AWS_PROFILE", "")
        self.source = "the environment" if keys else f"profile {name or 'default'}"
        web_identity = not address.profile and "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ  # comes before profiles
        if keys is None and not web_identity and (found := read_profile(name).keys):
            keys = Keys(*found)
        self._keys = keys
        self._secrets = set(filter(None, keys[1:])) if keys else set()  # all that there were: they change
        if keys is None:
            self._ask_boto3(address)

    def current(self) -> Keys:
        """Return the keys that are valid now.

        Raises:
            PermissionDeniedError: They have expired and could not be renewed.
        """
        if self._keys:
            return self._keys
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            frozen = self._given.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        self._secrets.update(filter(None, (frozen.secret_key, frozen.token)))
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def provide(self) -> "S3Credential":
        """Return the keys as obstore wants them; called from its threads."""
        try:
            keys = self.current()
        except MlctlError as error:
            self._failure = error
            raise
        expires = None if self._keys else datetime.now(UTC) + RENEW
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token or None,
            "expires_at": expires,
        }

    def failure(self) -> MlctlError:
        """Return why `provide` could not return keys: obstore tells only that it did not."""
        return self._failure or PermissionDeniedError("the keys could not be renewed", hint=_HINT)

    def scrub(self, text: str) -> str:
        """Return the text without secrets: a server or a library may repeat what it was sent."""
        for secret in self._secrets.copy():
            if len(secret) >= SHORTEST:
                text = text.replace(secret, HIDDEN)
        return _SIGNED.sub(rf"\g<1>{HIDDEN}", text)

    def _ask_boto3(self, address: Address) -> None:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

        try:
            self.session = boto3.Session(profile_name=address.profile or None, region_name=address.region or None)
            self._given = self.session.get_credentials()
        except ProfileNotFound as error:
            raise NotFoundError(f"profile {address.profile} in {own_credentials()} has no keys", hint=_HINT) from error
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        if self._given is None:
            raise PermissionDeniedError(f"there are no keys for {address.url} at {address.place}", hint=_HINT)
        self.source = f"{self.source} ({self._given.method})" if address.profile else str(self._given.method)

    def _refused(self, error: Exception) -> MlctlError:
        from botocore.exceptions import InvalidConfigError, SSOError

        message = f"no keys could be had from {self.source}: {self.scrub(str(error))}"
        if isinstance(error, InvalidConfigError):
            return UsageError(message, hint="correct ~/.aws/config")
        if isinstance(error, SSOError) or "SSO" in str(error) or "sso" in str(error):
            return PermissionDeniedError(message, hint="log in again: aws sso login")
        return PermissionDeniedError(message, hint="renew what they are made of, then run the same command again")


def _from_environment() -> Keys | None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    values = [os.environ.get(name, "") for name in names]
    if not any(values):
        return None
    if not all(values):
        missing = names[values.index("")]
        raise PermissionDeniedError(f"{missing} is not set, only its companion", hint=f"export {missing}=...")
    return Keys(values[0], values[1], os.environ.get("AWS_SESSION_TOKEN", ""))
