"""The one place for names of AWS resources: stacks share names, not exports.

`env` is the environment (dev, prod), never a stage.
"""

from __future__ import annotations

PREFIX = "snaprace"


ACCOUNT_STACK = f"{PREFIX}-account"
"""CloudFormation stack of what an account has once in a region, for all environments there."""

SHARED_STACKS = ("platform", "people", "monitoring", "backup")
"""The stacks of an environment that are no stage's."""


DELIVERY_STACK = f"{PREFIX}-delivery"
"""CloudFormation stack of what an account has once for its deployments: who may deploy, and what that may make.

Its roles and policies begin with this name, which is no environment's: what deploys an environment cannot change them.
"""

BOUNDARY = f"{DELIVERY_STACK}-boundary"
"""The permissions boundary of every role that a deployment makes."""


EXECUTION_PARTS = ("things", "identities")


def execution_policy(part: str) -> str:
    """A managed policy of what CloudFormation may do when it deploys for us, one for each of EXECUTION_PARTS."""
    return f"{DELIVERY_STACK}-cloudformation-{part}"


DIFF_ROLE = f"{DELIVERY_STACK}-diff"
"""The role that compares a pull request with what stands."""


def deploy_role(env: str) -> str:
    """The role that deploys an environment, and nobody but the pipeline has."""
    return f"{DELIVERY_STACK}-{env}"


def verify_role(env: str, region: str) -> str:
    """The role that looks whether an environment works after a deployment."""
    return f"{PREFIX}-{env}-verify-{region}"


def stack(env: str, name: str) -> str:
    """CloudFormation stack of a stage, or `platform`, `monitoring`."""
    return f"{PREFIX}-{env}-{name}"


def bus(env: str) -> str:
    """The bus of the domain events."""
    return f"{PREFIX}-{env}"


def bucket_prefix(env: str, what: str) -> str:
    """How a bucket's name begins; the rest is its account's and region's own namespace, where nobody else's can be."""
    return f"{PREFIX}-{env}-{what}"


def _bucket(env: str, what: str, account: str, region: str) -> str:
    """Source: Amazon S3 User Guide, "Namespaces for general purpose buckets": prefix-account-region-an."""
    return f"{bucket_prefix(env, what)}-{account}-{region}-an"


PHOTOS, DERIVED = "photos", "derived"


def photo_bucket(env: str, account: str, region: str) -> str:
    """Where photographers and organizers upload."""
    return _bucket(env, PHOTOS, account, region)


def derived_bucket(env: str, account: str, region: str) -> str:
    """What we made of it: copies for the vision API, previews, thumbnails, cleaned rosters."""
    return _bucket(env, DERIVED, account, region)


def table(env: str, stage: str, generation: int = 1) -> str:
    """The stage's table; what is restored to a point in time is a new table, and so another generation.

    Which one an environment works with stands in cdk.json (docs/runbooks/restore.md).
    """
    return f"{PREFIX}-{env}-{stage}" if generation == 1 else f"{PREFIX}-{env}-{stage}-{generation}"


def drill_table(table: str) -> str:
    """The copy of a stage's table that a restore is rehearsed with; it stands beside it for as long as that takes."""
    return f"{table}-drill"


def backup_vault(env: str) -> str:
    """Where AWS Backup keeps the tables' backups."""
    return f"{PREFIX}-{env}"


def backup_copies_vault(env: str) -> str:
    """Where copies of them are kept, in another region: the environment's own vault may have to be made there, too."""
    return f"{PREFIX}-{env}-copies"


def backup_role(env: str, region: str) -> str:
    """As whom AWS Backup backs tables up and restores them; IAM has one namespace for all regions."""
    return f"{PREFIX}-{env}-backup-{region}"


def short_lived_table(env: str, stage: str, name: str) -> str:
    """A table of a stage for what is kept a while only."""
    return f"{PREFIX}-{env}-{stage}-{name}"


def function(env: str, stage: str, function: str) -> str:
    """A Lambda function of a stage."""
    return f"{PREFIX}-{env}-{stage}-{function}"


LIVE = "live"
"""The alias of every function: what invokes a function names the alias, which points to the version that is live."""


def release_alarm(env: str, stage: str, function: str, what: str) -> str:
    """An alarm that takes a function's new version back while it is being released; `what` it watches."""
    return f"{PREFIX}-{env}-release-{stage}-{function}-{what}"


def queue(env: str, stage: str, function: str) -> str:
    """The queue that feeds a function."""
    return f"{PREFIX}-{env}-{stage}-{function}"


def stream(env: str, stage: str, function: str) -> str:
    """The Kinesis stream that feeds a function."""
    return f"{PREFIX}-{env}-{stage}-{function}"


def dead_letter_queue(env: str, stage: str, function: str) -> str:
    """Where messages, or the places of records, go that a function could not handle."""
    return f"{PREFIX}-{env}-{stage}-{function}-dlq"


def rule_dead_letter_queue(env: str, stage: str) -> str:
    """Where events go that EventBridge could not deliver to a stage's queues."""
    return f"{PREFIX}-{env}-{stage}-rules-dlq"


def alarm_topic(env: str, severity: str) -> str:
    """Where alarms of a severity (P0, P1, P2, P3) speak up."""
    return f"{PREFIX}-{env}-alarms-{severity.lower()}"


def rule(env: str, stage: str, function: str, kind: str) -> str:
    """The rule that brings a function Events, Uploads, or by its Schedule the time. At most 64 characters."""
    return f"{PREFIX}-{env}-{stage}-{function}-{kind.lower()}"


def dashboard(env: str, what: str) -> str:
    """The dashboard of a stage, or `overview`, `business`."""
    return f"{PREFIX}-{env}-{what}"


ALL_REQUESTS = "all"
"""The metrics filter of a bucket that counts every request."""


def uploads_archive(env: str) -> str:
    """Archive of the photo bucket's events on the default bus."""
    return f"{PREFIX}-{env}-uploads"


def events_archive(env: str) -> str:
    """Archive of the domain events."""
    return f"{PREFIX}-{env}-events"


def replay_prefix(env: str) -> str:
    """How the names of our replays begin: their events are collected, not delivered."""
    return f"{PREFIX}-{env}-replay-"


def replay_queue(env: str) -> str:
    """Where a replay's events are collected, to be chosen from before any function hears them."""
    return f"{PREFIX}-{env}-replay"


def replay_rule(env: str) -> str:
    """The rule, one on each bus, that collects a replay's events."""
    return f"{PREFIX}-{env}-replay"


def policy(env: str, who: str, region: str) -> str:
    """The managed policy of an audience of the `snaprace` command; IAM has one namespace for all regions."""
    return f"{PREFIX}-{env}-{who}-{region}"


def api_url_parameter(env: str, stage: str) -> str:
    """SSM parameter with the base URL of a stage's REST API."""
    return f"/{PREFIX}/{env}/{stage}/api-url"


def front_door_parameter(env: str) -> str:
    """SSM parameter with the URL under which pages and APIs stand together, where there is such a door."""
    return f"/{PREFIX}/{env}/front-door"
