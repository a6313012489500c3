"""`mlctl store`: the bucket or folder that holds everything."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import terminal
from orchestrator.cli.group import group
from orchestrator.cli.options import ContextOption, OutputOption, YesOption, open_client
from orchestrator.cli.render import (
    STATE_STYLES,
    Format,
    ago,
    count,
    encode,
    next_steps,
    note,
    show_list,
    size,
    write,
)
from orchestrator.errors import StoreError

app = group("What holds everything: check it, see its size, tidy up.")

PROFILE = "mlctl-serve"  # of the server's keys


@app.command()
def check(output: OutputOption = None, context: ContextOption = None) -> None:
    """Test all that mlctl needs of the store: access, writes under a condition, parts, ranges, lists, clock."""
    from orchestrator.config import get_context
    from orchestrator.store import open_store
    from orchestrator.store.check import Check, check_store

    chosen = get_context(context)
    found: list[Check] = []
    for result in check_store(open_store(chosen.store, chosen)):
        found.append(result)
        if output is None:
            level = terminal.paint(f"{result.level:<4}", STATE_STYLES[result.level], sys.stdout)
            hint = f"; {result.hint}" if result.hint else ""
            write(f"{level}  {terminal.clean(f'{result.subject:<18} {result.message}{hint}')}\n")
            sys.stdout.flush()
    if output is Format.NAME:
        write("".join(f"{result.subject}\n" for result in found if result.level != "ok"))
    elif output:
        write(encode(found, output))
    if failed := sum(result.level == "fail" for result in found):
        hint = "do what is said beside it, then: mlctl store check"
        raise StoreError(f"{chosen.store}: {count(failed, 'check')} failed", hint=hint)


@app.command()
def serve(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where its data is; by default in mlctl's home.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option("--port", metavar="N", help="Port on this machine.", min=1, max=55_535)] = 8333,
    bucket: Annotated[str, typer.Option("--bucket", metavar="NAME", help="Bucket to make.")] = "mlctl",
) -> None:
    """Serve a bucket on this machine, for trying things out and for tests; Ctrl-C stops it."""
    import signal

    from orchestrator.config import home_dir
    from orchestrator.store.s3.profiles import save_profile
    from orchestrator.store.serve import S3Server

    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first one
        signal.signal(number, signal.default_int_handler)
    place = folder or home_dir() / "s3-server"
    with S3Server(place.absolute(), port=port) as server:
        server.make_bucket(bucket)
        file = save_profile(PROFILE, server.access_key, server.secret_key)
        write(f"serving s3://{bucket} at {server.endpoint}; data in {place}; Ctrl-C stops it\n")
        sys.stdout.flush()
        note(f"its keys are profile {PROFILE} in {file}")
        next_steps(
            f"mlctl context add serve --store s3://{bucket} --endpoint {server.endpoint} --profile {PROFILE}",
            "mlctl context use serve",
            "mlctl store check",
        )
        try:
            code = server.wait()
        except KeyboardInterrupt:
            note("stopping")
            return
    raise StoreError(f"the S3 server has ended with code {code}", hint=f"see {place / 'server.log'}")


@app.command()
def du(output: OutputOption = None, context: ContextOption = None) -> None:
    """Show what takes room: datasets by version, jobs, code, garbage; each object is counted once."""
    uses = open_client(context).upkeep.usage()
    show_list(
        uses,
        output,
        name=lambda use: use.name or use.kind,
        columns={
            "KIND": lambda use: use.kind,
            "NAME": lambda use: use.name,
            "WHAT": lambda use: use.what,
            "OBJECTS": lambda use: f"{use.objects:,}",
            "SIZE": lambda use: size(use.size),
        },
        empty="there is nothing in it yet",
    )
    if output is None and uses:
        total = sum(use.size for use in uses)
        note(f"in all: {count(sum(use.objects for use in uses), 'object')}, {size(total)}")
        if any(use.kind == "garbage" for use in uses):
            next_steps("mlctl store gc --dry-run")


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted, and why.")] = False,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="What is younger stays; 1h at least.")
    ] = "1d",
    yes: YesOption = False,
    output: OutputOption = None,
    context: ContextOption = None,
) -> None:
    """Delete what nobody needs: unused packs and code, dead uploads and pushes, left-overs of deleted versions."""
    from orchestrator.specs.quantities import parse_duration
    from orchestrator.upkeep.garbage import Garbage, ref_of

    age = parse_duration(older_than)
    upkeep = open_client(context).upkeep
    found = upkeep.garbage(older_than=age)

    def show(garbage: list[Garbage]) -> None:
        show_list(
            garbage,
            output,
            name=ref_of,
            columns={
                "KIND": lambda one: one.kind,
                "OBJECTS": lambda one: f"{one.objects:,}",
                "SIZE": lambda one: size(one.size),
                "AGE": lambda one: ago(one.modified),
                "WHY": lambda one: one.why,
                "WHAT": ref_of,
            },
            empty=f"no garbage older than {older_than}",
        )

    def amount(garbage: list[Garbage]) -> str:
        return f"{count(sum(one.objects for one in garbage), 'object')}, {size(sum(one.size for one in garbage))}"

    if dry_run or not found:
        show(found)
        if found:
            note(f"would be deleted: {amount(found)}")
            next_steps("mlctl store gc")
        return
    asked = terminal.is_interactive() and not yes
    if asked:
        if output is None:
            show(found)
        terminal.confirm(f"Delete {amount(found)}?", default=False)
    deleted = upkeep.collect(found, older_than=age)
    if output or not asked:
        show(deleted)
    note(f"deleted: {amount(deleted)}")
