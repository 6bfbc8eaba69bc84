"""The program ``airflow-remote``: its global options, and how it ends.

A setting is taken from its option; if that is not given, from the environment (``AIRFLOW_REMOTE_URL``,
``AIRFLOW_REMOTE_TOKEN``); and the URL else is http://localhost:8080. With ``AIRFLOW_REMOTE_DEBUG=1`` the
traceback of a failure is shown; the token is masked in it, as in everything that is said here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from airflow_remote import __version__, output
from airflow_remote.address import DEFAULT_URL
from airflow_remote.cache import FOLDER
from airflow_remote.commands import canonical
from airflow_remote.errors import ClosedPipeError, RemoteError
from airflow_remote.exit_status import ExitStatus
from airflow_remote.invocation import Invocation, status_of
from airflow_remote.output import PROGRAM, note
from airflow_remote.transport import DEFAULT_TIMEOUT
from airflow_remote.tree import Commands

if TYPE_CHECKING:
    from collections.abc import Sequence

DEBUG = "AIRFLOW_REMOTE_DEBUG"
COMPLETION = "_AIRFLOW_REMOTE_COMPLETE"


class Program(Commands):
    """The commands, with the program's own help around them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the global options, and note those that the server is reached with.

        Before click does: its help, which lists the server's commands, is shown as soon as it is asked for.
        """
        if ctx.obj is not None:
            with contextlib.suppress(click.UsageError):
                given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
                settle(ctx.obj, given)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write about the environment and the exit statuses."""
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    ("AIRFLOW_REMOTE_URL", "as --url"),
                    ("AIRFLOW_REMOTE_TOKEN", "as --token, and not seen in a list of processes as that is"),
                    (
                        FOLDER,
                        "where it is kept which commands a server has, instead of the user's cache folder",
                    ),
                    (DEBUG, "1 shows the traceback of a failure"),
                ]
            )
        with formatter.section("Exit status"):
            formatter.write_text("That of the command, once it has run. Otherwise:")
            formatter.write_paragraph()
            formatter.write_dl([(str(int(status)), status.meaning) for status in ExitStatus])


@click.group(
    cls=Program,
    name=PROGRAM,
    no_args_is_help=False,
    help="Run a command of Apache Airflow on a remote Airflow, as if it were here: what works behind airflow "
    "works behind airflow-remote.\n\n"
    "Names of commands and options can be written with - or _. What begins with - and is no option "
    "goes behind --, or behind = as in --conf=-x.",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": canonical,
        "max_content_width": 100,
    },
)
@click.option("--url", envvar="AIRFLOW_REMOTE_URL", help=f"URL of Airflow's webserver [{DEFAULT_URL}].")
@click.option("--token", envvar="AIRFLOW_REMOTE_TOKEN", help="Token of the server's REST API.")
@click.option(
    "--timeout",
    type=float,
    default=DEFAULT_TIMEOUT,
    metavar="SECONDS",
    help=f"How long to wait for a sign of the server [{DEFAULT_TIMEOUT:g}]; a command may run longer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all that the server answers, as JSON.")
@click.option(
    "--detach",
    is_flag=True,
    help="Print the command's job id, and do not wait for its end; see the command job.",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_obj
def program(
    invocation: Invocation, url: str | None, token: str | None, timeout: float, as_json: bool, detach: bool
) -> None:
    """Note the global options; whether they can be used matters when something is sent."""
    invocation.url = DEFAULT_URL if url is None else url
    invocation.token = token or ""
    invocation.timeout = timeout
    invocation.as_json = as_json
    invocation.detach = detach


def settle(invocation: Invocation, given: dict[str, object]) -> None:
    """Note how the server is reached, by options or by the environment.

    :param given: options as they stand on the command line
    """
    environment = os.environ
    invocation.url = str(given.get("url", environment.get("AIRFLOW_REMOTE_URL") or DEFAULT_URL))
    invocation.token = str(given.get("token", environment.get("AIRFLOW_REMOTE_TOKEN", "")))
    with contextlib.suppress(ValueError):
        invocation.timeout = float(str(given.get("timeout", DEFAULT_TIMEOUT)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    :param argv: its arguments, without its name; None for those of the process
    :returns: the exit status, one of ``ExitStatus`` or the remote command's exit code
    """
    invocation = Invocation()
    try:
        return run(list(sys.argv[1:] if argv is None else argv), invocation)
    except ClosedPipeError as error:
        return error.exit_status
    except BrokenPipeError:  # from click, which writes the help
        # Python would try once more to write what is left, and complain.
        output.discard(sys.stdout)
        return ExitStatus.CLOSED_PIPE
    except (KeyboardInterrupt, click.Abort):
        with contextlib.suppress(KeyboardInterrupt):  # the second one ends it at once
            note(invocation.interrupted())
        return ExitStatus.INTERRUPTED
    except RemoteError as error:
        explain(error.message, invocation)
        return status_of(error)
    except click.ClickException as error:
        explain(usage(error), invocation)
        return ExitStatus.USAGE
    except OSError as error:  # from click as well; our own writing and reading raises LocalFileError
        output.discard(sys.stdout)
        explain(f"cannot write: {error}", invocation)
        return ExitStatus.LOCAL_FILE
    except Exception as error:  # a defect of ours, which a user should not have to read as a traceback
        explain(f"internal error: {type(error).__name__}: {error} ({DEBUG}=1 shows where)", invocation)
        return ExitStatus.SERVER_ERROR


def run(argv: list[str], invocation: Invocation) -> int:
    """Parse a command line and run its command.

    :param argv: without the program's name
    :param invocation: gets the global options
    :returns: the exit status
    """
    instruction = os.environ.get(COMPLETION)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {"obj": invocation}, PROGRAM, COMPLETION, instruction)
    try:
        # Not program.main(): click would turn a closed pipe into the exit status 1.
        with program.make_context(PROGRAM, argv, obj=invocation) as context:
            program.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return ExitStatus.OK


def usage(error: click.ClickException) -> str:
    """The message for a command line that cannot be understood."""
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message} (see {context.command_path if context else PROGRAM} --help)"


def explain(message: str, invocation: Invocation) -> None:
    """Say what went wrong, in one line; and show where, when that is asked for."""
    if os.environ.get(DEBUG, "") not in ("", "0"):
        with contextlib.suppress(RemoteError):
            output.to_stderr(invocation.masked(traceback.format_exc()))
    note(invocation.masked(message))


if __name__ == "__main__":
    sys.exit(main())
