"""`mlctl engine`: the framework environments."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from orchestrator.cli import complete
from orchestrator.cli.group import group
from orchestrator.cli.options import OutputOption
from orchestrator.cli.render import next_steps, show_list, show_one, size, write

if TYPE_CHECKING:
    from orchestrator.engines import Engine, EnvironmentState

app = group("The framework environments that jobs run in.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The engine.", autocompletion=complete.engines, show_default=False)
]


class EngineView(NamedTuple):
    """An engine and what there is of it on this machine."""

    engine: "Engine"
    environment: "EnvironmentState"


@app.command("list")
def list_(output: OutputOption = None) -> None:
    """List the engines and whether they are ready on this machine."""
    from orchestrator.engines import environment_state, list_engines

    show_list(
        [EngineView(engine, environment_state(engine)) for engine in list_engines()],
        output,
        name=lambda view: view.engine.name,
        columns={
            "NAME": lambda view: view.engine.name,
            "FRAMEWORK": lambda view: f"{view.engine.framework} {view.engine.version}",
            "HERE": lambda view: "ready" if view.environment.ready else "built at first use",
            "SIZE": lambda view: size(view.environment.size) if view.environment.ready else "",
            "DESCRIPTION": lambda view: view.engine.description,
        },
        empty="there is no engine",
    )


@app.command()
def get(name: NameArgument, output: OutputOption = None) -> None:
    """Show what an engine is made of."""
    from orchestrator.engines import environment_state, get_engine

    engine = get_engine(name)
    show_one(EngineView(engine, environment_state(engine)), output, name=engine.name, details=_details)


@app.command()
def build(name: NameArgument) -> None:
    """Build an engine's environment on this machine now, instead of at its first job."""
    from orchestrator.cli.progress import reporter
    from orchestrator.engines import ensure_environment, get_engine

    python = ensure_environment(get_engine(name), reporter=reporter())
    write(f"{python}\n")
    next_steps("mlctl job create SPEC")


def _details(view: EngineView) -> dict[str, str]:
    engine, environment = view.engine, view.environment
    ready = f"ready, {size(environment.size)}, Python {environment.python}"
    return {
        "Name": engine.name,
        "Framework": f"{engine.framework} {engine.version}",
        "Description": engine.description,
        "Here": ready if environment.ready else f"not built yet: mlctl engine build {engine.name}",
        "Environment": environment.path,
        "Python": ", ".join(engine.python),
        "Packages": str(engine.requirements_path),
        "Image": engine.images.cpu,
        "Image, GPU": engine.images.gpu,
        "Variables": "\n".join(f"{key}={value}" for key, value in engine.env.items()),
    }
