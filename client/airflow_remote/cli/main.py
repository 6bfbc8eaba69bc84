"""The program ``airflow-remote``: its global options and exit statuses.

An option overrides the environment (``AIRFLOW_REMOTE_URL``, ``AIRFLOW_REMOTE_TOKEN``). The default URL is
http://localhost:8080. With ``AIRFLOW_REMOTE_DEBUG=1``, errors show a traceback. The token is masked in
it, as in all messages of the program.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from airflow_remote._version import __version__
from airflow_remote.catalog.cache import CACHE_DIR_VARIABLE
from airflow_remote.catalog.classic import normalize
from airflow_remote.cli import console
from airflow_remote.cli.console import PROGRAM, note
from airflow_remote.cli.context import CliContext, exit_status_for
from airflow_remote.cli.own_commands import TOKEN
from airflow_remote.cli.root import RootGroup
from airflow_remote.cli.signals import Interrupts
from airflow_remote.errors import ClosedPipeError, RemoteError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.http.certificates import VARIABLES
from airflow_remote.http.session import DEFAULT_TIMEOUT
from airflow_remote.http.url import DEFAULT_URL

if TYPE_CHECKING:
    from collections.abc import Sequence

CACERT_VARIABLE = "AIRFLOW_REMOTE_CACERT"
DEBUG = "AIRFLOW_REMOTE_DEBUG"
COMPLETION = "_AIRFLOW_REMOTE_COMPLETE"


class Program(RootGroup):
    """All commands, with the help of the program itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the global options, and remember the connection settings.

        This precedes click's own parsing, which shows the help, with the server's commands, at once.
        """
        if ctx.obj is not None:
            with contextlib.suppress(click.UsageError):
                options, _, _ = self.make_parser(ctx).parse_args(args=list(args))
                apply_connection_options(ctx.obj, options)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections about the environment and the exit statuses."""
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    ("AIRFLOW_REMOTE_URL", "like --url"),
                    ("AIRFLOW_REMOTE_TOKEN", "like --token, but not visible in the process list"),
                    (CACERT_VARIABLE, f"like --cacert; then {', '.join(VARIABLES)}, as for curl"),
                    ("http_proxy, https_proxy, all_proxy, no_proxy", "proxies, as for curl"),
                    (
                        CACHE_DIR_VARIABLE,
                        "directory of the cached command list, instead of the user's cache directory",
                    ),
                    (DEBUG, "1 shows the traceback of an error"),
                ]
            )
        with formatter.section("Exit status"):
            formatter.write_text("The exit code of the command, if it ran; 0 or 1 for a DAG run. Otherwise:")
            formatter.write_paragraph()
            formatter.write_dl([(str(int(status)), status.meaning) for status in ExitStatus])


@click.group(
    cls=Program,
    name=PROGRAM,
    no_args_is_help=False,
    help="Run an Apache Airflow command on a remote server as if it were local. Every command and option of "
    "airflow works with airflow-remote.\n\n"
    "Names of commands and options can be written with - or _. Put values that start with - after --, "
    "or use = as in --conf=-x.",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": normalize,
        "max_content_width": 100,
    },
)
@click.option("--url", envvar="AIRFLOW_REMOTE_URL", help=f"URL of the Airflow webserver [{DEFAULT_URL}].")
@click.option("--token", envvar="AIRFLOW_REMOTE_TOKEN", help="API token.")
@click.option(
    "--cacert",
    envvar=CACERT_VARIABLE,
    type=click.Path(),
    metavar="FILE",
    help="CA certificates to verify the server's with, in PEM format.",
)
@click.option(
    "--timeout",
    type=float,
    default=DEFAULT_TIMEOUT,
    metavar="SECONDS",
    help=f"Read timeout in seconds [{DEFAULT_TIMEOUT:g}]; does not limit the command.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's full response as JSON.")
@click.option(
    "--detach",
    is_flag=True,
    help="Print the job id without waiting for the command to end; see the command job.",
)
@click.option(
    "--verbose", is_flag=True, help="Print tracebacks of commands in full, not only their last line."
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_obj
def program(
    context: CliContext,
    url: str | None,
    token: str | None,
    cacert: str | None,
    timeout: float,
    as_json: bool,
    detach: bool,
    verbose: bool,
) -> None:
    """Store the global options; they are validated when a request is sent."""
    context.url_is_default = url is None
    context.url = DEFAULT_URL if url is None else url
    context.token = token or ""
    context.cacert = cacert or ""
    context.timeout = timeout
    context.as_json = as_json
    context.detach = detach
    context.verbose = verbose


def apply_connection_options(context: CliContext, options: dict[str, object]) -> None:
    """Store the connection settings from options or the environment.

    :param options: the options on the command line
    """
    environment = os.environ
    url = options.get("url", environment.get("AIRFLOW_REMOTE_URL") or None)
    context.url_is_default = url is None
    context.url = DEFAULT_URL if url is None else str(url)
    context.cacert = str(options.get("cacert", environment.get(CACERT_VARIABLE, "")))
    context.token = str(options.get("token", environment.get("AIRFLOW_REMOTE_TOKEN", "")))
    with contextlib.suppress(ValueError):
        context.timeout = float(str(options.get("timeout", DEFAULT_TIMEOUT)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    :param argv: the arguments without the program name; None for those of the process
    :returns: the exit status, a member of ``ExitStatus`` or the exit code of the remote command
    """
    context = CliContext()
    with Interrupts() as interrupts:
        try:
            return run(list(sys.argv[1:] if argv is None else argv), context)
        except ClosedPipeError as error:
            return error.exit_status
        except BrokenPipeError:  # raised by click, which writes the help
            # Python would try to write the rest again, and print an error.
            console.discard(sys.stdout)
            return ExitStatus.CLOSED_PIPE
        except (KeyboardInterrupt, click.Abort):
            with contextlib.suppress(KeyboardInterrupt):  # a second one exits at once
                note(context.handle_interrupt())
            return interrupts.exit_status
        except RemoteError as error:
            print_error(context.explain(error), context)
            return exit_status_for(error)
        except click.ClickException as error:
            failure = context.default_url_failure() if needs_server(error) else None
            if failure is not None:
                print_error(context.explain(failure), context)
                return exit_status_for(failure)
            print_error(usage_message(error), context)
            return ExitStatus.USAGE
        except OSError as error:  # raised by click; the client's own code raises LocalFileError
            console.discard(sys.stdout)
            print_error(f"cannot write: {error}", context)
            return ExitStatus.LOCAL_FILE
        except Exception as error:  # noqa: BLE001 - a bug must not show a traceback to the user
            print_error(
                f"internal error: {type(error).__name__}: {error} ({DEBUG}=1 shows the traceback)", context
            )
            return ExitStatus.SERVER_ERROR


def run(argv: list[str], context: CliContext) -> int:
    """Parse a command line, and run its command.

    :param argv: without the program's name
    :param context: receives the global options
    :returns: the exit status
    """
    instruction = os.environ.get(COMPLETION)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {"obj": context}, PROGRAM, COMPLETION, instruction)
    try:
        # Not program.main(): click would exit with status 1 for a closed pipe.
        with program.make_context(PROGRAM, argv, obj=context) as click_context:
            program.invoke(click_context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return ExitStatus.OK


def usage_message(error: click.ClickException) -> str:
    """Return the message for an invalid command line."""
    message = error.format_message().rstrip(".")
    click_context = getattr(error, "ctx", None)
    return f"{message} (see {click_context.command_path if click_context else PROGRAM} --help)"


def needs_server(error: click.ClickException) -> bool:
    """Return whether an invalid command line is one of a command that needs a server."""
    command_path = getattr(getattr(error, "ctx", None), "command_path", "").split()
    return len(command_path) > 1 and command_path[1] != TOKEN


def print_error(message: str, context: CliContext) -> None:
    """Print an error in one line; with debugging on, also the traceback."""
    if os.environ.get(DEBUG, "") not in ("", "0"):
        import traceback

        with contextlib.suppress(RemoteError):
            console.to_stderr(context.mask(traceback.format_exc()))
    note(context.mask(message))
