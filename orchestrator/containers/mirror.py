"""Copy images to another registry, for clusters that reach no other."""

from collections.abc import Sequence

from orchestrator.containers.catalog import in_registry
from orchestrator.containers.tool import Tool


def mirror(tool: Tool, names: Sequence[str], registry: str) -> list[str]:
    """Pull, tag and push images; return their names there.

    Args:
        tool: That does it.
        names: Of the images.
        registry: As a context's `image_registry`.

    Raises:
        MlctlError: The program failed.
    """
    there = []
    for name in names:
        target = in_registry(name, registry)
        tool.run("pull", name)
        tool.run("tag", name, target)
        tool.run("push", target)
        there.append(target)
    return there
