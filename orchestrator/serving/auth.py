"""Who may ask: whoever has a token, in any of the headers that clients send it in."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

BEARER = "bearer "
REFUSED = "a token is needed: X-Auth-Token, Authorization: Bearer, or X-Apig-AppCode"
HEADERS = ("x-auth-token", "x-apig-appcode")  # of ModelArts


def token_hash(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_allowed(headers: Mapping[str, str], tokens: Sequence[str]) -> bool:
    """Return whether one of the headers has a token with one of these hashes; without hashes everybody is allowed."""
    if not tokens:
        return True
    given = [headers.get(name, "") for name in HEADERS]
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith(BEARER):
        given.append(authorization[len(BEARER) :])
    hashes = [token_hash(token) for token in given if token]
    return any(hmac.compare_digest(one, known) for one in hashes for known in tokens)
