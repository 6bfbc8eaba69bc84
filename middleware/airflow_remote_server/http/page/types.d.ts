// Types of the API's documents and of the page's own objects. For tsc only: the server does not serve this file.

export type Kind =
    | "text"
    | "integer"
    | "number"
    | "flag"
    | "date"
    | "json"
    | "json_object"
    | "dags_path"
    | "log_path"
    | "upload"
    | "stdout"
    | "download"
    | "folder";

/** One argument of a command. Classic endpoints omit false and empty properties. */
export interface Argument {
    name: string;
    kind?: Kind;
    help?: string;
    required?: boolean;
    choices?: string[];
    repeatable?: boolean;
    secret?: boolean;
    /** Why the argument is not accepted over HTTP. */
    refused?: string;
    /** The server accepts the argument and ignores it. */
    ignored?: boolean;
    default?: string;

    /** Classic endpoints: the client takes it as a positional argument. */
    positional?: boolean;

    /** Live commands: all option strings on Airflow's command line. */
    flags?: string[];
    /** Live commands: the option that turns a two-way flag off. */
    off?: string;
    /** Live commands: the number of values, as argparse has it. */
    nargs?: string | number | null;
}

/** One command that an endpoint can run. */
export interface Variant {
    /** The action that selects it, or "" for the default one. */
    name: string;
    /** Equivalent Airflow command, such as "airflow dags list". */
    command: string;
    arguments: Argument[];
    /** Names of the arguments that follow the action itself on the client's command line. */
    takes?: string[];
    read_only?: boolean;
    service?: boolean;
}

/** Properties that classic endpoints and live commands share. */
interface Described {
    name: string;
    help: string;
    description?: string;
    epilog?: string;
    /** Why the command is not accepted over HTTP. */
    refused?: string;
    long_running?: boolean;
    prints_secrets?: boolean;
    /** The command can print JSON. */
    json?: boolean;
    /** How the command asks for confirmation. */
    confirm?: Confirmation | null;
}

/** How a command asks for confirmation. */
export interface Confirmation {
    /** The flag that answers yes. */
    argument: string;
    /** It asks only with one of these arguments, if there are any. */
    when?: string[];
    /** It does not ask with one of these arguments. */
    unless?: string[];
    /** If the flag is false, the server returns what the command asks. */
    preview?: boolean;
}

/** A classic endpoint, as the page's HTML embeds it. */
export interface Endpoint extends Described {
    /** Why the installed Airflow lacks it. */
    absent?: string;
    variants?: Partial<Variant>[];
}

/** A live command, as `GET commands` describes it. */
export interface LiveCommand extends Described {
    arguments: Argument[];
    read_only?: boolean;
    service?: boolean;
    hidden?: boolean;
}

/** The document of `GET commands`. */
export interface Catalog {
    airflow: string;
    groups: { name: string; help: string }[];
    commands: LiveCommand[];
}

/** An endpoint or a live command in the sidebar. */
export interface Entry extends Described {
    absent: string;
    variants: Variant[];
    /** The address of its view, such as "#endpoint/version". */
    hash: string;
    /** Its path below "api/v1.0/". */
    path: string;
    live?: boolean;
}

/** The data that the page's HTML embeds. */
export interface PageData {
    /** Major version of the installed Airflow. */
    airflow: number;
    /** No token is configured. */
    open: boolean;
    endpoints: Endpoint[];
}

export type JobStateName = "queued" | "running" | "succeeded" | "failed" | "stopped" | "timed_out" | "lost";
export type StreamName = "stdout" | "stderr";

/** How a command ended; part of both a job and an envelope. */
interface Outcome {
    exit_code?: number | null;
    http_response_code?: number;
    error?: { type: string; message: string } | null;
    warning?: string;
    dag_run_id?: string;
    files?: { name: string; size: number }[];
    result?: unknown;
}

/** A job, as `GET jobs/ID` describes it. */
export interface Job extends Outcome {
    id: string;
    name: string;
    kind: "command" | "service";
    state: JobStateName;
    airflow_cmd: string;
    principal: string;
    peer: string;
    node?: string | null;
    /** Times are in ISO 8601. */
    created: string;
    started?: string | null;
    ended?: string | null;
    stdout_bytes: number;
    stderr_bytes: number;
    /** How long it may take to end, while it is being stopped. */
    stopping?: { until: string; seconds: number; message: string } | null;
    /** How often it was started again, if it is a service that is. */
    restarts?: {
        count: number;
        limit: number;
        next: string | null;
        seconds: number | null;
        message: string;
    } | null;
}

/** The response to a command. */
export interface Envelope extends Outcome {
    output: string;
    status: "OK" | "ERROR";
    job?: Pick<Job, "id" | "state">;
}

/** The end of a run: its job, or the envelope of a request that needed no job. */
export type Ending = Partial<Job> & Outcome & { state: JobStateName };

/** The document of `GET jobs`. */
export interface JobList {
    jobs: Job[];
    /** Cursor of the next page. */
    next?: string | null;
}

/** The document of `GET jobs/ID/output`. */
export interface OutputChunk {
    data: string;
    next_offset: number;
    complete: boolean;
}

/** One line of an NDJSON response. */
export type StreamEvent =
    | { event: "started" | "queued"; job?: Job }
    | { event: "output"; stream: StreamName; data: string; job?: Job }
    | { event: "finished"; envelope: Envelope; job?: Job };

/** Values of a form, by argument. */
export type Value = string | boolean | File | string[];
export type Values = Record<string, Value>;

/** A request for a command, ready to be sent. */
export interface CommandRequest {
    path: string;
    url: string;
    headers: Record<string, string>;
    body: string | FormData;
    /** The arguments in the body. */
    values: Values;
}

/** A form field for one argument. */
export interface Field {
    name: string;
    control: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
    element: HTMLElement;
    /** Return the value, or undefined if there is none. */
    read(): Value | undefined;
    /** Show and return the error message for the value; "" if it is valid. */
    validate(): string;
}

/** The form of one command. */
export interface CommandForm {
    element: HTMLElement;
    /** Return the values as they are. */
    peek(): Values;
    /** Return the values, or null if one of them is invalid. */
    read(): Values | null;
}

/** One view of the page; a hash in the address selects it. */
export interface View {
    title: string;
    element: HTMLElement;
    /** Called each time the view is shown. */
    onShow?(): void;
}

export type Attributes = Record<
    string,
    string | number | boolean | null | undefined | ((event: Event) => void)
>;
export type Child = Node | string | false | null | undefined;
