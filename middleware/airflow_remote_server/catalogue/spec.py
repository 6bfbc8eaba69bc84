"""What an endpoint is: its arguments, and the Airflow commands it can become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

AS_JSON = ("--output=json",)


class Kind(str, Enum):
    """What a value must be, checked before anything is done with it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"
    JSON = "json"
    """JSON of any kind, which the command itself reads."""
    JSON_OBJECT = "json_object"
    DAGS_PATH = "dags_path"
    """A path on the server, inside the DAGs folder."""
    LOG_PATH = "log_path"
    """A path on the server, inside the log folder."""
    UPLOAD = "upload"
    """A file that comes with the request."""
    STDOUT = "stdout"
    """A file name of Airflow's, of which only "-" is accepted: the command's output is the file's content."""
    DOWNLOAD = "download"
    """A file that the command writes, in the job's folder; "-" stays stdout."""
    FOLDER = "folder"
    """A folder that the command writes files into: the job's."""


@dataclass(frozen=True)
class Confirm:
    """That a command asks before it acts. Nobody can answer, so an argument has to say yes.

    :param argument: the flag that does
    :param when: it asks only when one of these flags is given; always, when there are none
    :param unless: it does not when one of these flags is given
    """

    argument: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """That a command asks for a value when it has none.

    :param argument: the argument that gives it
    :param unless: it does not when one of these flags is given
    """

    argument: str
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """One argument of an endpoint.

    :param name: its name in a request, with ``_`` (``-`` is accepted as well)
    :param flag: the long option it becomes; "" for a positional one
    :param help: one line for people
    :param aliases: other names in a request
    :param short: the client's short option, as Airflow 1.x had it
    :param repeatable: may be given more than once
    :param allow_empty: an empty value is a value; otherwise it counts as not given
    :param default: sent when the argument is not given (for what 1.x had optional and Airflow requires)
    :param two_tokens: sent as ``--flag VALUE``, the only form that Airflow's audit log masks
    :param secret: never shown in logs or responses
    :param refused: why it is never accepted; "" when it is
    :param ignored: accepted and dropped: today's Airflow has nothing like it, or it is so in any case
    :param flags: all its option strings on Airflow's command line; of a classic argument, none
    :param off: of a flag with two forms, the option for no
    :param nargs: how many values, as argparse has it; one when None
    :param metavar: what help shows for its value
    :param shown_default: what Airflow takes when it is not given, for help
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
    two_tokens: bool = False
    secret: bool = False
    refused: str = ""
    ignored: bool = False
    flags: tuple[str, ...] = ()
    off: str = ""
    nargs: str | int | None = None
    metavar: str = ""
    shown_default: str = ""

    @property
    def several(self) -> bool:
        """Whether its value is a list."""
        return self.repeatable or self.nargs not in (None, "?")

    @property
    def own_words(self) -> bool:
        """Whether the option's values are words of their own on the command line."""
        return self.two_tokens or self.nargs not in (None, "?")


@dataclass(frozen=True)
class Form:
    """One command that an endpoint can become.

    :param command: the words after ``airflow``, or after ``program``
    :param arguments: positional ones in the order of the command line
    :param name: the argument, or the value of ``cmd``, that chooses this form; "" for the default one
    :param takes: the argument that the choosing argument's own value fills (``get=KEY``); "" for a flag
    :param fixed: options that are always sent
    :param one_of: of these at least one is needed
    :param mirrored: when just one of ``one_of`` is given, the others get its value
    :param service: runs until it is stopped
    :param log_is_output: what a user wants to see of it are its log lines
    :param program: ``airflow``, ``airflow-remote-server`` (our own actions) or a module of Airflow's
    :param confirm: how it asks before it acts
    :param asks: what it asks for
    :param exclusive: arguments of which at most one can be given
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
    confirm: Confirm | None = None
    asks: tuple[Ask, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """One name below ``/api/v1.0``.

    :param summary: one line for people
    :param forms: the first is the default one, unless it has a name: then one must be chosen
    :param aliases: other names of the endpoint
    :param absent: why the installed Airflow does not have it, with the nearest commands; "" when it has
    :param provider: the provider distribution it needs
    :param description: more about it; "" when there is no more to say
    :param epilog: examples and the like
    :param hidden: not in a list of commands
    :param refused: why the policy refuses it; "" when it does not
    :param long_running: it may take minutes
    :param parses_dags: it runs the code of DAG files
    :param prints_secrets: it may show what is secret
    :param known_only: not for those of whom nothing is known: without a token, only for this machine
    """

    name: str
    summary: str
    forms: tuple[Form, ...] = ()
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
    known_only: bool = False

    @property
    def read_only(self) -> bool:
        """Whether none of its forms changes anything."""
        return all(form.read_only for form in self.forms)
