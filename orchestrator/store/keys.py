"""The keys to a bucket, for those who must hand them on."""

from collections.abc import Callable

from orchestrator.config import Context


def keys_of(context: Context) -> Callable[[], dict[str, str]]:
    """Find a context's keys, and return what gives those that are valid at the moment.

    They come by the names of the AWS variables; an empty token is left out.

    Raises:
        PermissionDeniedError: There are none.
    """
    from orchestrator.store.s3 import address_of
    from orchestrator.store.s3.credentials import Credentials

    credentials = Credentials(address_of(context.store, context))

    def current() -> dict[str, str]:
        keys = credentials.current()
        found = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token,
        }
        return {name: value for name, value in found.items() if value}

    return current
