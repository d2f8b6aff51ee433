"""The operator's commands: look at what goes on, mend what failed, and measure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import click

from ops.cli import options

# --- look ---------------------------------------------------------------------------------------------


@click.command(short_help="Show where every upload stands, and what is stuck and why.")
@options.race()
@click.option("--all", "every_upload", is_flag=True, help="List every upload, too.")
@options.json
def status(organizer: str | None, event: str | None, every_upload: bool, as_json: bool) -> None:
    """Show where every upload of a race stands: what waits and for which step, what was rejected or given up and why.

    Uploads that belong to no race are told, too: a key that names none, or a race that is not created.

    With --json there is also state_hash: two runs that came to the same photos, runners and rejections have the same.

    \b
    snaprace status
    snaprace status --organizer hanriver --event seoul-2026 --json --all
    """
    from ops.cli.show_race import show_status
    from ops.cli.show_races import show_strays
    from ops.look.status import status as ask
    from ops.look.strays import strays
    from ops.reach.errors import Failed

    target = options.target()
    beside = strays(target)
    try:
        race = options.the_race(target, organizer, event, also_uncreated=True)
    except Failed:
        if not as_json:
            show_strays(beside)
        raise
    show_status(ask(target, race, hashed=as_json), beside, as_json=as_json, every_upload=every_upload)


@click.command("explain", short_help="Show why somebody is, or is not, in a photo.")
@click.argument("photo", metavar="PHOTO")
@options.race()
@options.json
def explain_photo(photo: str, organizer: str | None, event: str | None, as_json: bool) -> None:
    """Show who is in a photo and why: what was read, which faces match, what an organizer said, what it waits for.

    PHOTO is a file name, an upload's key or a photo id.

    \b
    snaprace explain IMG_2300.jpg
    snaprace explain hanriver/seoul-2026/raw_photos/IMG_2300.jpg --json
    """
    from ops.cli.show_race import show_explanation
    from ops.look.explain import explain, explain_upload
    from ops.look.photo import misplaced, photo_report

    target = options.target()
    if (upload := misplaced(target, photo)) is not None:
        show_explanation(explain_upload(upload), as_json=as_json)
        return
    race = options.race_of(target, photo, organizer, event)
    show_explanation(explain(photo_report(target, race, photo)), as_json=as_json)


# --- mend ---------------------------------------------------------------------------------------------


def _rate(most: int) -> Callable[[Any], Any]:
    rate = click.FloatRange(min=0, min_open=True)
    return click.option(
        "--rate", type=rate, default=most, show_default=True, metavar="N", help="Messages or records a second."
    )


@click.command(short_help="Show the dead letters: what was given up, and why.")
@click.option("--stage", metavar="STAGE", help="Only those of a stage.")
@options.json
def dlq(stage: str | None, as_json: bool) -> None:
    """Show what is in the dead-letter queues, by the reason it was given up for: the oldest first, with the photo.

    Of a stream they hold records that nobody can read, and the places of records that a function failed on. Reasons are
    read in the functions' logs. Letters stay where they are.

    \b
    snaprace dlq
    snaprace dlq --stage ocr --json
    """
    from ops.cli.recovery import show_letters
    from ops.look.dead_letters import contents

    show_letters(contents(options.target(), stage), datetime.now(UTC), as_json=as_json)


@click.command(short_help="Send dead letters back to where they came from.")
@options.stage
@options.function
@_rate(10)
@options.yes
@options.json
def redrive(stage: str, function: str | None, rate: float, yes: bool, as_json: bool) -> None:
    """Send a stage's dead letters back, once what they failed for is mended. Says first how many, and asks.

    Letters of a function go to its queue, or the records that they are about into its stream, which keeps them for a
    day; events that could not be delivered go to what they were for. To repeat it does no harm.

    \b
    snaprace redrive --stage ocr
    snaprace redrive --stage faces --function index --rate 5 --yes
    """
    from ops.cli.recovery import show_redrive

    sys.exit(show_redrive(options.target(), stage, function, rate=rate, yes=yes, as_json=as_json))


@click.command(short_help="Let a stage hear once more what the archives hold.")
@options.stage
@options.function
@click.option("--from", "begin", metavar="TIME", help="ISO 8601; without a zone, this machine's. Default: the oldest.")
@click.option("--to", "end", metavar="TIME", help="ISO 8601. Default: now.")
@click.option("--race", metavar="O/E", help="Only events of a race, as hanriver/seoul-2026.")
@click.option(
    "--only",
    type=click.Choice(["failed", "missing", "all"]),
    default="all",
    show_default=True,
    help="failed: about what is dead-lettered or stuck in the stage; missing: of which its table holds nothing.",
)
@_rate(50)
@options.yes
@options.json
def replay(
    stage: str,
    function: str | None,
    begin: str | None,
    end: str | None,
    race: str | None,
    only: Literal["failed", "missing", "all"],
    rate: float,
    yes: bool,
    as_json: bool,
) -> None:
    """Send archived uploads and events to one stage once more: after its table was lost, or a defect was mended.

    Says first how many events, and asks; ends with what changed. What people decided (deletions, settings, rosters,
    corrections) always goes along. What only repeats is not archived again; the stages behind hear it as a repetition
    and change nothing, at their own pace, not at --rate. On AWS an event may take 10 minutes to be in the archive. To
    repeat the command does no harm.

    \b
    snaprace replay --stage search
    snaprace replay --stage ocr --race hanriver/seoul-2026 --only missing
    snaprace replay --stage faces --from 2026-10-25T09:00 --to 2026-10-25T10:00+09:00 --rate 20 --yes
    """
    from ops.cli.recovery import show_replay
    from ops.mend.replay import moment, plan
    from ops.race.races import race_ref

    window = {name: moment(text) for name, text in (("begin", begin), ("end", end)) if text}
    if race is not None and race.count("/") != 1:
        raise click.UsageError("--race takes the organizer's and the event's id, as hanriver/seoul-2026.")
    ref = race_ref(*race.split("/")) if race else None
    target = options.target()
    planned = plan(target, stage, function, **window, race=ref, now=datetime.now(UTC))
    sys.exit(show_replay(target, planned, only, rate=rate, yes=yes, as_json=as_json))


# --- measure ------------------------------------------------------------------------------------------


@click.command(short_help="Show what 1,000 photos cost, by what was really called.")
@click.option("--region", default="us-east-1", show_default=True, metavar="R", help="Whose prices to take.")
@options.json
def cost(region: str, as_json: bool) -> None:
    """Show what 1,000 photos cost: the calls that the functions made, times the prices of AWS.

    All races of the environment count, as long as the functions' logs are kept. The local runtime makes the same calls
    as AWS would; only its times are this machine's.

    \b
    snaprace cost
    snaprace cost --json
    """
    from ops.cli.show_race import show_bill
    from ops.cost.bill import bill, used
    from ops.cost.prices import prices_in

    prices = prices_in(region)
    show_bill(bill(used(options.target()), prices, region), as_json=as_json)


@click.group(short_help="The Rekognition-compatible server on its own.")
def vision() -> None:
    """The Rekognition-compatible server that the local runtime uses, on its own."""


# Of a command whose options another program reads, --help among them.
_PASSED_ON: dict[str, Any] = {"context_settings": {"ignore_unknown_options": True}, "add_help_option": False}


@vision.command("serve", short_help="Serve Rekognition's protocol on this machine.", **_PASSED_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def vision_serve(options: tuple[str, ...]) -> None:
    """Serve Rekognition's protocol: snaprace vision serve --data DIR --port N (see --help)."""
    called = {**os.environ, "VISION_CALLED_AS": "snaprace vision serve"}
    os.execve(sys.executable, [sys.executable, "-m", "vision", *options], called)  # noqa: S606 - our own program


@click.command("bench", short_help="Measure accuracy and speed.", **_PASSED_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def bench(options: tuple[str, ...]) -> None:
    """Measure what SnapRace claims: snaprace bench NAME --json (see --help)."""
    choice, environment = click.get_current_context().find_root().obj
    called = {**os.environ, "SNAPRACE_TARGET": choice, "SNAPRACE_ENV": environment}
    os.execve(sys.executable, [sys.executable, "-m", "bench", *options], called)  # noqa: S606 - our own program


COMMANDS = (status, explain_photo, dlq, redrive, replay, cost, vision, bench)
