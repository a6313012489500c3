"""The variables by which programs of others find a bucket's service: TensorFlow 1, MXNet, AWS's and Huawei's SDKs."""

from urllib.parse import urlsplit

from orchestrator.store.s3.address import DEFAULT_REGION, Address
from orchestrator.store.s3.credentials import Keys


def service_variables(address: Address) -> dict[str, str]:
    """Return the variables that tell where the service is and how it is spoken to."""
    region = address.region or DEFAULT_REGION
    found = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "S3_REGION": region}
    if address.endpoint:
        parts = urlsplit(address.endpoint)
        secure = str(int(parts.scheme == "https"))
        found |= {"S3_ENDPOINT": parts.netloc, "S3_USE_HTTPS": secure, "S3_VERIFY_SSL": secure}
        found |= {"AWS_ENDPOINT_URL": address.endpoint, "ENDPOINT_URL": address.endpoint}
    if address.ca_bundle:
        found["AWS_CA_BUNDLE"] = address.ca_bundle
    return found


def key_variables(keys: Keys) -> dict[str, str]:
    """Return the variables with the keys, by AWS's names and by Huawei's."""
    found = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    found |= {"ACCESS_KEY_ID": keys.access_key, "SECRET_ACCESS_KEY": keys.secret_key}
    return found | ({"AWS_SESSION_TOKEN": keys.token} if keys.token else {})
