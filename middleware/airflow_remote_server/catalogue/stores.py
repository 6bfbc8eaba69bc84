"""The classic endpoints of Airflow's stores: variables, connections and pools."""

from __future__ import annotations

from airflow_remote_server.catalogue.spec import AS_JSON, Argument, Endpoint, Form, Kind

NO_FILES = 'only "-": the content is in the answer, for the client to save'


def variables(two: bool) -> Endpoint:
    """``variables``: list, or one of set, get, import, export, delete.

    :param two: for Airflow 2
    """
    key = Argument("key", required=True, help="The variable's key")
    value = Argument("value", required=True, allow_empty=True, secret=True, help="The variable's value")
    json = Argument("json", "--json", Kind.FLAG, short="-j", help="The value is JSON")
    show = () if two else (Argument("show_values", "--show-values", Kind.FLAG, help="Show the values too"),)
    return Endpoint(
        "variables",
        "List, read and change variables",
        (
            Form(("variables", "list"), show, fixed=AS_JSON, read_only=True),
            Form(
                ("variables", "set"),
                (key, value, json, Argument("description", "--description", help="What it is for")),
                name="set",
                takes="key",
            ),
            Form(
                ("variables", "get"),
                (
                    key,
                    json,
                    Argument("default", "--default", short="-d", allow_empty=True, help="Shown if not set"),
                ),
                name="get",
                takes="key",
                read_only=True,
            ),
            Form(
                ("variables", "import"),
                (
                    Argument("file", kind=Kind.UPLOAD, required=True, help="File of variables"),
                    Argument(
                        "action_on_existing_key",
                        "--action-on-existing-key",
                        choices=("overwrite", "fail", "skip"),
                        help="What to do with a key that is there",
                    ),
                ),
                name="import",
                takes="file",
            ),
            Form(
                ("variables", "export"),
                (Argument("file", kind=Kind.STDOUT, required=True, help=NO_FILES),),
                name="export",
                takes="file",
                read_only=True,
            ),
            Form(("variables", "delete"), (key,), name="delete", takes="key"),
        ),
    )


def connections(two: bool) -> Endpoint:
    """``connections``: list, or one of add, delete, get.

    :param two: for Airflow 2
    """
    conn_id = Argument("conn_id", required=True, help="The connection's id")
    add = (
        conn_id,
        Argument("conn_uri", "--conn-uri", two_tokens=True, secret=True, help="The connection as a URI"),
        Argument(
            "conn_json",
            "--conn-json",
            Kind.JSON_OBJECT,
            two_tokens=True,
            secret=True,
            help="The connection as JSON",
        ),
        Argument("conn_type", "--conn-type", help="Its type"),
        Argument("conn_host", "--conn-host", help="Its host"),
        Argument("conn_login", "--conn-login", help="Its login"),
        Argument("conn_password", "--conn-password", secret=True, help="Its password"),
        Argument("conn_schema", "--conn-schema", help="Its schema"),
        Argument("conn_port", "--conn-port", Kind.INTEGER, help="Its port"),
        Argument("conn_extra", "--conn-extra", Kind.JSON_OBJECT, secret=True, help="Its extra, JSON"),
        Argument("conn_description", "--conn-description", help="What it is for"),
    )
    listed = (
        Argument("conn_id", "--conn-id", help="Only this one")
        if two
        else Argument("conn_id", refused="Airflow 3 cannot filter the list: use get"),
        *(() if two else (Argument("show_values", "--show-values", Kind.FLAG, help="Show all fields"),)),
    )
    return Endpoint(
        "connections",
        "List, read and change connections",
        (
            Form(("connections", "list"), listed, fixed=AS_JSON, read_only=True),
            Form(("connections", "list"), listed, name="list", fixed=AS_JSON, read_only=True),
            Form(("connections", "add"), add, name="add", one_of=("conn_uri", "conn_json", "conn_type")),
            Form(("connections", "delete"), (conn_id,), name="delete"),
            Form(("connections", "get"), (conn_id,), name="get", fixed=AS_JSON, read_only=True),
        ),
    )


def pool() -> Endpoint:
    """``pool``: list, or one of set, get, delete."""
    name = Argument("pool_name", required=True, help="The pool's name")
    description = Argument("pool_description", allow_empty=True, default="", help="What it is for")
    return Endpoint(
        "pool",
        "List, read and change pools",
        (
            Form(("pools", "list"), fixed=AS_JSON, read_only=True),
            Form(
                ("pools", "set"),
                (
                    name,
                    Argument("slot_count", kind=Kind.INTEGER, required=True, help="Slots; -1: no limit"),
                    description,
                    Argument("include_deferred", "--include-deferred", Kind.FLAG, help="Count deferred ones"),
                ),
                name="set",
                takes="pool_name",
            ),
            Form(("pools", "get"), (name,), name="get", takes="pool_name", fixed=AS_JSON, read_only=True),
            Form(("pools", "delete"), (name,), name="delete", takes="pool_name"),
        ),
    )
