"""`python -m deploy --forget-versions` deletes old versions, and none that is live or that one can go back to."""

import io
import zipfile
from typing import Any

import boto3
from moto import mock_aws

from deploy.versions import forget


def _code(number: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("index.py", f"handler = {number}")
    return packed.getvalue()


def _numbers(client: Any) -> list[str]:
    return [each["Version"] for each in client.list_versions_by_function(FunctionName="f")["Versions"]]


def test_the_newest_stay_and_what_an_alias_points_to() -> None:
    template = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f"}}}}
    with mock_aws():
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda")
        made = {"FunctionName": "f", "Runtime": "python3.11", "Handler": "index.handler", "Role": role}
        client.create_function(**made, Code={"ZipFile": _code(1)}, Publish=True)
        for number in range(2, 7):
            client.update_function_code(FunctionName="f", ZipFile=_code(number), Publish=True)
        weights = {"AdditionalVersionWeights": {"2": 0.1}}
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig=weights)
        assert _numbers(client) == ["$LATEST", "1", "2", "3", "4", "5", "6"]
        assert list(forget([("stack", template)], 2, boto3.client)) == ["f: 2 versions deleted, 4 kept."]
        assert _numbers(client) == ["$LATEST", "1", "2", "5", "6"]
