"""Describe an option of airflow.cfg: where it is, what it may hold, and what it does.

A field of a settings class names its option in its metadata, so that the key, the check and the default of an
option are stated once, for the reader and for the reference.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import Field

SECTION = "rest_api_plugin"
MEBIBYTE = 1 << 20
METADATA_KEY = "option"


class OptionType(str, Enum):
    """The type of an option's value."""

    BOOLEAN = "boolean"
    INTEGER = "positive integer"
    NUMBER = "positive number"
    TEXT = "text"
    PATTERNS = "patterns, separated by commas or line ends"
    ORIGINS = "origins, separated by commas or line ends"
    OTHER = "other"
    """Read by separate code, for example because several options make one field."""


@dataclass(frozen=True)
class Option:
    """An option of airflow.cfg.

    :param key: its key
    :param description: one sentence that says what it does
    :param type: how its value is read and checked
    :param section: its section
    :param unit: the unit of its value
    :param factor: the value of the field for one unit; for example, 3600 for hours in a field of seconds
    :param default: the default for the reference, if the field's own default does not say it
    :param type_name: the type for the reference, if it is ``OTHER``
    """

    key: str
    description: str
    type: OptionType = OptionType.TEXT
    section: str = SECTION
    unit: str = ""
    factor: int = 1
    default: str = ""
    type_name: str = ""


def option(key: str, description: str, type: OptionType = OptionType.TEXT, **more: Any) -> dict[str, Option]:
    """Return the metadata of the field that holds the value of an option.

    :param key: the key of the option
    :param description: one sentence that says what it does
    :param type: how its value is read and checked
    :param more: further fields of ``Option``
    """
    return {METADATA_KEY: Option(key, description, type, **more)}


def options_of(settings: type) -> Iterator[tuple[Field[Any], Option]]:
    """Yield the fields of a settings class that have an option, each with its option.

    :param settings: a dataclass
    """
    for field in fields(settings):
        option = field.metadata.get(METADATA_KEY)
        if option is not None:
            yield field, option


def default_of(field: Field[Any], option: Option) -> Any:
    """Return the default of an option, in the option's own unit; None if it has none.

    :param field: the field that holds the option's value
    :param option: the option
    """
    if field.default is MISSING:
        return None
    return field.default if option.factor == 1 else field.default / option.factor
