"""The data classes of the catalog: endpoints, the commands that they become, and the arguments of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_remote_server.execution.results import JSON_OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping

AS_JSON = (JSON_OPTION,)


class Kind(str, Enum):
    """The kind of an argument's value, which is checked before anything is done with it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"
    JSON = "json"
    """JSON of any type; the command itself parses it."""
    JSON_OBJECT = "json_object"
    DAGS_PATH = "dags_path"
    """A path on the server, inside the DAGs folder."""
    LOG_PATH = "log_path"
    """A path on the server, inside the log folder."""
    UPLOAD = "upload"
    """A file that comes with the request."""
    STDOUT = "stdout"
    """A file that Airflow would write; only "-" is accepted, so that the content is the command's output."""
    DOWNLOAD = "download"
    """A file that the command writes to the job's directory; "-" stays stdout."""
    FOLDER = "folder"
    """A directory that the command writes files to, inside the job's directory."""


class Handler(str, Enum):
    """The part of the server that serves an endpoint."""

    COMMAND = "command"
    """Run a command of Airflow or of this project as a job."""
    VERSION = "version"
    """Return the version of this project; nothing is run."""
    READ = "read"
    """Read Airflow's database and logs in the webserver; nothing is run."""
    DEPLOY = "deploy"
    """Store the DAG file that came with the request, or an earlier version of one, as a job."""


@dataclass(frozen=True)
class Confirmation:
    """How a command asks for confirmation. A server cannot answer, so the request must include a flag.

    :param argument: the flag that confirms; if it is false, the command only asks, or makes a dry run
    :param when: the command asks only with one of these flags; if there are none, it always asks
    :param unless: the command does not ask with one of these flags
    :param preview: whether the flag can be given as false
    """

    argument: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    preview: bool = True

    def is_asked(self, values: Mapping[str, Any]) -> bool:
        """Return whether the command asks.

        :param values: its argument values by name
        """
        if values.get(self.argument) or any(values.get(flag) for flag in self.unless):
            return False
        return not self.when or any(values.get(flag) for flag in self.when)

    def is_previewed(self, values: Mapping[str, Any]) -> bool:
        """Return whether a request only wants to see what the command asks."""
        return values.get(self.argument) is False and self.is_asked(values)


@dataclass(frozen=True)
class Prompt:
    """A value that a command prompts for if it is not given.

    :param argument: the argument that gives it
    :param unless: the command does not prompt with one of these flags
    """

    argument: str
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """An argument of an endpoint.

    :param name: its name in a request, with ``_`` (``-`` is accepted as well)
    :param flag: the long option on the command line; "" for a positional argument
    :param kind: the kind of its value
    :param required: whether a request must give it
    :param help: one line for users
    :param choices: the values that it accepts; any if empty
    :param aliases: other names in a request
    :param short: the client's short option, as in Airflow 1.x
    :param repeatable: whether it may be given more than once
    :param allow_empty: whether an empty value counts; otherwise it is as if the argument were not given
    :param default: the value to send if it is not given (optional in Airflow 1.x, required by later ones)
    :param separate_value: sent as ``--flag VALUE``, the only form that Airflow's audit log masks
    :param secret: never shown in logs or responses
    :param refused: why it is never accepted; "" if it is accepted
    :param absent: why this release of Airflow lacks it, and which one has it; "" if this release has it
    :param ignored: accepted and dropped: it has no meaning in this Airflow, or no effect over HTTP
    :param own: it is for this server, which does not pass it to the command
    :param flags: all its option strings on Airflow's command line; empty for a classic argument
    :param off: the option that turns a flag off, such as ``--no-x``; "" if there is none
    :param nargs: the number of its values, as in argparse; one if None
    :param metavar: the placeholder for its value in help texts
    :param shown_default: Airflow's default, for help texts
    :param bounds: the smallest and the greatest number that an integer may be; None for any
    """

    name: str
    flag: str = ""
    kind: Kind = Kind.TEXT
    required: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    short: str = ""
    repeatable: bool = False
    allow_empty: bool = False
    default: str | None = None
    separate_value: bool = False
    secret: bool = False
    refused: str = ""
    absent: str = ""
    ignored: bool = False
    own: bool = False
    flags: tuple[str, ...] = ()
    off: str = ""
    nargs: str | int | None = None
    metavar: str = ""
    shown_default: str = ""
    bounds: tuple[int, int] | None = None

    @property
    def unusable(self) -> str:
        """Return why it cannot be given; "" if it can."""
        return self.refused or self.absent

    @property
    def takes_list(self) -> bool:
        """Return whether its value is a list."""
        return self.repeatable or self.nargs not in (None, "?")

    @property
    def takes_separate_words(self) -> bool:
        """Return whether the option and its values are separate words of the command line."""
        return self.separate_value or self.nargs not in (None, "?")


FORCE, RESTART = "force", "restart"
RESTART_CHOICES = ("no", "on-failure")
SERVICE_ARGUMENTS = (
    Argument(
        FORCE,
        "--force",
        Kind.FLAG,
        help="Start the service even if it runs already, with the same arguments",
        flags=("--force",),
        own=True,
    ),
    Argument(
        RESTART,
        "--restart",
        help="Whether to start the service again when it fails",
        choices=RESTART_CHOICES,
        flags=("--restart",),
        own=True,
    ),
)
"""The arguments of this server that each service takes, in addition to those of Airflow."""


@dataclass(frozen=True)
class Variant:
    """One command that an endpoint may become.

    :param command: the words after ``airflow``, or after ``program``
    :param arguments: its arguments, positional ones in the order of the command line
    :param name: the argument, or the value of ``cmd``, that chooses this variant; "" for the default variant
    :param takes: the argument that gets the value of the choosing argument (``get=KEY``); "" for a flag
    :param fixed: options that are always sent
    :param one_of: arguments of which at least one is required
    :param mirrored: if only one of ``one_of`` is given, the others get its value
    :param read_only: whether the command changes nothing
    :param service: whether the command runs until it is stopped
    :param log_is_output: whether the command's log is what users want to see
    :param program: ``airflow``, ``airflow-remote-server`` (this project's actions), or a module of Airflow
    :param confirm: how the command asks for confirmation; None if it does not ask
    :param prompts: the values that the command prompts for
    :param exclusive: groups of arguments of which at most one can be given
    """

    command: tuple[str, ...]
    arguments: tuple[Argument, ...] = ()
    name: str = ""
    takes: str = ""
    fixed: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    mirrored: bool = False
    read_only: bool = False
    service: bool = False
    log_is_output: bool = False
    program: str = "airflow"
    confirm: Confirmation | None = None
    prompts: tuple[Prompt, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """A name below ``/api/v1.0`` or ``/api/v1.0/commands``.

    :param name: its name
    :param summary: one line for users
    :param variants: the commands it may become; the first is the default, unless it has a name: then the
        request must choose one
    :param aliases: other names of the endpoint
    :param absent: why the installed Airflow lacks it, with the nearest commands; "" if it has it
    :param provider: the provider distribution that it requires
    :param description: a longer description; "" if there is none
    :param epilog: examples and notes
    :param hidden: whether lists of commands omit it
    :param refused: why the policy refuses it; "" if it does not
    :param long_running: whether it may take minutes
    :param parses_dags: whether it runs the code of DAG files
    :param prints_secrets: whether it may print secrets
    :param trusted_only: refuse clients that have no token and are not on this machine
    :param handler: the part of the server that serves it
    """

    name: str
    summary: str
    variants: tuple[Variant, ...] = ()
    aliases: tuple[str, ...] = ()
    absent: str = ""
    provider: str = ""
    description: str = ""
    epilog: str = ""
    hidden: bool = False
    refused: str = ""
    long_running: bool = False
    parses_dags: bool = False
    prints_secrets: bool = False
    trusted_only: bool = False
    handler: Handler = Handler.COMMAND

    @property
    def read_only(self) -> bool:
        """Return whether none of its variants changes anything."""
        return all(variant.read_only for variant in self.variants)


RequestArguments = dict[str, list[Any]]
"""The arguments of a request: name to values, each a text, a JSON value or werkzeug's ``FileStorage``."""
