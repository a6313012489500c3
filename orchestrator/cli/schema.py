"""`mlctl schema`: what an editor needs to check a spec while it is written."""

from orchestrator.cli.group import group
from orchestrator.cli.render import Format, encode, write

app = group("The JSON Schema of what you write, for your editor.")


@app.command()
def job() -> None:
    """Write the JSON Schema of a job's YAML file."""
    from orchestrator.specs.schema import job_schema

    write(encode(job_schema(), Format.JSON))


@app.command()
def sweep() -> None:
    """Write the JSON Schema of a sweep's YAML file."""
    from orchestrator.specs.schema import sweep_schema

    write(encode(sweep_schema(), Format.JSON))
