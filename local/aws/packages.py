"""Gives a function's package out by a signed link to S3, as Lambda's GetFunction does.

The link that ministack gives is to an address of its own, which is closed (local/gate). Here it is to the asset that
the template names, so it is of what was deployed last, whichever version is asked for.
"""

from __future__ import annotations

from typing import Any

_assets: dict[str, tuple[str, str]] = {}
"""Bucket and key of each function's package, by the function's name."""


def note(function: str, code: dict[str, Any]) -> None:
    """Remember where the package of a function is that was deployed; one whose code is in the template has none."""
    if "S3Bucket" in code:
        _assets[function] = code["S3Bucket"], code["S3Key"]


def give_out_by_signed_link(aws_url: str) -> None:
    """Let GetFunction tell a link that can be followed for ten minutes, as on AWS."""
    from ministack.services import lambda_svc

    from local.aws.clients import client

    own, s3 = lambda_svc._presigned_code_url, client(aws_url, "s3")

    def signed(function: str) -> str:
        if function not in _assets:
            return str(own(function))
        bucket, key = _assets[function]
        return str(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=600))

    lambda_svc._presigned_code_url = signed
