"""The root command: global options, exit codes, and errors in one line."""

from __future__ import annotations

import io
import sys
import warnings
from typing import Annotated

import typer

from localpers import __version__
from localpers.cli import bench, models, profiles
from localpers.cli.ask import ask
from localpers.cli.audit import audit
from localpers.cli.doctor import doctor
from localpers.cli.eval import evaluate
from localpers.cli.export import export
from localpers.cli.forget import forget
from localpers.cli.ingest import ingest
from localpers.cli.rollback import rollback
from localpers.cli.search import search
from localpers.cli.status import status
from localpers.cli.tune import tune
from localpers.errors import LocalpersError
from localpers.permissions import keep_private

INTERRUPTED = 130
SEAL_THEMSELVES = ("models", "audit", "profiles")
"""`models pull` needs the network; `audit` compares with an unsealed child process."""

app = typer.Typer(
    name="localpers",
    help="A language model that knows your notes and writes in your voice, on this machine alone.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    epilog="--profile NAME and --debug can be given anywhere on the line.",
)


def _version(requested: bool) -> None:
    if requested:
        sys.stdout.write(f"localpers {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    profile: Annotated[
        str | None, typer.Option(help="The profile to use. Default: that of 'profiles use'.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from localpers.cli.unlocking import fetch_from_keyring
    from localpers.privacy.airgap import seal
    from localpers.profile import default_profile

    if not debug:
        warnings.simplefilter("ignore")
    context.obj = profile or default_profile()
    if context.invoked_subcommand is None:
        from localpers.cli.console import say
        from localpers.cli.next_step import next_step

        seal()
        say(f"{next_step(context.obj)} 'localpers --help' lists the commands.")
    elif context.invoked_subcommand not in SEAL_THEMSELVES:
        fetch_from_keyring(context.obj)
        seal()


for command in (ingest, search, tune, ask, forget, rollback, status, doctor, audit, export):
    app.command()(command)
app.command("eval")(evaluate)
app.add_typer(models.app, name="models")
app.add_typer(profiles.app, name="profiles")
app.add_typer(bench.app, name="bench")


def _lift_global_options(arguments: list[str]) -> list[str]:
    """Move `--profile NAME` and `--debug` to the front, where typer expects them."""
    lifted: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--":
            rest += [argument, *queue]
            break
        if argument == "--profile" and queue:
            lifted += [argument, queue.pop(0)]
        elif argument == "--debug" or argument.startswith("--profile="):
            lifted.append(argument)
        else:
            rest.append(argument)
    return lifted + rest


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 error, 2 usage, 130 interrupted."""
    keep_private()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    arguments = _lift_global_options(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        code = app(args=arguments, prog_name="localpers", standalone_mode=False)
        if code == INTERRUPTED:
            _complain("Interrupted. Finished work is kept; run the same command to continue.")
    except typer.TyperException as error:
        code = _report_usage(error)
    except LocalpersError as error:
        if debug:
            raise
        _complain(str(error))
        code = error.exit_code
    except SystemExit:
        code = 0  # Typer exits so when the reader of a pipe has gone, which is no error.
    except OSError as error:
        if debug:
            raise
        code = _report_system(error)
    except Exception as error:
        if debug:
            raise
        _complain(
            f"Unexpected error ({type(error).__name__}). Nothing was lost; "
            "run this again with --debug and report what it prints."
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _report_system(error: OSError) -> int:
    where = f"{error.filename}: " if error.filename else ""
    _complain(f"{where}{error.strerror or type(error).__name__}. Check it and run this again.")
    return 1


def _report_usage(error: typer.TyperException) -> int:
    from localpers.cli.console import printable

    context = getattr(error, "ctx", None)
    message = printable(error.format_message())
    if type(error).__name__ == "NoArgsIsHelpError":  # Of a group such as `models`.
        sys.stderr.write(message + "\n")
    elif message:
        _complain(f"{message} Try 'localpers {_command_of(context)}--help'.")
    return error.exit_code


def _command_of(context: typer.Context | None) -> str:
    if context is None or context.parent is None:
        return ""
    return " ".join(context.command_path.split()[1:]) + " "


def _complain(line: str) -> None:
    from localpers.cli.console import notice

    notice("localpers: " + " ".join(line.split()))
