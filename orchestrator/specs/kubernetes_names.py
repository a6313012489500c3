"""What Kubernetes takes as names, labels and images, as patterns.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

import re
from typing import Annotated, Any, TypeAlias

import msgspec

from orchestrator.specs.fields import describe_field

OWN_KEYS = ("mlctl/", "app.kubernetes.io/")  # of labels and annotations; mlctl finds its objects by them

LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = rf"(?=.{{1,253}}$){LABEL}(?:\.{LABEL})*"
WORD = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY = rf"(?:(?=[^/]{{1,253}}/){LABEL}(?:\.{LABEL})*/)?{WORD}"
DATA_KEY = r"[-A-Za-z0-9_.]{1,253}"
PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
IMAGE = (
    rf"(?:(?=[^/]*[.:][^/]*/|localhost/)[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?/)?{PART}(?:/{PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
NAME_RULE = "the name of a Kubernetes object: lower-case letters, digits, `-` and `.`"
KEY_RULE = "the key of a label, such as `disktype` or `example.com/disktype`"
VALUE_RULE = "text of at most 63 letters, digits, `-`, `_` and `.`"

Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=f"^{SUBDOMAIN}$")]
LabelKey: TypeAlias = Annotated[str, describe_field("Key.", must=KEY_RULE, example="disktype", pattern=f"^{KEY}$")]
LabelValue: TypeAlias = Annotated[
    str, describe_field("Value.", must=VALUE_RULE, example="ssd", pattern=f"^(?:{WORD})?$")
]
OwnKey: TypeAlias = Annotated[
    str,
    describe_field(
        "Key.",
        must=f"{KEY_RULE}; those that start with `mlctl/` or `app.kubernetes.io/` are mlctl's own",
        example="cost-centre",
        pattern=rf"^(?!{'|'.join(OWN_KEYS)}){KEY}$",
    ),
]
Free: TypeAlias = dict[Annotated[str, describe_field("Key.", must="text", example="spec")], Any]


def is_label_value(text: str) -> bool:
    """Return whether a label may have this value."""
    return re.fullmatch(f"(?:{WORD})?", text) is not None
