"""DAG files: deployed, taken away and put back.

A name is checked, not cleaned (``names``), and so is all that is in a package (``package``). A copy is
compiled and parsed by Airflow in a process of its own (``checking``, ``fork``), in a folder that looks like
the DAGs folder (``stage``), before it takes its place there, whole (``place``). What it replaces is kept
(``versions``). ``deploying`` puts these together, in a job; ``orders`` is the web workers' side; ``parsed``
waits for Airflow.
"""
