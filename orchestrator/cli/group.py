"""A noun with its commands."""

from typing import Any

import typer
from typer.core import TyperGroup

WHOLE = 500  # characters; the first sentence of a command's help is not cut


class Group(TyperGroup):
    """A group whose help has the commands before the options: they are what one looks for."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every command with its whole first sentence."""
        rows = [(name, self.commands[name].get_short_help_str(WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write commands, then options."""
        self.format_commands(ctx, formatter)
        records = [record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(records)


def group(help: str) -> typer.Typer:
    """Return the app of a noun; without a command it shows its help."""
    app = typer.Typer(cls=Group, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    app.callback(invoke_without_command=True, subcommand_metavar="COMMAND", help=help)(_show_help)
    return app


def _show_help(invocation: typer.Context) -> None:
    if invocation.invoked_subcommand is None:
        typer.echo(invocation.get_help())
