"""Deploy, remove and roll back DAG files.

``requests`` is the web worker's side: it validates a request and builds the command line of the job.
``operations`` is the job's side. It validates the file's name (``names``) and, for a zip file, its entries
(``package``). Then Airflow parses a copy of the file (``checking``) in a forked process (``isolation``), in a
directory that looks like the DAGs folder (``staging``). If that succeeds, the file is published atomically
(``target_file``). The content that it replaces is kept (``versions``). ``parse_now`` and ``parse_wait`` bring
the file into Airflow's database.
"""
