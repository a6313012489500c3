"""Files of models that were imported, and which of them no version refers to."""

import re

import msgspec

from orchestrator.models.record import CARD, FILES, RECORD, ROOT, existing_versions, model_prefix
from orchestrator.specs.names import NAME_PATTERN
from orchestrator.store.base import Store, list_objects
from orchestrator.upkeep.survey import Amount

_NAME = NAME_PATTERN.strip("^$")
OF_MODELS = rf"{ROOT}{_NAME}/{FILES}[0-9a-f]{{16}}-[0-9a-f]{{8}}/.+"  # keys
_OURS = re.compile(rf"{OF_MODELS}|{ROOT}{_NAME}/(?:{re.escape(CARD)}|V[0-9]{{4,}}/{re.escape(RECORD)})")
_FILE = re.compile(OF_MODELS)


class ModelFiles(msgspec.Struct):
    """What one import has brought in.

    Attributes:
        name: Of the model.
        prefix: Of the files.
        amount: How much it is.
    """

    name: str
    prefix: str
    amount: Amount


def unused_files(store: Store, name: str) -> list[ModelFiles]:
    """Return the files of a model that none of its versions refers to: not yet, or not any more.

    Args:
        store: Where they are.
        name: Of the model.

    Raises:
        StoreError: A record cannot be read, so nobody knows what it refers to.
    """
    found: dict[str, ModelFiles] = {}
    top = model_prefix(name) + FILES
    for item in list_objects(store, top):
        if _FILE.fullmatch(item.key):
            prefix = top + item.key[len(top) :].partition("/")[0] + "/"
            found.setdefault(prefix, ModelFiles(name, prefix, Amount())).amount.add(item)
    if not found:
        return []
    used = {version.prefix for version in existing_versions(store, name)}
    return [one for prefix, one in found.items() if prefix not in used]


def is_of_model(key: str) -> bool:
    """Tell whether a key is that of a model's record, card or file."""
    return bool(_OURS.fullmatch(key))
