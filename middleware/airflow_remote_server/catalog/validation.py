"""Validate the arguments of a request against the variant of an endpoint.

If a request has several problems, the error lists all of them in one line, and nothing is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import FileStorage

from airflow_remote_server.catalog.import_files import check_import
from airflow_remote_server.catalog.spec import Kind
from airflow_remote_server.catalog.values import check_text, convert_flag, convert_text, convert_upload
from airflow_remote_server.errors import BadArguments, NotInThisAirflow
from airflow_remote_server.util.masking import hide_name
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from airflow_remote_server.catalog.argv import Values
    from airflow_remote_server.catalog.spec import Argument, RequestArguments, Variant
    from airflow_remote_server.config.settings import Settings

MAX_LINE_BYTES = 1 << 20
"""The maximum size of all values together; Linux limits arguments and environment to 2 MiB per process."""

MAX_VALUES = 1000
"""The maximum number of values of one argument: argparse is slow for many, in more than linear time."""

MAX_PROBLEMS = 10
"""How many problems a message lists."""

Uploads = dict[str, FileStorage]
"""The files that came with the request, by argument name."""


class Validator:
    """Validates the arguments of one request, and collects their problems.

    :param variant: the variant that the request means
    :param settings: has the folders that paths must be in
    """

    def __init__(self, variant: Variant, settings: Settings) -> None:
        self.variant = variant
        self.settings = settings
        self.problems: list[str] = []
        self.absent: list[str] = []
        self.known = {
            name: argument for argument in variant.arguments for name in (argument.name, *argument.aliases)
        }

    def validate(self, arguments: RequestArguments, ignore_unknown: bool = False) -> tuple[Values, Uploads]:
        """Return the values and the uploads for the command line.

        :param arguments: the arguments of the request
        :param ignore_unknown: drop unknown arguments, as the ``?api=`` shape does
        :raises BadArguments: if there are problems; the message lists them
        :raises NotInThisAirflow: if an argument exists only in other releases of Airflow
        """
        by_name = self._group(arguments, ignore_unknown)
        values: Values = {}
        uploads: Uploads = {}
        for argument in self.variant.arguments:
            items = by_name.get(argument.name, [])
            value = self._convert(argument, items) if items else None
            if isinstance(value, FileStorage):
                uploads[argument.name] = value
            elif value is not None:
                values[argument.name] = value
            elif argument.default is not None:
                values[argument.name] = argument.default
        self._check_required({*values, *uploads, *(name for name, items in by_name.items() if any(items))})
        self._complete_one_of(values)
        self._check_exclusive(values)
        self._check_prompts(values)
        self._check_size(values)
        self._raise_problems()
        return values, uploads

    def _group(self, arguments: RequestArguments, ignore_unknown: bool) -> dict[str, list[Any]]:
        """Return the values by the name of their argument, with aliases resolved."""
        by_name: dict[str, list[Any]] = {}
        for name, items in arguments.items():
            argument = self.known.get(name)
            if argument is not None:
                by_name.setdefault(argument.name, []).extend(items)
            elif not ignore_unknown:
                # Searching for a similar name takes time, so it is done only for names that are shown.
                hint = did_you_mean(name, self.known) if len(self.problems) < MAX_PROBLEMS else ""
                self.problems.append(f"unknown argument {hide_name(name)}{hint}")
        return by_name

    def _convert(self, argument: Argument, items: list[Any]) -> str | bool | list[str] | FileStorage | None:
        """Return the value of an argument; None if it has none, or a problem was added."""
        if argument.takes_list:
            return self._convert_list(argument, items)
        if len(items) > 1:
            self.problems.append(f"{argument.name!r} is given {len(items)} times")
            return None
        return self._convert_item(argument, items[0])

    def _convert_list(self, argument: Argument, items: list[Any]) -> list[str] | None:
        flat = [value for item in items for value in (item if isinstance(item, list) else [item])]
        if len(flat) > MAX_VALUES:
            self.problems.append(f"{argument.name!r}: at most {MAX_VALUES} values, not {len(flat)}")
            return None
        converted = [self._convert_item(argument, item) for item in flat]
        texts = [text for text in converted if isinstance(text, str)]
        return texts if texts or argument.nargs == "*" else None

    def _convert_item(self, argument: Argument, item: Any) -> str | bool | FileStorage | None:
        """Return a single value; None if it does not count as given, or a problem was added."""
        try:
            if argument.kind is Kind.FLAG:
                return self._convert_flag(argument, item)
            if argument.refused:
                raise ValueError(argument.refused)
            if argument.absent:
                self._add_absent(argument)
                return None
            if argument.kind is Kind.UPLOAD:
                upload = convert_upload(item)
                check_import(" ".join(self.variant.command), self.settings.airflow_major, upload)
                return upload
            if argument.nargs == "?" and argument.flag and item is True:
                return True  # the option is given without a value
            text = convert_text(argument, item)
            if text == "" and not argument.allow_empty:
                return None
            return check_text(argument, text, self.settings)
        except ValueError as error:
            self.problems.append(f"{argument.name!r}: {error}")
            return None

    def _convert_flag(self, argument: Argument, item: Any) -> bool | None:
        state = convert_flag(argument, item)
        if state and argument.absent:
            self._add_absent(argument)
        return None if argument.unusable else state

    def _add_absent(self, argument: Argument) -> None:
        self.absent.append(f"{argument.name!r}: {argument.absent}")

    def _check_required(self, names: set[str]) -> None:
        """Add a problem if required arguments are missing.

        :param names: the arguments that have a value
        """
        required = [argument.name for argument in self.variant.arguments if argument.required]
        missing = [name for name in required if name not in names]
        if missing:
            self.problems.append(f"missing: {', '.join(missing)}")

    def _complete_one_of(self, values: Values) -> None:
        """Add a problem if all arguments of ``one_of`` are missing; mirror one to the others if needed."""
        one_of = self.variant.one_of
        first = next((values[name] for name in one_of if name in values), None)
        if one_of and first is None:
            self.problems.append(f"missing: one of {', '.join(one_of)}")
        elif first is not None and self.variant.mirrored:
            for name in one_of:
                values.setdefault(name, first)

    def _check_exclusive(self, values: Values) -> None:
        """Add a problem for arguments that exclude each other."""
        for names in self.variant.exclusive:
            present = [name for name in names if values.get(name, False) is not False]
            if len(present) > 1:
                self.problems.append(f"{' and '.join(present)} cannot be combined: give only one of them")

    def _check_prompts(self, values: Values) -> None:
        """Add a problem if the command would prompt: there is no terminal for an answer."""
        command = " ".join(self.variant.command)
        confirm = self.variant.confirm
        if confirm is not None and confirm.is_asked(values) and not confirm.is_previewed(values):
            self.problems.append(
                f"`{command}` asks for confirmation, which is not possible here: give {confirm.argument}, "
                f"or {confirm.argument}=false to see what it would do"
            )
        for prompt in self.variant.prompts:
            if prompt.argument not in values and not any(values.get(flag) for flag in prompt.unless):
                names = " or ".join((prompt.argument, *prompt.unless))
                self.problems.append(
                    f"`{command}` prompts for {prompt.argument}, which is not possible here: give {names}"
                )

    def _check_size(self, values: Values) -> None:
        """Add a problem if the command line is too long: jobs store it, and lists of jobs show it."""
        items = [
            item for value in values.values() for item in (value if isinstance(value, list) else [value])
        ]
        size = sum(len(item.encode("utf-8", "replace")) for item in items if isinstance(item, str))
        if size > MAX_LINE_BYTES:
            self.problems.append(
                f"the arguments have {size} bytes; a command line may have at most {MAX_LINE_BYTES}"
            )

    def _raise_problems(self) -> None:
        if self.problems:
            more = len(self.problems) - MAX_PROBLEMS
            and_more = [f"and {more} more"] if more > 0 else []
            raise BadArguments("; ".join([*self.problems[:MAX_PROBLEMS], *and_more]))
        if self.absent:
            raise NotInThisAirflow("; ".join(self.absent))
