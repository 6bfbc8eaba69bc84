"""The only modules that use Airflow's models and private names.

``airflow2`` and ``airflow3`` implement the interface in ``base`` for their major version.
"""
