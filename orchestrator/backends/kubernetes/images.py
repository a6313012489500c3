"""Where images are pulled from."""

import re

_HOST = re.compile(r"(?:localhost|[^/]*[.:][^/]*)/")  # what a name begins with that tells its registry


def from_registry(image: str, registry: str) -> str:
    """Return the name that an image has in another registry: everything but its own registry stays.

    Args:
        image: As in `mlctl/mxnet-1.9:1.9.1-gpu` or `ghcr.io/org/image:tag`.
        registry: As in `registry.lab:5000/mirror`; empty keeps the image where it is.
    """
    if not registry:
        return image
    own = _HOST.match(image)
    return f"{registry.rstrip('/')}/{image[own.end() :] if own else image}"
