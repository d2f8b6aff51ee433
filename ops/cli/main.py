"""The `snaprace` command: one place for what a runner, a photographer, an organizer and an operator do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from ops.reach.target import Choice, Target
    from shared.contracts.events import BibCorrected, MatchCut
    from shared.contracts.keys import RaceRef

GROUPS = (
    ("Run it here", ("demo", "up", "down")),
    ("Organizer", ("race create", "roster import", "correct")),
    ("Photographer", ("upload",)),
    ("Runner", ("find",)),
    ("Operator", ("status", "explain", "dlq", "redrive", "replay", "cost", "vision serve", "bench")),
)


class Help(click.Group):
    """A group whose commands are listed by who uses them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the sections of GROUPS."""
        for title, names in GROUPS:
            with formatter.section(title):
                formatter.write_dl([(name, self._leaf(name).get_short_help_str(90)) for name in names])

    def _leaf(self, path: str) -> click.Command:
        command: click.Command = self
        for name in path.split():
            command = command.commands[name] if isinstance(command, click.Group) else command
        return command


@click.group(
    cls=Help,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Begin with: snaprace demo",
)
@click.option(
    "--target",
    type=click.Choice(["auto", "local", "aws"]),
    default="auto",
    show_default=True,
    envvar="SNAPRACE_TARGET",
    help="Speak to the local runtime or to AWS; auto: to the local runtime if one is running.",
)
@click.option(
    "--env",
    "environment",
    type=click.Choice(["dev", "prod"]),
    default="dev",
    show_default=True,
    envvar="SNAPRACE_ENV",
    help="The environment.",
)
@click.version_option(package_name="snaprace")
@click.pass_context
def cli(ctx: click.Context, target: Choice, environment: str) -> None:
    """Find every runner's photos of a race, by bib or by selfie.

    The same commands work on AWS and on the local runtime, which needs no account.
    """
    ctx.obj = (target, environment)


def _target() -> Target:
    from ops.reach.target import choose

    choice, environment = click.get_current_context().find_root().obj
    return choose(choice, environment)


def _race_options(required: bool = False) -> Callable[[Any], Any]:
    """--organizer and --event; left out, they mean the only race there is."""

    def add(command: Any) -> Any:
        hint = "" if required else " (default: the only race there is)"
        event = click.option("--event", metavar="E", required=required, help=f"The race's event_id{hint}.")
        organizer = click.option("--organizer", metavar="O", required=required, help=f"Whose race it is{hint}.")
        return organizer(event(command))

    return add


def _the_race(target: Target, organizer: str | None, event: str | None) -> RaceRef:
    from ops.race.races import the_race

    return the_race(target, organizer, event)


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, for programs.")


def _port_options(command: Any) -> Any:
    command = click.option("--vision-port", type=int, default=4567, show_default=True, help="The vision server.")(
        command
    )
    command = click.option("--aws-port", type=int, default=4566, show_default=True, help="The embedded AWS.")(command)
    return click.option("--port", type=int, default=8080, show_default=True, help="The page and the APIs.")(command)


# --- run it here --------------------------------------------------------------------------------------


@cli.command(short_help="Run a whole race on this machine and serve its page.")
@click.option("--photos", type=click.Path(path_type=Path), metavar="DIR", help="Your own photos, not the drawn race.")
@click.option("--roster", type=click.Path(path_type=Path), metavar="FILE", help="Your roster (CSV with a column bib).")
@click.option("--exit", "leave", is_flag=True, help="End when the report is printed; do not serve the page.")
@_json
@_port_options
def demo(
    photos: Path | None, roster: Path | None, leave: bool, as_json: bool, port: int, aws_port: int, vision_port: int
) -> None:
    """Run a whole race on this machine: deploy, upload, wait, report, and serve the page until Ctrl-C.

    \b
    snaprace demo                                      a race drawn for you
    snaprace demo --photos ~/race --roster roster.csv  your own
    snaprace demo --exit --json                        for programs
    """
    from ops.cli.show import serve_demo

    if roster and not photos:
        raise click.UsageError("--roster goes with --photos: the drawn race brings its own roster.")
    complete = serve_demo(photos, roster, _ports(port, aws_port, vision_port), leave=leave, as_json=as_json)
    sys.exit(0 if complete else 1)


@cli.command(short_help="Start the local runtime.")
@click.option("--detach", is_flag=True, help="Return when it is ready and leave it running; end it with: snaprace down")
@_port_options
def up(detach: bool, port: int, aws_port: int, vision_port: int) -> None:
    """Start the local runtime: the embedded AWS with all stacks, the vision server and the page.

    It keeps its races between runs. Without --detach it runs until Ctrl-C.

    \b
    snaprace up --detach
    snaprace race create --help
    """
    from local import runtime
    from ops.reach.console import console
    from ops.reach.target import home

    ports, report = _ports(port, aws_port, vision_port), lambda text: console.print(f"{text}…")
    if detach:
        running = runtime.start_detached(home(), ports, report, keep=True)
        console.print(f"Running at [bold]{running.front_door}[/]. End it with: snaprace down")
        return
    with runtime.start(home(), ports, report, keep=True) as started:
        console.print(f"Running at [bold]{started.front_door}[/]. Ctrl-C ends it.")
        started.wait()


@cli.command(short_help="Stop the local runtime.")
def down() -> None:
    """Stop the local runtime of this checkout and wait until all of it has ended.

    \b
    snaprace down
    """
    from local import runtime
    from ops.reach.console import console
    from ops.reach.target import home

    running = runtime.stop(home())
    console.print("Stopped." if running else "No local runtime was running.")


@cli.group(short_help="The Rekognition-compatible server on its own.")
def vision() -> None:
    """The Rekognition-compatible server that the local runtime uses, on its own."""


@vision.command(
    "serve",
    short_help="Serve Rekognition's protocol on this machine.",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def vision_serve(options: tuple[str, ...]) -> None:
    """Serve Rekognition's protocol: snaprace vision serve --data DIR --port N (see --help)."""
    called = {**os.environ, "VISION_CALLED_AS": "snaprace vision serve"}
    os.execve(sys.executable, [sys.executable, "-m", "vision", *options], called)  # noqa: S606 - our own program


@cli.command(
    "bench",
    short_help="Measure accuracy and speed.",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def bench(options: tuple[str, ...]) -> None:
    """Measure what SnapRace claims: snaprace bench NAME --json (see --help)."""
    os.execv(sys.executable, [sys.executable, "-m", "bench", *options])  # noqa: S606 - our own program


# --- organizer ----------------------------------------------------------------------------------------


@cli.group(short_help="Create a race, or change its settings.")
def race() -> None:
    """A race and its settings."""


@race.command("create", short_help="Create a race, or change its settings.")
@_race_options(required=True)
@click.option("--name", help="What runners see.")
@click.option("--date", metavar="YYYY-MM-DD", help="The day of the race.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="For example Asia/Seoul.")
@click.option("--faces/--no-faces", default=False, help="Recognise faces, and let runners search by selfie.")
@click.option("--originals/--no-originals", default=False, help="Let runners download full-size pictures.")
@click.option("--prefix", "prefixes", multiple=True, metavar="LETTERS", help='Letters before the number; "" for none.')
@click.option("--min-digits", type=int, default=1, show_default=True, help="Fewest digits of a bib.")
@click.option("--max-digits", type=int, default=5, show_default=True, help="Most digits of a bib.")
@click.option("--lowest", type=int, metavar="N", help="The lowest number of a bib.")
@click.option("--highest", type=int, metavar="N", help="The highest number of a bib.")
@click.option("--exclude", multiple=True, metavar="WORD", help="A word that is never a bib here, such as the year.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), metavar="FILE", help="A race.json, instead of options."
)
def race_create(
    organizer: str, event: str, file: Path | None, name: str | None, date: str | None, **given: Any
) -> None:
    """Create a race, or change the settings of one: its photos are then looked at again.

    \b
    snaprace race create --organizer hanriver --event seoul-2026 --name "Seoul Marathon" \\
        --date 2026-10-25 --timezone Asia/Seoul --faces
    """
    from ops.race.races import create_race, race_ref, read_file
    from ops.reach.console import console

    ref = race_ref(organizer, event)
    if file is None and not (name and date):
        raise click.UsageError("Give --name and --date, or --file with a race.json.")
    if file is not None and (extra := _said_besides({"organizer", "event", "file"})):
        raise click.UsageError(f"--file brings all settings; leave out {', '.join(extra)}.")
    body = read_file(file) if file else _race_json(name or "", date or "", given)
    settings = create_race(_target(), ref, body)
    faces = "on" if settings.faces else "off"
    console.print(f"Race [bold]{ref}[/] ({settings.name}, {settings.date}) is set up, faces are {faces}.")


def _said_besides(expected: set[str]) -> list[str]:
    """The options of this command that were given on the command line, other than the expected ones."""
    ctx = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    return [
        option.opts[0]
        for option in ctx.command.params
        if option.name and option.name not in expected and ctx.get_parameter_source(option.name) is given
    ]


def _race_json(name: str, date: str, given: dict[str, Any]) -> bytes:
    import msgspec

    from shared.contracts.bibs import BibRules
    from shared.contracts.race import RaceSettings

    rules = BibRules(
        prefixes=given["prefixes"] or ("",),
        min_digits=given["min_digits"],
        max_digits=given["max_digits"],
        lowest=given["lowest"],
        highest=given["highest"],
        excluded=given["exclude"],
    )
    settings = RaceSettings(
        name=name,
        date=date,
        timezone=given["timezone"],
        bib_rules=rules,
        faces=given["faces"],
        originals=given["originals"],
    )
    return msgspec.json.encode(settings)


@cli.group(short_help="Import a race's runners.")
def roster() -> None:
    """A race's runners."""


@roster.command("import", short_help="Import a race's runners from a CSV.")
@click.argument("file", type=click.Path(path_type=Path))
@_race_options()
@click.option("--skip-bad-rows", is_flag=True, help="Import the good rows although some are bad.")
def roster_import(file: Path, organizer: str | None, event: str | None, skip_bad_rows: bool) -> None:
    """Import a race's runners: a CSV whose first line names a column bib, and usually name.

    Bad rows are shown with their line, and nothing is imported, unless --skip-bad-rows says so.

    \b
    snaprace roster import roster.csv --organizer hanriver --event seoul-2026
    """
    from ops.race.races import import_roster, read_roster
    from ops.reach.console import console, counted
    from ops.reach.errors import Failed

    body, checked = read_roster(file)
    for problem in checked.problems:
        console.print(f"line {problem.line}: {problem.message}", markup=False)
    if checked.problems and not skip_bad_rows:
        raise Failed(
            f"{counted(len(checked.problems), 'bad row')}; nothing was imported. "
            "Mend the file, or leave bad rows out with --skip-bad-rows."
        )
    target = _target()
    imported = import_roster(target, _the_race(target, organizer, event), body)
    left_out = f", {counted(len(checked.problems), 'row')} left out" if checked.problems else ""
    console.print(f"{counted(imported.runners, 'runner')} imported{left_out}.")


@cli.command("correct", short_help="Say who is in a photo, or that two faces are not one person.")
@click.argument("photo", metavar="PHOTO")
@_race_options()
@click.option("--bib", metavar="B", help="The runner that this is about.")
@click.option("--not-here", is_flag=True, help="She is not in this photo.")
@click.option("--cut", "other", metavar="OTHER_PHOTO", help="A face here and one there are different people.")
@click.option("--face", type=int, metavar="N", help="Which face, counted from the left, where there are several.")
@click.option("--other-face", type=int, metavar="M", help="Which face in the other photo.")
@click.option("--undo", is_flag=True, help="Take a --cut back.")
def correct_photo(
    photo: str,
    organizer: str | None,
    event: str | None,
    bib: str | None,
    not_here: bool,
    other: str | None,
    face: int | None,
    other_face: int | None,
    undo: bool,
) -> None:
    """Correct who is in a photo. Your word outranks what was read and seen, and stays when photos are looked at again.

    PHOTO is a file name, an upload's key or a photo id; snaprace explain PHOTO lists its faces from left to right.

    \b
    snaprace correct IMG_2300.jpg --bib 1042 --face 2
    snaprace correct IMG_2300.jpg --bib 77 --not-here
    snaprace correct IMG_2300.jpg --face 1 --cut IMG_2314.jpg --other-face 3
    """
    from ops.look.photo import photo_report
    from ops.race.correct import bib_correction, match_cut, say
    from ops.reach.console import console

    if (bib is None) == (other is None):
        raise click.UsageError("Give either --bib or --cut.")
    if bib and (extra := _said_besides({"photo", "organizer", "event", "bib", "not_here", "face"})):
        raise click.UsageError(f"{', '.join(extra)} goes with --cut.")
    if not_here and (other or face):
        raise click.UsageError("--not-here goes with --bib alone: she has no face here.")
    target, race = _race_of(photo, organizer, event)
    found = photo_report(target, race, photo)
    word: BibCorrected | MatchCut
    if bib is not None:
        word = bib_correction(target, found, bib, here=not not_here, face=face)
    else:
        word = match_cut(found, photo_report(target, race, other or ""), face=face, other_face=other_face, undo=undo)
    console.print(say(target, found, word), markup=False)


# --- photographer -------------------------------------------------------------------------------------


@cli.command("upload", short_help="Upload a folder of photos.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_race_options()
@click.option("--photographer", metavar="NAME", help="Who took them; shown with each photo.")
@click.option("--wait-for-race", is_flag=True, help="Upload although the race does not exist yet: the photos wait.")
def upload_folder(
    folder: Path, organizer: str | None, event: str | None, photographer: str | None, wait_for_race: bool
) -> None:
    """Upload all photos of a folder, several at once. The same command resumes an upload that was interrupted.

    \b
    snaprace upload ~/race/photos --organizer hanriver --event seoul-2026 --photographer "Lee Younghee"
    """
    from ops.cli.show import show_upload
    from ops.race.races import race_ref
    from ops.race.upload import photos_in

    files = photos_in(folder)
    if wait_for_race and not (organizer and event):
        raise click.UsageError("--wait-for-race needs --organizer and --event.")
    target = _target()
    ref = race_ref(organizer, event) if wait_for_race and organizer and event else _the_race(target, organizer, event)
    sys.exit(show_upload(target, ref, files, photographer))


# --- runner -------------------------------------------------------------------------------------------


@cli.command(short_help="Find a runner's photos by bib or selfie.")
@_race_options()
@click.option("--bib", metavar="N", help="The number on the bib.")
@click.option("--selfie", type=click.Path(path_type=Path), metavar="FILE", help="A picture of the runner's face.")
@_json
def find(organizer: str | None, event: str | None, bib: str | None, selfie: Path | None, as_json: bool) -> None:
    """Find a runner's photos, also those where her bib is hidden.

    \b
    snaprace find --bib 1042
    snaprace find --selfie me.jpg --json
    """
    from ops.cli.show import show_photos
    from ops.reach.search_api import SearchApi

    if (bib is None) == (selfie is None):
        raise click.UsageError("Give either --bib or --selfie.")
    target = _target()
    ref = _the_race(target, organizer, event)
    api = SearchApi(target.api_url("search"))
    photos = list(api.by_bib(ref, bib) if bib is not None else api.by_selfie(ref, selfie or Path()))
    show_photos(photos, as_json=as_json)


# --- operator -----------------------------------------------------------------------------------------


@cli.command(short_help="Show where every upload stands, and what is stuck and why.")
@_race_options()
@click.option("--all", "every_upload", is_flag=True, help="List every upload, too.")
@_json
def status(organizer: str | None, event: str | None, every_upload: bool, as_json: bool) -> None:
    """Show where every upload of a race stands: what waits and for which step, what was rejected or given up and why.

    With --json there is also state_hash: two runs that came to the same photos, runners and rejections have the same.

    \b
    snaprace status
    snaprace status --organizer hanriver --event seoul-2026 --json --all
    """
    from ops.cli.show_race import show_status
    from ops.look.status import status as ask

    target = _target()
    found = ask(target, _the_race(target, organizer, event), hashed=as_json)
    show_status(found, as_json=as_json, every_upload=every_upload)


# --- operator: what failed, and once more -------------------------------------------------------------

_stage = click.option("--stage", metavar="STAGE", required=True, help="races, ingest, ocr, faces, search, …")
_function = click.option("--function", metavar="F", help="Only one function of the stage, as index of faces.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


def _rate(most: int) -> Callable[[Any], Any]:
    rate = click.FloatRange(min=0, min_open=True)
    return click.option("--rate", type=rate, default=most, show_default=True, metavar="N", help="Messages a second.")


@cli.command(short_help="Show the dead letters: what was given up, and why.")
@click.option("--stage", metavar="STAGE", help="Only those of a stage.")
@_json
def dlq(stage: str | None, as_json: bool) -> None:
    """Show what is in the dead-letter queues, by the reason it was given up for: the oldest first, with the photo.

    Reasons are read in the functions' logs. Letters stay where they are.

    \b
    snaprace dlq
    snaprace dlq --stage ocr --json
    """
    from datetime import UTC, datetime

    from ops.cli.recovery import show_letters
    from ops.mend.dead_letters import contents

    show_letters(contents(_target(), stage), datetime.now(UTC), as_json=as_json)


@cli.command(short_help="Send dead letters back to where they came from.")
@_stage
@_function
@_rate(10)
@_yes
@_json
def redrive(stage: str, function: str | None, rate: float, yes: bool, as_json: bool) -> None:
    """Send a stage's dead letters back, once what they failed for is mended. Says first how many, and asks.

    Letters of a function go to its queue; events that could not be delivered go to the queue they were for. To repeat
    it does no harm.

    \b
    snaprace redrive --stage ocr
    snaprace redrive --stage faces --function index --rate 5 --yes
    """
    from ops.cli.recovery import show_redrive

    sys.exit(show_redrive(_target(), stage, function, rate=rate, yes=yes, as_json=as_json))


@cli.command(short_help="Let a stage hear once more what the archives hold.")
@_stage
@_function
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
@_yes
@_json
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
    from datetime import UTC, datetime

    from ops.cli.recovery import show_replay
    from ops.mend.replay import moment, plan
    from ops.race.races import race_ref

    window = {name: moment(text) for name, text in (("begin", begin), ("end", end)) if text}
    if race is not None and race.count("/") != 1:
        raise click.UsageError("--race takes the organizer's and the event's id, as hanriver/seoul-2026.")
    ref = race_ref(*race.split("/")) if race else None
    target = _target()
    planned = plan(target, stage, function, **window, race=ref, now=datetime.now(UTC))
    sys.exit(show_replay(target, planned, only, rate=rate, yes=yes, as_json=as_json))


@cli.command("explain", short_help="Show why somebody is, or is not, in a photo.")
@click.argument("photo", metavar="PHOTO")
@_race_options()
@_json
def explain_photo(photo: str, organizer: str | None, event: str | None, as_json: bool) -> None:
    """Show who is in a photo and why: what was read, which faces match, what an organizer said, what it waits for.

    PHOTO is a file name, an upload's key or a photo id.

    \b
    snaprace explain IMG_2300.jpg
    snaprace explain hanriver/seoul-2026/raw_photos/IMG_2300.jpg --json
    """
    from ops.cli.show_race import show_explanation
    from ops.look.explain import explain, photos_named_in
    from ops.look.photo import filenames, photo_report

    target, race = _race_of(photo, organizer, event)
    found = photo_report(target, race, photo)
    names = filenames(target, race, photos_named_in(found))
    show_explanation(explain(found, names), as_json=as_json)


@cli.command(short_help="Show what 1,000 photos cost, by what was really called.")
@click.option("--region", default="us-east-1", show_default=True, metavar="R", help="Whose prices to take.")
@_json
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
    show_bill(bill(used(_target()), prices, region), as_json=as_json)


def _race_of(photo: str, organizer: str | None, event: str | None) -> tuple[Target, RaceRef]:
    """Where a photo is: the race that its key names, or the one the options name."""
    from ops.look.about import race_of

    target, named = _target(), race_of(photo)
    return target, _the_race(target, *(named or (organizer, event)))


def _ports(port: int, aws_port: int, vision_port: int) -> Any:
    from local.runtime import Ports

    return Ports(aws=aws_port, vision=vision_port, web=port)


def main() -> None:
    """Entry point: every failure is one sentence on stderr and exit code 1; Ctrl-C is 130, SIGTERM 143."""
    # Ctrl-C, too: a shell that starts us in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.exceptions.Abort) as end:
        _say("Stopped.")
        # click turns a KeyboardInterrupt into an Abort; ours carry the signal's number.
        numbers = [
            number for error in (end, end.__cause__) if isinstance(error, KeyboardInterrupt) for number in error.args
        ]
        sys.exit(128 + (numbers or [signal.SIGINT])[0])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains as it ends
        sys.exit(1)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        _say(sentence)
        sys.exit(1)


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(number)


def _sentence(error: Exception) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    from ops.reach.errors import explain
    from shared.contracts.errors import SnapRaceError

    if isinstance(error, SnapRaceError):
        return str(error)
    return explain(error) if isinstance(error, BotoCoreError | ClientError) else None


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
