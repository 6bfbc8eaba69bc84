"""Read DAG runs, their tasks and logs, and explain why a run failed or waits. Nothing is run."""
