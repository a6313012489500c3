"""The profiles that people keep keys and settings in: the AWS files, and mlctl's own beside them.

Read here, rather than through botocore, because that alone takes a third of a second at each command. What is
more than a pair of keys (roles, single sign-on, programs) is left to botocore.
"""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orchestrator.config import home_dir
from orchestrator.errors import NotFoundError, PermissionDeniedError, UsageError
from orchestrator.files import write_whole

if TYPE_CHECKING:
    import configparser

DEFAULT = "default"
_KEYS = ("aws_access_key_id", "aws_secret_access_key")
# Each makes botocore look further than the keys of the same profile.
_MORE = (
    "role_arn", "source_profile", "credential_source", "credential_process", "web_identity_token_file", "login_session",
    "sso_session", "sso_account_id", "sso_start_url",
)  # fmt: skip


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say under one name; all of it may be empty.

    Attributes:
        name: As it was asked for; empty is the default profile.
        region, endpoint, ca_bundle: Settings.
        keys: Access key, secret key and session token (or empty), where the profile has nothing but these.
    """

    name: str
    region: str = ""
    endpoint: str = ""
    ca_bundle: str = ""
    keys: tuple[str, str, str] | None = None


def own_credentials() -> Path:
    """Return mlctl's own file of profiles, in the format of `~/.aws/credentials`; mode 0600."""
    return home_dir() / "credentials"


def read_profile(name: str) -> Profile:
    """Return a profile; an empty name is the default one, which need not exist.

    Raises:
        NotFoundError: No file has a profile of that name.
        UsageError, PermissionDeniedError: A file cannot be read.
    """
    settings_file = _parse(_aws_file("AWS_CONFIG_FILE", "config"))
    keys_file = _parse(_aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
    wanted = name or DEFAULT
    settings = _section(settings_file, wanted if wanted == DEFAULT else f"profile {wanted}")
    keys = _section(keys_file, wanted)
    if not settings and not keys:
        own = _parse(own_credentials())
        keys = _section(own, wanted)
        if name and not keys:
            known = sorted({*_names(settings_file), *keys_file.sections(), *own.sections()})
            hint = "name one that exists, or make it: aws configure --profile " + name
            raise NotFoundError(f"there is no profile {name!r}; known: {', '.join(known) or 'none'}", hint=hint)
    merged = settings | keys
    return Profile(
        name=name,
        region=merged.get("region", ""),
        endpoint=_service_endpoint(settings_file, merged) or merged.get("endpoint_url", ""),
        ca_bundle=merged.get("ca_bundle", ""),
        keys=_keys(keys, merged),
    )


def save_profile(name: str, access_key: str, secret_key: str) -> Path:
    """Write keys into mlctl's own file under a name, replacing what was there, and return the file.

    Raises:
        PermissionDeniedError: It cannot be written.
    """
    path = own_credentials()
    file = _parse(path)
    file[name] = dict(zip(_KEYS, (access_key, secret_key), strict=True))
    text = io.StringIO()
    file.write(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.getvalue().encode(), mode=0o600)
    except OSError as error:
        raise PermissionDeniedError(f"cannot write {path}: {error.strerror}", hint="set MLCTL_HOME") from error
    return path


def _keys(section: dict[str, str], merged: dict[str, str]) -> tuple[str, str, str] | None:
    if any(key in merged for key in _MORE) or not all(section.get(key) for key in _KEYS):
        return None
    return section[_KEYS[0]], section[_KEYS[1]], section.get("aws_session_token", "")


def _service_endpoint(file: "configparser.RawConfigParser", profile: dict[str, str]) -> str:
    """Return the endpoint that `services = NAME` leads to: lines indented below `s3 =` in `[services NAME]`."""
    for line in _section(file, f"services {profile.get('services', '')}").get("s3", "").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "endpoint_url":
            return value.strip()
    return ""


def _section(file: "configparser.RawConfigParser", name: str) -> dict[str, str]:
    return dict(file.items(name)) if file.has_section(name) else {}


def _names(file: "configparser.RawConfigParser") -> list[str]:
    return [name.removeprefix("profile ") for name in file.sections() if name.startswith(("profile ", DEFAULT))]


def _aws_file(variable: str, name: str) -> Path:
    # A Path would raise where the user has no home.
    return Path(os.path.expanduser(os.environ.get(variable) or f"~/.aws/{name}"))  # noqa: PTH111


def _parse(path: Path) -> "configparser.RawConfigParser":
    import configparser

    # Without a section whose values every other one inherits: the AWS files know none.
    file = configparser.RawConfigParser(default_section="", strict=False)
    try:
        file.read_string(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except PermissionError as error:
        raise PermissionDeniedError(f"cannot read {path}: {error.strerror}", hint="check its owner and mode") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # The error's own text quotes lines of the file, which may be keys.
        raise UsageError(f"{path} is not a valid file of profiles", hint="correct it; see: aws configure") from error
    return file
