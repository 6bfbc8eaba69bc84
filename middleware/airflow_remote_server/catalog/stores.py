"""The classic endpoints about variables, connections and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_remote_server.catalog.spec import AS_JSON, Argument, Endpoint, Kind, Variant

if TYPE_CHECKING:
    from airflow_remote_server.catalog.version_args import VersionArguments

ONLY_STDOUT = 'Only "-": the response has the content, for the client to save'


def variables(version: VersionArguments) -> Endpoint:
    """Return ``variables``: list, or one of set, get, import, export, delete.

    :param version: the arguments of the installed release
    """
    key = Argument("key", required=True, help="Key of the variable")
    value = Argument("value", required=True, allow_empty=True, secret=True, help="Value of the variable")
    json = Argument("json", "--json", Kind.FLAG, short="-j", help="The value is JSON")
    show = Argument("show_values", "--show-values", Kind.FLAG, help="Show the values as well")
    listed = () if version.two else (version.since((3, 2), show),)
    description = version.since((2, 8), Argument("description", "--description", help="Description"))
    on_existing = Argument(
        "action_on_existing_key",
        "--action-on-existing-key",
        choices=("overwrite", "fail", "skip"),
        help="What to do if a key exists",
    )
    return Endpoint(
        "variables",
        "List, read and change variables",
        (
            Variant(("variables", "list"), listed, fixed=AS_JSON, read_only=True),
            Variant(
                ("variables", "set"),
                (key, value, json, description),
                name="set",
                takes="key",
            ),
            Variant(
                ("variables", "get"),
                (
                    key,
                    json,
                    Argument(
                        "default",
                        "--default",
                        short="-d",
                        allow_empty=True,
                        help="Value to show if the variable does not exist",
                    ),
                ),
                name="get",
                takes="key",
                read_only=True,
            ),
            Variant(
                ("variables", "import"),
                (
                    Argument("file", kind=Kind.UPLOAD, required=True, help="File of variables"),
                    version.since((2, 8), on_existing),
                ),
                name="import",
                takes="file",
            ),
            Variant(
                ("variables", "export"),
                (Argument("file", kind=Kind.STDOUT, required=True, help=ONLY_STDOUT),),
                name="export",
                takes="file",
                read_only=True,
            ),
            Variant(("variables", "delete"), (key,), name="delete", takes="key"),
        ),
    )


def connections(version: VersionArguments) -> Endpoint:
    """Return ``connections``: list, or one of add, delete, get.

    :param version: the arguments of the installed release
    """
    conn_id = Argument("conn_id", required=True, help="ID of the connection")
    add = (
        conn_id,
        Argument("conn_uri", "--conn-uri", separate_value=True, secret=True, help="Connection as a URI"),
        Argument(
            "conn_json",
            "--conn-json",
            Kind.JSON_OBJECT,
            separate_value=True,
            secret=True,
            help="Connection as JSON",
        ),
        Argument("conn_type", "--conn-type", help="Type"),
        Argument("conn_host", "--conn-host", help="Host"),
        Argument("conn_login", "--conn-login", help="Login"),
        Argument("conn_password", "--conn-password", secret=True, help="Password"),
        Argument("conn_schema", "--conn-schema", help="Schema"),
        Argument("conn_port", "--conn-port", Kind.INTEGER, help="Port"),
        Argument("conn_extra", "--conn-extra", Kind.JSON_OBJECT, secret=True, help="Extra fields, as JSON"),
        Argument("conn_description", "--conn-description", help="Description"),
    )
    show = Argument("show_values", "--show-values", Kind.FLAG, help="Show all fields")
    listed = (
        Argument("conn_id", "--conn-id", help="Only this connection")
        if version.two
        else Argument("conn_id", refused="Airflow 3 cannot filter the list: use get"),
        *(() if version.two else (version.since((3, 2), show),)),
    )
    return Endpoint(
        "connections",
        "List, read and change connections",
        (
            Variant(("connections", "list"), listed, fixed=AS_JSON, read_only=True),
            Variant(("connections", "list"), listed, name="list", fixed=AS_JSON, read_only=True),
            Variant(("connections", "add"), add, name="add", one_of=("conn_uri", "conn_json", "conn_type")),
            Variant(("connections", "delete"), (conn_id,), name="delete"),
            Variant(("connections", "get"), (conn_id,), name="get", fixed=AS_JSON, read_only=True),
        ),
    )


def pool() -> Endpoint:
    """Return ``pool``: list, or one of set, get, delete."""
    name = Argument("pool_name", required=True, help="Name of the pool")
    description = Argument("pool_description", allow_empty=True, default="", help="Description")
    return Endpoint(
        "pool",
        "List, read and change pools",
        (
            Variant(("pools", "list"), fixed=AS_JSON, read_only=True),
            Variant(
                ("pools", "set"),
                (
                    name,
                    Argument(
                        "slot_count",
                        kind=Kind.INTEGER,
                        required=True,
                        help="Number of slots; -1 for no limit",
                    ),
                    description,
                    Argument(
                        "include_deferred", "--include-deferred", Kind.FLAG, help="Count deferred tasks too"
                    ),
                ),
                name="set",
                takes="pool_name",
            ),
            Variant(("pools", "get"), (name,), name="get", takes="pool_name", fixed=AS_JSON, read_only=True),
            Variant(("pools", "delete"), (name,), name="delete", takes="pool_name"),
        ),
    )
