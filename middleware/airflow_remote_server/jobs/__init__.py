"""Jobs: each command is a row in the job store, and a spool with its output (``execution.spool``)."""
