"""What a function asks of AWS in IAM's words, and whether a role of a template lets it.

An API call needs one action or several, each on a resource. Source: Service Authorization Reference, and where an
action is not called as its operation, what is said below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from shared.kit.api.pages import NO_KEY
from tests.kit.lambdas import ACCOUNT, PHOTOS, REGION
from tests.templates.templates import Template, as_list

HERE = f"{REGION}:{ACCOUNT}"


class Ask(NamedTuple):
    """An action on a resource (its ARN, or *), with what else IAM's conditions look at."""

    action: str
    resource: str
    context: frozenset[tuple[str, str]] = frozenset()


Asked = dict[str, Any]
"""The parameters of an API call."""

# --- what calls ask for -------------------------------------------------------------------------------------


def asks(service: str, operation: str, asked: Asked) -> set[Ask]:
    """What the call needs. Raises KeyError for one of which nothing is said here."""
    return set(_NEEDS[f"{service}.{operation}"](asked))


def table_arn(name: str, index: str | None = None) -> str:
    """Of a table, or of an index of it."""
    return f"arn:aws:dynamodb:{HERE}:table/{name}" + (f"/index/{index}" if index else "")


def bucket_arn(bucket: str, key: str | None = None) -> str:
    """Of a bucket, or of an object in it."""
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key is not None else "")


def _object(*actions: str) -> Callable[[Asked], Iterator[Ask]]:
    return lambda asked: (Ask(f"s3:{action}", bucket_arn(asked["Bucket"], asked["Key"])) for action in actions)


def _put_object(asked: Asked) -> Iterator[Ask]:
    """Tags need an action of their own (source: Amazon S3 API Reference, PutObject, Permissions)."""
    return _object("PutObject", "PutObjectTagging")(asked) if "Tagging" in asked else _object("PutObject")(asked)


def _get_object(asked: Asked) -> Iterator[Ask]:
    """A version needs actions of its own. Without those on the bucket S3 answers 403, not 404, for what is gone."""
    if asked["Key"] == NO_KEY:
        return
    versioned = "VersionId" in asked
    yield from _object("GetObjectVersion" if versioned else "GetObject")(asked)
    if asked["Bucket"] == PHOTOS:
        yield Ask("s3:ListBucketVersions" if versioned else "s3:ListBucket", bucket_arn(PHOTOS))


def _head_object(asked: Asked) -> Iterator[Ask]:
    """Whoever asks whether an object is there needs the answer 404, of our own pictures, too."""
    yield from _get_object(asked)
    yield Ask("s3:ListBucket", bucket_arn(asked["Bucket"]))


def _of_table(action: str) -> Callable[[Asked], Iterator[Ask]]:
    return lambda asked: (
        Ask(f"dynamodb:{action}", table_arn(table, asked.get("IndexName")))
        for table in ([asked["TableName"]] if "TableName" in asked else asked["RequestItems"])
    )


def _transaction(asked: Asked) -> Iterator[Ask]:
    """There is no action for transactions: each part needs its own."""
    parts = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}
    for part in asked["TransactItems"]:
        for kind, each in part.items():
            yield Ask(f"dynamodb:{parts[kind]}", table_arn(each["TableName"]))


def _collection(action: str) -> Callable[[Asked], Iterator[Ask]]:
    def needs(asked: Asked) -> Iterator[Ask]:
        yield Ask(f"rekognition:{action}", f"arn:aws:rekognition:{HERE}:collection/{asked['CollectionId']}")
        yield from _fetched(asked)

    return needs


def _picture(action: str) -> Callable[[Asked], Iterator[Ask]]:
    """Of a picture alone: these actions have no resource."""

    def needs(asked: Asked) -> Iterator[Ask]:
        yield Ask(f"rekognition:{action}", "*")
        yield from _fetched(asked)

    return needs


def _fetched(asked: Asked) -> Iterator[Ask]:
    """Rekognition fetches the picture with the caller's rights, who must be told 404 of one that is gone."""
    if "S3Object" in asked.get("Image", {}):
        place = asked["Image"]["S3Object"]
        yield from _get_object({"Bucket": place["Bucket"], "Key": place["Name"]})


def _events(asked: Asked) -> Iterator[Ask]:
    for entry in asked["Entries"]:
        said = frozenset({("events:source", entry["Source"]), ("events:detail-type", entry["DetailType"])})
        yield Ask("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/{entry['EventBusName']}", said)


def _records(asked: Asked) -> Iterator[Ask]:
    yield Ask("kinesis:PutRecords", f"arn:aws:kinesis:{HERE}:stream/{asked['StreamName']}")


def _message(asked: Asked) -> Iterator[Ask]:
    yield Ask("sqs:SendMessage", f"arn:aws:sqs:{HERE}:{asked['QueueUrl'].rsplit('/', 1)[-1]}")


_NEEDS: dict[str, Callable[[Asked], Iterator[Ask]]] = {
    "s3.GetObject": _get_object,
    "s3.HeadObject": _head_object,
    "s3.HeadBucket": lambda asked: iter([Ask("s3:ListBucket", bucket_arn(asked["Bucket"]))]),
    "s3.PutObject": _put_object,
    "s3.DeleteObject": _object("DeleteObject"),
    **{
        f"dynamodb.{name}": _of_table(name)
        for name in (
            "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
        )
    },
    "dynamodb.TransactWriteItems": _transaction,
    "eventbridge.PutEvents": _events,
    "kinesis.PutRecords": _records,
    "sqs.SendMessage": _message,
    "sqs.SendMessageBatch": _message,
    # What a worker does with messages that failed, the mapping lets it: tests/templates/test_stages.py.
    "sqs.ChangeMessageVisibilityBatch": lambda _: iter(()),
    **{
        f"rekognition.{name}": _collection(name)
        for name in (
            "CreateCollection", "DeleteCollection", "IndexFaces", "DeleteFaces", "ListFaces", "SearchFaces",
            "SearchFacesByImage",
        )
    },
    **{f"rekognition.{name}": _picture(name) for name in ("DetectFaces", "DetectText")},
}  # fmt: skip


# --- what roles allow -----------------------------------------------------------------------------------------


class Allowance(NamedTuple):
    """An action that a role allows on a resource (with *), where each key of the context has one of these values."""

    action: str
    resource: str
    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def covers(self, ask: Ask) -> bool:
        """Whether this lets it."""
        said = dict(ask.context)
        return (
            ask.action == self.action
            and fnmatchcase(ask.resource, self.resource)
            and all(said.get(key) in values for key, values in self.conditions)
        )

    @property
    def ways(self) -> Iterator[tuple[str, str, str]]:
        """What each value of its conditions lets, which nobody else may need: action, resource, value."""
        values = [value for _, each in self.conditions for value in each] or [""]
        return ((self.action, self.resource, value) for value in values)

    def used(self, ask: Ask) -> set[tuple[str, str, str]]:
        """Which of its ways a call uses that it covers."""
        return {(self.action, self.resource, value) for value in (dict(ask.context).values() or [""])}


def allowances(template: Template, function_name: str) -> list[Allowance]:
    """What the role of a function allows. Raises AssertionError for a statement of a kind that is not known here."""
    (function,) = (
        each for each in template.of_type("AWS::Lambda::Function").values() if each["FunctionName"] == function_name
    )
    role, _ = function["Role"]["Fn::GetAtt"]
    found = []
    for statement in template.statements("AWS::IAM::Policy", role, "Roles"):
        assert statement["Effect"] == "Allow", statement
        conditions = statement.get("Condition", {})
        assert set(conditions) <= {"StringEquals"}, conditions
        needed = tuple((key, tuple(as_list(value))) for key, value in conditions.get("StringEquals", {}).items())
        for resource in as_list(statement["Resource"]):
            found += [
                Allowance(action, _arn(template.text(resource)), needed) for action in as_list(statement["Action"])
            ]
    return found


_ARNS = {
    "AWS::DynamoDB::GlobalTable": f"arn:aws:dynamodb:{HERE}:table/",
    "AWS::SQS::Queue": f"arn:aws:sqs:{HERE}:",
    "AWS::Kinesis::Stream": f"arn:aws:kinesis:{HERE}:stream/",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{HERE}:log-group:",
}


def _arn(text: str) -> str:
    """The ARN of a resource of a template, as Template.text has it."""
    for pseudo, value in (("Partition", "aws"), ("Region", REGION), ("AccountId", ACCOUNT)):
        text = text.replace(f"${{AWS::{pseudo}}}", value)
    kind, _, name = text.partition(" ")
    return _ARNS[kind] + name if name else text
