"""The version of the package, used by packaging, the client and the server."""

from __future__ import annotations

__version__ = "0.2.0"
