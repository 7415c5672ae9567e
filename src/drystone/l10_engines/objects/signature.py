"""Requests that a store accepts: signed as the AWS Signature Version 4 asks for."""

from __future__ import annotations

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from drystone.l10_engines.objects.access import StoreAccess


def signed_headers(access: StoreAccess, path: str) -> dict[str, str]:
    """Return the headers of a GET request for a path, with its query, that is sent now."""
    request = AWSRequest("GET", access.endpoint + path)
    credentials = Credentials(access.access_key, access.secret_key)
    SigV4Auth(credentials, "s3", access.region).add_auth(request)
    return dict(request.headers)
