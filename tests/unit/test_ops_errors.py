"""What boto3 complains about, as sentences that say what to do."""

import pytest
from botocore import exceptions as boto

from ops.reach.errors import explain


def answer(code: str, message: str = "") -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (boto.NoCredentialsError(), "No AWS credentials were found. Sign in again (aws sso login"),
        (boto.UnauthorizedSSOTokenError(), "Your AWS sign-in has expired. Sign in again"),
        (boto.TokenRetrievalError(provider="sso", error_msg="x"), "Your AWS sign-in has expired. Sign in again"),
        (boto.NoRegionError(), "No AWS region is set. Set AWS_REGION"),
        (boto.EndpointConnectionError(endpoint_url="https://x"), "AWS cannot be reached: Could not connect"),
        (boto.ConnectTimeoutError(endpoint_url="https://x"), "AWS cannot be reached: Connect timeout"),
        (boto.ReadTimeoutError(endpoint_url="https://x"), "AWS cannot be reached: Read timeout"),
        (answer("ExpiredToken"), "AWS does not accept your credentials (ExpiredToken). Sign in again"),
        (answer("AccessDenied", "User x is not…"), "Your AWS credentials do not allow PutObject."),
        (answer("NoSuchBucket"), "SnapRace does not seem to be deployed there (PutObject: NoSuchBucket)."),
        (answer("SlowDown", "Reduce your rate."), "AWS refused PutObject: Reduce your rate (SlowDown)."),
    ],
)
def test_each_is_a_sentence(error: boto.BotoCoreError | boto.ClientError, sentence: str) -> None:
    assert explain(error).startswith(sentence)
    assert "\n" not in explain(error)
