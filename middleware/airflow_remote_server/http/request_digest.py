"""A digest of a request, by which a repeated request is recognized."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_remote_server.http.handlers import ValidatedRequest


def digest(request: ValidatedRequest, key: bytes) -> str:
    """Return a digest that is the same for equal requests.

    It is keyed because it is stored, and the values may be secret.

    :param request: the request
    :param key: the secret key of the principal
    """
    content: list[Any] = [request.endpoint.name, request.variant.name, request.values]
    for name, upload in sorted(request.uploads.items()):
        upload_digest = hashlib.sha256(upload.stream.read()).hexdigest()
        upload.stream.seek(0)
        content.append([name, upload.filename, upload_digest])
    return hmac.new(key, json.dumps(content, sort_keys=True).encode(), "sha256").hexdigest()
