"""`mlctl store`: the bucket or folder that holds everything."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import terminal
from orchestrator.cli.group import group
from orchestrator.cli.options import ContextOption, OutputOption
from orchestrator.cli.render import STATE_STYLES, Format, count, encode, next_steps, note, write
from orchestrator.errors import StoreError

app = group("What holds everything: check a bucket, or serve one.")

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
