"""Where a bucket is and how to speak to it, from the URL, the context, the environment and the profile; no secrets."""

import os
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from orchestrator.config import BUCKET_SCHEMES, Context
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.store.s3.profiles import Profile, read_profile

INTERNAL = ".mlctl/"  # prefix of probes, below the store's own
DEFAULT_REGION = "us-east-1"  # what servers outside of AWS are signed for, and where AWS is asked first
OBS_DOMAIN = ".myhuaweicloud.com"
# Services that have given up path-style addresses, or never had them.
VIRTUAL_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", OBS_DOMAIN, ".aliyuncs.com", ".myqcloud.com")

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_OBS_REGION = re.compile(r"obs\.([a-z0-9-]+)\.myhuaweicloud\.com")
_URL_HINT = "a bucket is written as s3://BUCKET or s3://BUCKET/PREFIX"
_ENDPOINT_HINT = "an endpoint is written as https://host or http://host:port"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, a prefix in it, and how to get there.

    Attributes:
        url: As users write it, without a trailing slash.
        bucket: Its name.
        prefix: In front of all keys: empty, or ending in `/`.
        endpoint: `https://host[:port]`; empty is AWS.
        region: Empty where it is not known.
        path_style: Whether the bucket's name stands in the path rather than in the host name.
        profile: The named set of credentials and settings; empty if none was asked for.
        ca_bundle: PEM file of the authorities to trust beside the system's; empty if there is none.
    """

    url: str
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    profile: str = ""
    ca_bundle: str = ""

    @property
    def place(self) -> str:
        """Who is spoken to, for people."""
        return self.endpoint or f"AWS S3{self.region and ' in ' + self.region}"

    @property
    def identity(self) -> str:
        """The bucket and prefix, told apart from those of the same name elsewhere."""
        return f"{self.service}|{self.prefix}"

    @property
    def service(self) -> str:
        """The bucket alone, told apart from those of the same name elsewhere: what makes promises about writes."""
        return f"{self.endpoint}|{self.bucket}"

    @property
    def proxy(self) -> str:
        """Host and port of the proxy that the environment sends requests through, without its login; empty if none."""
        from urllib.request import getproxies, proxy_bypass

        parts = urlsplit(self.host_url or f"https://{self.bucket}.s3.amazonaws.com")
        proxies = getproxies()
        found = proxies.get(parts.scheme) or proxies.get("all", "")
        if not found or proxy_bypass(parts.netloc):
            return ""
        return found.rpartition("://")[2].rpartition("@")[2].rstrip("/")

    @property
    def host_url(self) -> str:
        """The endpoint for requests that are addressed by this style; empty for AWS."""
        if not self.endpoint or self.path_style:
            return self.endpoint
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}"


def address_of(url: str, context: Context | None) -> Address:
    """Return the address of a store.

    Args:
        url: `s3://bucket/prefix` or `obs://bucket/prefix`.
        context: Whose settings hold; what it leaves open is taken from the AWS variables and the profile.

    Raises:
        UsageError: The URL, the endpoint or a setting is not valid.
        NotFoundError: The profile or the CA bundle does not exist.
    """
    scheme, bucket, prefix = split_url(url)
    # Whoever names a profile for a context means its keys; AWS_PROFILE is a default, as boto3 has it.
    name = context.profile if context else ""
    profile = read_profile(name or os.environ.get("AWS_PROFILE", ""))
    region = (context.region if context else "") or _variable("AWS_REGION", "AWS_DEFAULT_REGION") or profile.region
    endpoint = check_endpoint(_endpoint(scheme, context, profile, region))
    host = urlsplit(endpoint).hostname or ""
    if found := _OBS_REGION.fullmatch(host):
        region = region or found[1]
    chosen = context.path_style if context else None
    return Address(
        url=url.rstrip("/"),
        bucket=bucket,
        prefix=prefix,
        endpoint=endpoint,
        region=region or (DEFAULT_REGION if endpoint else ""),
        path_style=_path_style(bucket, host) if chosen is None else chosen,
        profile=name,
        ca_bundle=_existing((context.ca_bundle if context else "") or _variable("AWS_CA_BUNDLE") or profile.ca_bundle),
    )


def split_url(url: str) -> tuple[str, str, str]:
    """Return scheme, bucket and prefix (empty, or ending in `/`) of a store's URL.

    Raises:
        UsageError: It is not one.
    """
    parts = _split(url, f"{url!r} is not the address of a bucket", _URL_HINT)
    if parts.username is not None or parts.password is not None:
        raise UsageError("a store's URL must not hold keys", hint="name a profile: mlctl context add --profile NAME")
    if parts.scheme not in BUCKET_SCHEMES or parts.query or parts.fragment or not _BUCKET.fullmatch(parts.netloc):
        raise UsageError(f"{url!r} is not the address of a bucket", hint=_URL_HINT)
    prefix = parts.path.removeprefix("/").removesuffix("/")
    if any(segment in ("", ".", "..") for segment in prefix.split("/")) and prefix:
        raise UsageError(f"{url!r} has an empty, '.' or '..' part", hint=_URL_HINT)
    return parts.scheme, parts.netloc, prefix and prefix + "/"


def check_endpoint(endpoint: str) -> str:
    """Return an endpoint without its trailing slash; empty stays empty.

    Raises:
        UsageError: It is not an http or https URL of a host alone.
    """
    if not endpoint:
        return ""
    parts = _split(endpoint, f"{endpoint!r} is not an endpoint", _ENDPOINT_HINT)
    if parts.username is not None or parts.password is not None:
        raise UsageError("an endpoint must not hold keys", hint="name a profile: mlctl context add --profile NAME")
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or rest or not _has_port_or_none(parts):
        raise UsageError(f"{endpoint!r} is not an endpoint", hint=_ENDPOINT_HINT)
    return f"{parts.scheme}://{parts.netloc}"


def _split(url: str, message: str, hint: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # brackets that are not around an IPv6 address
        raise UsageError(message, hint=hint) from error


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _endpoint(scheme: str, context: Context | None, profile: Profile, region: str) -> str:
    if context and context.endpoint:
        return context.endpoint
    if scheme == "obs":
        if not region:
            hint = "mlctl context add NAME --store obs://BUCKET/PREFIX --region cn-north-4"
            raise UsageError("obs:// needs the region of the bucket, or an endpoint", hint=hint)
        return f"https://obs.{region}{OBS_DOMAIN}"
    return _variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") or profile.endpoint


def _path_style(bucket: str, host: str) -> bool:
    """Return the style that works everywhere: of a bucket with dots no certificate covers the host name."""
    if "." in bucket:
        return True
    return bool(host) and not host.endswith(VIRTUAL_HOSTS)


def _existing(ca_bundle: str) -> str:
    if ca_bundle and not Path(ca_bundle).expanduser().is_file():
        raise NotFoundError(f"there is no CA bundle {ca_bundle}", hint="name the PEM file of the authority to trust")
    return ca_bundle and str(Path(ca_bundle).expanduser())


def _variable(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
