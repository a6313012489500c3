"""`mlctl flavor`: the sizes there are."""

from typing import TYPE_CHECKING

from orchestrator.cli.group import group
from orchestrator.cli.options import OutputOption
from orchestrator.cli.render import show_list

if TYPE_CHECKING:
    from orchestrator.specs.flavors import Flavor

app = group("The named sizes a job can ask for.")


@app.command("list")
def list_(output: OutputOption = None) -> None:
    """List the flavors. Your own go into flavors.yaml in mlctl's home."""
    from orchestrator.specs.flavors import list_flavors

    show_list(
        list_flavors(),
        output,
        name=lambda flavor: flavor.name,
        columns={
            "NAME": lambda flavor: flavor.name,
            "CPUS": lambda flavor: f"{flavor.cpus:g}",
            "MEMORY": lambda flavor: str(flavor.memory),
            "GPUS": lambda flavor: f"{flavor.gpus} x {flavor.gpu_type}" if flavor.gpus else "",
            "PRICE PER HOUR": _price,
            "DESCRIPTION": lambda flavor: flavor.description,
        },
        empty="there is no flavor",
    )


def _price(flavor: "Flavor") -> str:
    return "" if flavor.price_per_hour is None else f"{flavor.price_per_hour:g} {flavor.currency}"
