"""What a template asks for that does not say it: the defaults that matter, and what must be nothing more than asked."""

from __future__ import annotations

from deploy.place import Properties

SILENT: dict[str, Properties] = {
    "AWS::CloudWatch::Alarm": {"ActionsEnabled": True, "AlarmActions": [], "OKActions": []},
    "AWS::CloudWatch::CompositeAlarm": {"ActionsEnabled": True, "AlarmActions": [], "OKActions": []},
    "AWS::DynamoDB::GlobalTable": {"TimeToLiveSpecification": {"Enabled": False}, "GlobalSecondaryIndexes": []},
    "AWS::Events::Rule": {"State": "ENABLED"},
    "AWS::IAM::Role": {"ManagedPolicyArns": []},
    "AWS::Lambda::EventSourceMapping": {"Enabled": True},
    "AWS::Lambda::Function": {"RecursiveLoop": "Terminate", "ReservedConcurrentExecutions": None},
}
"""By type of resource: CloudFormation's defaults, which somebody may have changed in the service itself.

So a function that was stopped in an emergency (no concurrency at all) is found, although no template speaks of that.
Source: CloudFormation Template Reference, the property's default.
"""

EXACT = frozenset(
    {
        "AWS::Events::Archive.EventPattern",
        "AWS::Events::Rule.EventPattern",
        "AWS::IAM::ManagedPolicy.PolicyDocument",
        "AWS::IAM::Policy.PolicyDocument",
        "AWS::IAM::Role.AssumeRolePolicyDocument",
        "AWS::Lambda::Function.Environment",
        "AWS::S3::BucketPolicy.PolicyDocument",
        "AWS::SNS::TopicPolicy.PolicyDocument",
        "AWS::SQS::QueuePolicy.PolicyDocument",
    }
)
"""Properties of which more than asked is as wrong as less: it narrows what is heard, or changes what is allowed."""
