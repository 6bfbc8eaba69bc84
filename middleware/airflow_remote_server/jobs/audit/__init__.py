"""The audit log: each request that ran something or was refused, and its result."""
