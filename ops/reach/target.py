"""Which SnapRace a command speaks to: the local runtime of this checkout, or AWS. Everything else is the same code.

A local runtime that runs here is used unless `--target aws` says otherwise; it holds the environment `dev`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, UnknownRegionError

from local import runtime
from ops.reach.cards import card_of
from ops.reach.errors import Failed, explain
from ops.reach.generations import generation
from shared.contracts import naming
from shared.contracts.records import ShortLived
from shared.kit.records import Records
from shared.kit.table import Table

if TYPE_CHECKING:
    from local.runtime import Running

Choice = Literal["auto", "local", "aws"]

# The emulator's account; on AWS the credentials name theirs.
_READY_SECONDS = 30.0
_LOCAL_ACCOUNT = "000000000000"

_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=32
)


@dataclass(frozen=True)
class Target:
    """A deployed SnapRace: its names, and clients that reach it.

    `where` names it for a person; `local` is the runtime's description when it is one. `instead` gives the name of a
    table that is read instead of a stage's own.
    """

    env: str
    account: str
    where: str
    session: boto3.Session
    endpoint_url: str | None = None
    local: Running | None = None
    instead: Callable[[str], str] | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once. Clients may be shared by threads; make them before."""
        if service not in self._clients:
            config = _CONFIG.merge(Config(proxies={}, s3={"addressing_style": "path"})) if self.local else _CONFIG
            self._clients[service] = self.session.client(  # type: ignore[call-overload]
                service, endpoint_url=self._endpoint_of(service), config=config
            )
        return self._clients[service]

    def _endpoint_of(self, service: str) -> str | None:
        """The runtime answers for a service at one address, or for all; AWS has its own for each."""
        named = self.local.environment() if self.local else {}
        return named.get(f"AWS_ENDPOINT_URL_{service.upper()}", self.endpoint_url)

    def records(self, stage: str) -> Records:
        """What a stage keeps, to read."""
        return Records(self.table(stage))

    def records_in(self, stage: str, table: ShortLived) -> Records:
        """One of a stage's short-lived tables, to read."""
        return Records(Table(self.client("dynamodb"), naming.short_lived_table(self.env, stage, table.name)))

    def table(self, stage: str) -> Table:
        """A stage's table itself."""
        return Table(self.client("dynamodb"), self.table_name(stage))

    def table_name(self, stage: str) -> str:
        """The name of a stage's own table, or of the copy of it that is looked at instead."""
        name = naming.table(self.env, stage, self.generation(stage))
        return self.instead(name) if self.instead else name

    def generation(self, stage: str) -> int:
        """The generation of a stage's own table: on AWS the one that cdk.json names."""
        return 1 if self.local else generation(self.env, stage)

    def tables(self, stage: str) -> list[Table]:
        """All tables of a stage, also those for what is kept a while only."""
        card, client = card_of(stage), self.client("dynamodb")
        own = [self.table(stage)] if card.has_table else []
        return own + [Table(client, naming.short_lived_table(self.env, stage, each.name)) for each in card.short_lived]

    @property
    def photo_bucket(self) -> str:
        """Where photos, race.json and roster.csv are uploaded."""
        return naming.photo_bucket(self.env, self.account, self.region)

    @property
    def derived_bucket(self) -> str:
        """What is made of them."""
        return naming.derived_bucket(self.env, self.account, self.region)

    @property
    def region(self) -> str:
        """Where it stands."""
        return str(self.session.region_name)

    def api_url(self, stage: str) -> str:
        """Base URL of a stage's REST API: through the front door where there is one. Raises Failed."""
        door = self._parameter(naming.front_door_parameter(self.env))
        if door is not None:
            return f"{door.rstrip('/')}/api/{stage}"
        url = self._parameter(naming.api_url_parameter(self.env, stage))
        if url is None:
            raise Failed(
                f"The {stage} stage is not deployed in {self.where}, environment {self.env}. "
                "Check --env and AWS_REGION, or deploy it first (see README.md)."
            )
        return url.rstrip("/")

    def _parameter(self, name: str) -> str | None:
        client = self.client("ssm")
        try:
            return str(client.get_parameter(Name=name)["Parameter"]["Value"])
        except client.exceptions.ParameterNotFound:
            return None


def home() -> Path:
    """The folder of the local runtime: SNAPRACE_HOME, or `.snaprace` in this checkout."""
    return Path(os.environ.get("SNAPRACE_HOME") or runtime.HOME)


def choose(choice: Choice, env: str) -> Target:
    """The target of a command. Raises Failed with a sentence when there is none to speak to."""
    running = runtime.find(home()) if choice != "aws" else None
    wants_local = choice == "local" or (running is not None and env == runtime.ENVIRONMENT)
    if not wants_local:
        return _on_aws(env)
    if running is None:
        raise Failed("No local runtime is running here. Start it with: snaprace up")
    if env != runtime.ENVIRONMENT:
        raise Failed(f"The local runtime holds the environment {runtime.ENVIRONMENT}, not {env}.")
    return of_runtime(_ready(running))


def _ready(running: Running) -> Running:
    """The runtime when it is ready: it is being started, or a part of it again. Raises Failed if that takes long."""
    deadline = time.monotonic() + _READY_SECONDS
    while not running.ready:
        if time.monotonic() > deadline:
            raise Failed("The local runtime is still starting. Try again in a few seconds.")
        time.sleep(0.2)
        running = runtime.find(home()) or running
    return running


def of_runtime(running: Running) -> Target:
    """The local runtime as a target."""
    settings = running.environment()
    session = boto3.Session(
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        region_name=settings["AWS_REGION"],
    )
    return Target(
        env=settings["SNAPRACE_ENV"],
        account=_LOCAL_ACCOUNT,
        where=f"the local runtime at {running.front_door}",
        session=session,
        endpoint_url=running.aws_url,
        local=running,
    )


def _on_aws(env: str) -> Target:
    try:
        session = boto3.Session()
        region = session.region_name
        if region is None:
            raise Failed("No AWS region is set. Set AWS_REGION, or start the local runtime with: snaprace up")
        session.get_partition_for_region(region)
        identity = session.client("sts", config=_CONFIG).get_caller_identity()
    except UnknownRegionError:
        raise Failed(f"'{region}' is not a region of AWS. Set AWS_REGION (for example us-east-1).") from None
    except (BotoCoreError, ClientError) as error:
        raise Failed(explain(error)) from error
    account = identity["Account"]
    return Target(env=env, account=account, where=f"AWS account {account} in {region}", session=session)
