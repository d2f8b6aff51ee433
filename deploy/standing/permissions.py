"""Reads permissions as they stand: roles, policies, keys."""

from __future__ import annotations

from deploy.place import Client
from deploy.standing.differences import least_alike
from deploy.standing.reader import Properties, Reader


def _role(client: Client, name: str, _asked: Properties) -> Properties:
    iam = client("iam")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    role = iam.get_role(RoleName=name)["Role"]
    inline = [
        {
            "PolicyName": policy,
            "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"],
        }
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return {
        "Description": "",
        **role,
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "Policies": inline,
    }


def _policy(client: Client, _id: str, asked: Properties) -> Properties:
    documents = [
        client("iam").get_role_policy(RoleName=role, PolicyName=asked["PolicyName"])["PolicyDocument"]
        for role in asked["Roles"]
    ]
    return {**asked, "PolicyDocument": least_alike(documents, asked["PolicyDocument"])}


def _key(client: Client, key: str, _asked: Properties) -> Properties:
    kms = client("kms")
    return {
        **kms.describe_key(KeyId=key)["KeyMetadata"],
        "EnableKeyRotation": kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
        "KeyPolicy": kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
    }


READERS: dict[str, Reader] = {
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Key": _key,
}
