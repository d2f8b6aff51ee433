"""Small cloud assemblies written by hand, for what the product's own templates do not show, and its own in a hurry."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

Template = dict[str, Any]


def write(folder: Path, template: Template, stack: str = "handmade") -> Path:
    """A cdk.out of one stack, as `cdk synth` lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    bucket, key = "cdk-handmade-assets-${AWS::AccountId}-${AWS::Region}", f"{stack}.json"
    destination = {"here": {"bucketName": bucket, "objectKey": key}}
    files = {"template": {"source": {"path": key, "packaging": "file"}, "destinations": destination}}
    artifacts = {
        stack: {
            "type": "aws:cloudformation:stack",
            "properties": {
                "stackName": stack,
                "templateFile": key,
                "stackTemplateAssetObjectUrl": f"s3://{bucket}/{key}",
            },
            "dependencies": [f"{stack}.assets"],
        },
        f"{stack}.assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}},
    }
    (folder / key).write_text(json.dumps(template))
    (folder / "assets.json").write_text(json.dumps({"files": files}))
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def with_code(assembly: Path, copy: Path, module: str, pattern: str, replacement: str) -> Path:
    """A copy of an assembly in whose functions' module, such as shared/kit/aws.py, the pattern is replaced."""
    shutil.copytree(assembly, copy)
    for code in copy.glob(f"asset.*/{module}"):
        changed, times = re.subn(pattern, replacement, code.read_text())
        assert times == 1, f"{pattern} is {times} times in {module}"
        code.write_text(changed)
        for bytecode in code.parent.glob(f"__pycache__/{code.stem}.*"):  # it is not compared with the code
            bytecode.unlink()
    return copy


SLEEPER = """
import subprocess, time

def handler(event, context):
    subprocess.Popen(["sleep", "300"])
    time.sleep(60)
"""


_ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


def _queue(name: str, *, visibility_s: int = 120, dead: str | None = None, receives: int = 2) -> Template:
    """`dead` is the logical id of the queue that takes what was received so often in vain."""
    properties: dict[str, Any] = {"QueueName": name, "VisibilityTimeout": visibility_s}
    if dead:
        redrive = {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": receives}
        properties["RedrivePolicy"] = redrive
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def _function(name: str, code: str, *, timeout_s: int = 120, **properties: Any) -> Template:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "Timeout": timeout_s,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": code},
            **properties,
        },
    }


def _mapping(queue: str, batch: int, window_s: int = 0, function: str = "Function", at_once: int = 10) -> Template:
    """The queue with this logical id feeds the function, which says what failed."""
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": [queue, "Arn"]},
            "FunctionName": {"Ref": function},
            "BatchSize": batch,
            "MaximumBatchingWindowInSeconds": window_s,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": at_once},
        },
    }


def with_a_busy_worker() -> Template:
    """A queue that feeds a function which is busy for a minute and has started a program of its own, six at once.

    A second queue feeds it too, but waits five minutes for a full batch.
    """
    return {
        "Resources": {
            "Queue": _queue("work"),
            "Patient": _queue("patient"),
            "Role": _ROLE,
            "Function": _function("sleeper", SLEEPER),
            "Mapping": _mapping("Queue", 1, at_once=6),
            "PatientMapping": _mapping("Patient", 10, window_s=300),
        }
    }


TELLER = """
import json, os
import boto3

def handler(event, context):
    queue = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/batches"
    bodies = [record["body"] for record in event["Records"]]
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(bodies))
"""


def with_batches_that_are_told(batch: int, window_s: int) -> Template:
    """A queue `work` whose batches are told, as JSON lists of their messages' bodies, to a queue `batches`."""
    return {
        "Resources": {
            "Queue": _queue("work"),
            "Batches": _queue("batches"),
            "Role": _ROLE,
            "Function": _function("teller", TELLER),
            "Mapping": _mapping("Queue", batch, window_s),
        }
    }


def with_a_release(word: str, *, alias: bool) -> Template:
    """A queue `work` whose messages are answered in a queue `said` with `word`, which is the function's code.

    With `alias` what the queue feeds is the function's alias `live`, which points to a version of that code.
    """
    function = _function("teller", TELLER.replace("MessageBody=json.dumps(bodies)", f"MessageBody={word!r}"))
    template = {"Resources": {**with_batches_that_are_told(1, 0)["Resources"], "Function": function}}
    if alias:
        version = f"Version{word.capitalize()}"
        template["Resources"] |= {
            version: {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Ref": "Function"}},
                "DeletionPolicy": "RetainExceptOnCreate",
            },
            "Live": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live",
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                },
            },
            "Mapping": _mapping("Queue", 1, function="Live"),
        }
    return template


FAILING = """
import json, os, time
import boto3

BASE, FIRST = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/", "ApproximateFirstReceiveTimestamp"

def handler(event, context):
    sqs = boto3.client("sqs")
    [record] = event["Records"]
    print(record["body"])  # an invocation without a log line is waited for
    how, _, seconds = record["body"].partition(" ")
    received = {name: int(record["attributes"][name]) for name in ("ApproximateReceiveCount", FIRST)}
    told = {"body": record["body"], "received": received, "at_ms": time.time() * 1000}
    sqs.send_message(QueueUrl=BASE + "told", MessageBody=json.dumps(told))
    if how == "die":
        os._exit(1)
    if how == "work":
        time.sleep(float(seconds))
        return {"batchItemFailures": []}
    if how == "hide":
        queue = BASE + record["eventSourceARN"].split(":")[-1]
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=int(seconds)
        )
    failed = "another" if how == "misname" else record["messageId"]
    return {"batchItemFailures": [{"itemIdentifier": failed}]}
"""


def with_failing_functions() -> Template:
    """Queues `hidden-<seconds>`, of that visibility timeout, of which a function does not finish what it is told.

    A function that works on one batch at a time is fed by the queues `one` and `other`. Each delivery is told to the
    queue `told`.
    """
    single = {"ReservedConcurrentExecutions": 1}
    return {
        "Resources": {
            "Told": _queue("told"),
            "Dead": _queue("dead"),
            "Hidden4": _queue("hidden-4", visibility_s=4, dead="Dead"),
            "Hidden120": _queue("hidden-120"),
            "One": _queue("one"),
            "Other": _queue("other"),
            "Role": _ROLE,
            "Function": _function("failing", FAILING, timeout_s=4),
            "Single": _function("single", FAILING, **single),
            "Mapping4": _mapping("Hidden4", 1),
            "Mapping120": _mapping("Hidden120", 1),
            "MappingOne": _mapping("One", 1, function="Single"),
            "MappingOther": _mapping("Other", 1, function="Single"),
        }
    }


LOOPER = """
import json, os
import boto3

BASE, ITSELF, END, HOW = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/", *map(os.environ.get, ("Q", "END", "HOW"))

def handler(event, context):
    sqs = boto3.client("sqs")
    for record in event["Records"]:
        n = json.loads(record["body"])["detail"]["n"] + 1
        print(n)  # an invocation without a log line is waited for
        body = json.dumps({"detail": {"n": n}})
        if n > 20:
            sqs.send_message(QueueUrl=BASE + END, MessageBody=body)
        elif HOW == "events":
            entry = {"Source": "loop", "DetailType": "Again", "Detail": json.dumps({"n": n})}
            boto3.client("events").put_events(Entries=[entry])
        elif HOW == "batches":
            sqs.send_message_batch(QueueUrl=BASE + ITSELF, Entries=[{"Id": "0", "MessageBody": body}])
        else:
            sqs.send_message(QueueUrl=BASE + ITSELF, MessageBody=body)
"""


def with_a_loop(name: str, how: str, setting: str | None = None) -> Template:
    """A function that sends each message, counted up, to its own queue: `how` one by one, in batches, or by events.

    After 20 times it sends it to the queue `<name>-end`. `<name>-dead` is the dead-letter queue, `setting` what
    RecursiveLoop is set to.
    """
    work, end, dead = name, f"{name}-end", f"{name}-dead"
    environment = {"Variables": {"Q": work, "END": end, "HOW": how}}
    allowed = {"RecursiveLoop": setting} if setting else {}
    rule = {"EventPattern": {"source": ["loop"]}, "Targets": [{"Id": "q", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}]}
    return {
        "Resources": {
            "Dead": _queue(dead),
            "End": _queue(end),
            "Queue": _queue(work, visibility_s=6, dead="Dead", receives=1),
            "Role": _ROLE,
            "Function": _function(name, LOOPER, timeout_s=6, Environment=environment, **allowed),
            "Mapping": _mapping("Queue", 1),
            **({"Rule": {"Type": "AWS::Events::Rule", "Properties": rule}} if how == "events" else {}),
        }
    }


def with_what_ministack_lacks(retention_days: int, ttl: str, threshold: int) -> Template:
    """What local/aws/cloudformation.py puts in: archives, composite alarms, alarms on expressions, and so on."""
    metric = {"MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum"}}
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": threshold}
    return {
        "Resources": {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}},
            "Archive": {
                "Type": "AWS::Events::Archive",
                "Properties": {
                    "ArchiveName": "archive",
                    "SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]},
                    "EventPattern": {"source": [{"prefix": "snaprace."}]},
                    "RetentionDays": retention_days,
                },
            },
            "Ratio": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "ratio",
                    "Metrics": [{"Id": "e", "Expression": "m * 100"}, {"Id": "m", "ReturnData": False, **metric}],
                    **alarm,
                },
            },
            "Firewall": {
                "Type": "AWS::WAFv2::WebACL",
                "Properties": {
                    "Name": "firewall",
                    "Scope": "REGIONAL",
                    "DefaultAction": {"Allow": {}},
                    "VisibilityConfig": {
                        "CloudWatchMetricsEnabled": True,
                        "SampledRequestsEnabled": False,
                        "MetricName": "firewall",
                    },
                },
            },
            "FirewallBefore": {
                "Type": "AWS::WAFv2::WebACLAssociation",
                "Properties": {
                    "WebACLArn": {"Fn::GetAtt": ["Firewall", "Arn"]},
                    "ResourceArn": f"arn:aws:apigateway:us-east-1::/restapis/api/stages/stage{threshold}",
                },
            },
            "Page": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "DependsOn": "Ratio",
                "Properties": {"AlarmName": "page", "AlarmRule": "ALARM(ratio)", "AlarmDescription": str(threshold)},
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": "table",
                    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "TimeToLiveSpecification": {"AttributeName": ttl, "Enabled": True},
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                },
            },
        }
    }


def with_throttled_routes(burst: int) -> Template:
    """An API whose GET /a/{name} lets through `burst` requests and then one in a quarter of an hour; GET /b is free."""
    of_api = {"RestApiId": {"Ref": "Api"}}
    answer = {"StatusCode": "200", "ResponseTemplates": {"application/json": "{}"}}
    get = {
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [answer],
        },
        "MethodResponses": [{"StatusCode": "200"}],
    }

    def resource(part: str, parent: Any) -> Template:
        return {"Type": "AWS::ApiGateway::Resource", "Properties": {**of_api, "ParentId": parent, "PathPart": part}}

    def method(of: str) -> Template:
        return {"Type": "AWS::ApiGateway::Method", "Properties": {**of_api, **get, "ResourceId": {"Ref": of}}}

    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    throttle = {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": burst}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "throttled"}},
            "A": resource("a", root),
            "Name": resource("{name}", {"Ref": "A"}),
            "B": resource("b", root),
            "GetName": method("Name"),
            "GetB": method("B"),
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": ["GetName", "GetB"],
                "Properties": of_api,
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    **of_api,
                    "StageName": "live",
                    "DeploymentId": {"Ref": "Deployment"},
                    "MethodSettings": [{"ResourcePath": "/~1a~1{name}", "HttpMethod": "GET", **throttle}],
                },
            },
        }
    }


ECHO = """
import json

def handler(event, context):
    headers = {name.lower(): value for name, value in event["headers"].items()}
    heard = {
        "method": event["httpMethod"],
        "path": event["path"],
        "query": event["multiValueQueryStringParameters"],
        "body": event["body"],
        "client": headers.get("x-client"),
        "prefix": headers.get("x-forwarded-prefix"),
        "clients": headers.get("x-forwarded-for"),
    }
    status = int(headers.get("x-answer", 200))
    return {"statusCode": status, "headers": {"x-echo": "yes"}, "body": json.dumps(heard)}
"""


def with_an_echoing_api(url_parameter: str) -> Template:
    """A REST API whose function answers with what it was asked; its base URL is in the SSM parameter."""
    api, region = {"Ref": "Api"}, {"Ref": "AWS::Region"}
    path = "lambda:path/2015-03-31/functions"
    uri = {"Fn::Sub": f"arn:aws:apigateway:${{AWS::Region}}:{path}/${{Function.Arn}}/invocations"}
    method = {
        "RestApiId": api,
        "HttpMethod": "ANY",
        "AuthorizationType": "NONE",
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri},
    }
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    url = {"Fn::Join": ["", ["https://", api, ".execute-api.", region, ".", {"Ref": "AWS::URLSuffix"}, "/api/"]]}
    resources = {
        "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}),
        "Function": (
            "AWS::Lambda::Function",
            {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": ECHO},
            },
        ),
        "Api": ("AWS::ApiGateway::RestApi", {"Name": "echo"}),
        "Any": ("AWS::ApiGateway::Resource", {"RestApiId": api, "ParentId": root, "PathPart": "{proxy+}"}),
        "RootMethod": ("AWS::ApiGateway::Method", {**method, "ResourceId": root}),
        "AnyMethod": ("AWS::ApiGateway::Method", {**method, "ResourceId": {"Ref": "Any"}}),
        "Deployment": ("AWS::ApiGateway::Deployment", {"RestApiId": api}),
        "Stage": (
            "AWS::ApiGateway::Stage",
            {"RestApiId": api, "DeploymentId": {"Ref": "Deployment"}, "StageName": "api"},
        ),
        "Url": ("AWS::SSM::Parameter", {"Name": url_parameter, "Type": "String", "Value": url}),
    }
    return {"Resources": {name: {"Type": kind, "Properties": asked} for name, (kind, asked) in resources.items()}}


READER = """
import boto3, os

def handler(event, context):
    for record in event["Records"]:
        print("read", record["kinesis"]["partitionKey"])
        boto3.client("dynamodb").update_item(
            TableName="things", Key={"PK": {"S": "read"}, "SK": {"S": record["kinesis"]["partitionKey"]}},
            UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": {"N": "1"}},
        )
"""


def with_all_that_is_kept() -> Template:
    """A table, a queue with dead letters, a versioned bucket whose events a rule brings, an archive, a stream."""
    return {
        "Resources": {
            "Things": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": "things",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [
                        {"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "color")
                    ],
                    "KeySchema": [
                        {"AttributeName": "PK", "KeyType": "HASH"},
                        {"AttributeName": "SK", "KeyType": "RANGE"},
                    ],
                    "GlobalSecondaryIndexes": [
                        {
                            "IndexName": "by-color",
                            "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
                            "Projection": {"ProjectionType": "ALL"},
                        }
                    ],
                },
            },
            "Dead": _queue("dead"),
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": "plain",
                    "VisibilityTimeout": 120,
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 2},
                },
            },
            "Uploads": _queue("uploads"),
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": "photos",
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["aws.s3"]},
                    "Targets": [{"Id": "uploads", "Arn": {"Fn::GetAtt": ["Uploads", "Arn"]}}],
                },
            },
            "Archive": {
                "Type": "AWS::Events::Archive",
                "Properties": {
                    "ArchiveName": "all",
                    "SourceArn": "arn:aws:events:us-east-1:000000000000:event-bus/default",
                },
            },
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "stream", "ShardCount": 1}},
            "Role": _ROLE,
            "Function": _function("reader", READER),
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                    "FunctionName": {"Ref": "Function"},
                    "StartingPosition": "TRIM_HORIZON",
                },
            },
        }
    }


WORKER = """
import json, time

def handler(event, context):
    for record in event["Records"]:
        metrics = [{"Name": "Handled", "Unit": "Count"}]
        about = {"Namespace": "Handmade", "Dimensions": [["Stage"]], "Metrics": metrics}
        told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]}
        print(json.dumps({"_aws": told, "Stage": "a", "Handled": 2}))
        if record["body"] == "fail":
            raise ValueError(record["body"])
"""


def _alarm(name: str, measured: Template, above: float, **more: Any) -> Template:
    """Of one period, without data fine; the topic hears it."""
    properties = {
        "AlarmName": name,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": above,
        "TreatMissingData": "notBreaching",
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**properties, **measured, **more}}


def _measured(namespace: str, name: str, statistic: str, **dimensions: str) -> Template:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": named, "Period": 60, "Statistic": statistic}


def with_alarms() -> Template:
    """A queue `work` feeds a function `worker`, whose every message counts two in its own metric; "fail" fails it.

    Alarms `waiting` (on the queue `letters`, which nobody reads), `other` (on a queue that is empty), `share` (of
    invocations that fail, an expression), `handled` (of its own metric) and `deploying` (of a metric that whoever
    deploys puts). The composite alarm `page` rings with any of the first four and tells the topic `pager`, unless
    `quiet`, which rings with `deploying`, keeps it quiet.
    """
    topic = {"Ref": "Pager"}
    queries = [
        {"Id": "share", "Expression": "IF(invocations > 0, 100 * FILL(errors, 0) / invocations, 0)"},
        *(
            {
                "Id": name.lower(),
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": name,
                        "Dimensions": [{"Name": "FunctionName", "Value": "worker"}],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for name in ("Errors", "Invocations")
        ),
    ]
    waiting = "ApproximateNumberOfMessagesVisible"
    ringing = " OR ".join(f"ALARM({name})" for name in ("waiting", "other", "share", "handled"))
    page = {
        "AlarmName": "page",
        "AlarmRule": ringing,
        "AlarmActions": [topic],
        "OKActions": [topic],
        "ActionsSuppressor": {"Ref": "Quiet"},
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 60,
    }
    return {
        "Resources": {
            "Pager": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "pager"}},
            "Letters": _queue("letters"),
            "Empty": _queue("empty"),
            "Work": _queue("work"),
            "Role": _ROLE,
            "Function": _function("worker", WORKER),
            "Mapping": _mapping("Work", 1),
            "Waiting": _alarm("waiting", _measured("AWS/SQS", waiting, "Maximum", QueueName="letters"), 0),
            "Other": _alarm("other", _measured("AWS/SQS", waiting, "Maximum", QueueName="empty"), 0),
            "Share": _alarm("share", {"Metrics": queries}, 50),
            "Handled": _alarm("handled", _measured("Handmade", "Handled", "Sum", Stage="a"), 3),
            "Deploying": _alarm("deploying", _measured("Handmade", "Deploying", "Maximum"), 0),
            "Quiet": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "DependsOn": "Deploying",
                "Properties": {"AlarmName": "quiet", "AlarmRule": "ALARM(deploying)"},
            },
            "Page": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "DependsOn": ["Waiting", "Other", "Share", "Handled"],
                "Properties": page,
            },
        }
    }
