"""`snaprace bench`: one command for each claim. A bench is a module here with a `run` that returns what it measured."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench.killing import PARTS
from shared.contracts.errors import SnapRaceError
from shared.contracts.quotas import OPERATIONS


@click.group(name="snaprace bench", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def bench() -> None:
    """Measure what SnapRace claims. Ratios are against a reference taken in the same run: machines are noisy."""


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line, for programs.")
_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def _sizes(option: str, least: int, default: str) -> Callable[[Any], Any]:
    told = f"Size to measure; may be repeated (default: {default})."
    return click.option(option, type=click.IntRange(min=least), multiple=True, metavar="N", help=told)


@bench.command(short_help="How well bibs and faces are recognised in real pictures.")
@click.option("--data", type=_folder, required=True, metavar="DIR", help="Folder with labelled pictures, as above.")
@click.option("--set", "sets", multiple=True, metavar="NAME", help="Measure this set only; may be repeated.")
@_json
def accuracy(data: Path, sets: tuple[str, ...], as_json: bool) -> None:
    """Read bibs and tell faces apart in labelled pictures, and score both, beside the plain libraries.

    \b
    bibs         race photos in DIR/bibs, with ground_truth.csv and boxes.csv
    bibs_modern  those of today's cameras in DIR/bibs-modern, with ground_truth.csv
    faces        portraits in DIR/faces, with ground_truth.csv
    race_faces   runners in both folders of race photos: the same people, and strangers

    Some ten minutes for 136 race photos and 620 portraits on one core.

    \b
    snaprace bench accuracy --data ~/labelled --json
    """
    from bench.accuracy import BLOCKS, run

    if unknown := [each for each in sets if each not in BLOCKS]:
        raise click.UsageError(f"There is no set {unknown[0]}; there are {', '.join(BLOCKS)}.")
    _print(run(data, sets or BLOCKS), as_json)


@bench.command(short_help="How well the engines see the drawn race of the demo.")
@click.option(
    "--folder", type=_folder, metavar="DIR", help="A race already drawn (default: draw one, and measure that)."
)
@click.option(
    "--photos", type=click.IntRange(min=0), default=0, metavar="N", help="Look at so many only (default: all)."
)
@_json
def drawn_race(folder: Path | None, photos: int, as_json: bool) -> None:
    """Find every face and read every bib of the drawn race.

    \b
    snaprace bench drawn-race --photos 12 --json
    """
    from bench.drawn_race import run

    _print(run(folder, photos), as_json)


@bench.command(short_help="How well a whole race of your own photos is found, people and hidden bibs included.")
@click.option("--photos", type=_folder, required=True, metavar="DIR", help="Folder with the race's photos.")
@click.option("--truth", type=_file, required=True, metavar="FILE", help="CSV: filename,numbers,also_visible,hidden")
@click.option("--roster", type=_file, metavar="FILE", help="The race's roster (default: none).")
@click.option("--settings", type=_file, metavar="FILE", help="The race's race.json (default: by the roster).")
@_json
def race(photos: Path, truth: Path, roster: Path | None, settings: Path | None, as_json: bool) -> None:
    """Take a race of real photos through a runtime of its own, and score whom it finds in them.

    The truth has a row for each labelled photo: its filename in DIR, the bibs that can be read in it (numbers), and, if
    there, those that may be read (also_visible) and those of runners whose bib is hidden (hidden), separated by spaces.
    A second or two a photo.

    \b
    snaprace bench race --photos ~/race --truth ~/race/truth.csv --roster roster.csv --json
    """
    from bench.race import run

    try:
        _print(run(photos, truth, roster, settings, lambda text: click.echo(text, err=True)), as_json)
    except SnapRaceError as error:
        raise click.ClickException(str(error)) from None


@bench.command(short_help="How fast collections of 10,000 to a million faces are searched, and whether exactly.")
@_sizes("--faces", 200, "10,000, 100,000 and 1,000,000")
@click.option("--queries", type=click.IntRange(min=10), default=200, metavar="N", help="Searches at each size.")
@_json
def search(faces: tuple[int, ...], queries: int, as_json: bool) -> None:
    """Search drawn embeddings, and compare time and answers with a full scan. Some minutes and 4 GB for a million.

    \b
    snaprace bench search --json
    snaprace bench search --faces 10000 --faces 100000
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded: one thread against one thread
    from bench.search import SIZES, run

    _print(run(faces or SIZES, queries), as_json)


@bench.command(short_help="Whether a photo of a large race costs more than one of a small race.")
@_sizes("--photos", 1, "500 and 5,000")
@_json
def cost(photos: tuple[int, ...], as_json: bool) -> None:
    """Take races of these sizes through the real pipeline, with recorded answers of Rekognition, and price them.

    500 photos took four minutes and 5,000 half an hour on two busy cores.

    \b
    snaprace bench cost --json
    snaprace bench cost --photos 100 --photos 1000
    """
    from bench.cost import SIZES, run

    _print(run(photos or SIZES), as_json)


@bench.command(short_help="How long a race takes by an account's quotas, and what to ask AWS for.")
@click.option("--photos", type=click.IntRange(min=1), default=200_000, show_default=True, metavar="N")
@click.option("--region", default="us-east-1", show_default=True, metavar="REGION", help="Whose default quotas hold.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="H",
    help="In how many hours all photos shall be found.",
)
@click.option(
    "--raised",
    type=(click.Choice(sorted(OPERATIONS)), click.FloatRange(min=0, min_open=True)),
    multiple=True,
    metavar="OPERATION N",
    help="A quota that AWS has raised, in calls a second; may be repeated.",
)
@_json
def capacity(photos: int, region: str, hours: float, raised: tuple[tuple[str, float], ...], as_json: bool) -> None:
    """Work out from the cards and AWS's quotas how long a race takes. Nothing is run.

    \b
    snaprace bench capacity --photos 200000 --region ap-northeast-2 --hours 3
    """
    from bench.capacity import run

    _print(run(photos, region, hours, dict(raised)), as_json)


@bench.command(short_help="What an environment costs a month while nothing happens.")
@click.option(
    "--assembly", type=_folder, default=Path("cdk.out"), show_default=True, metavar="DIR", help="A synthesized cdk.out."
)
@_json
def idle(assembly: Path, as_json: bool) -> None:
    """Price what the templates of an environment ask for, by the month.

    \b
    make cdk ARGS="synth --quiet -c env=prod"
    snaprace bench idle --json
    """
    from bench.idle import run

    try:
        _print(run(assembly), as_json)
    except ValueError as nothing:
        raise click.ClickException(str(nothing)) from None


@bench.command(short_help="What many searches at the same time take, and whether each is answered.")
@click.option(
    "--at-once", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Requests at once."
)
@_json
def api(at_once: int, as_json: bool) -> None:
    """Ask the search API through the front door, one request after another and many at once. Half a minute.

    \b
    snaprace bench api --json
    """
    from bench.api import run

    report = run(at_once, lambda text: click.echo(text, err=True))
    _print(report, as_json)
    sys.exit(1 if report["at_once_cold"]["errors"] or report["at_once_warm"]["errors"] else 0)


@bench.command(short_help="Whether the demo race ends the same in any order, repeated, and with calls that fail.")
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="Runs in chaos.")
@click.option(
    "--seed", type=int, default=1, show_default=True, metavar="N", help="What chance decides follows from it."
)
@_json
def chaos(runs: int, seed: int, as_json: bool) -> None:
    """Run the demo race shuffled, replayed on the way and with faults put in, and compare the state hashes.

    Some two minutes a run.

    \b
    snaprace bench chaos --runs 3 --json
    """
    from bench.chaos import run

    report = run(runs, seed, lambda text: click.echo(text, err=True))
    _print(report, as_json)
    sys.exit(0 if report["identical"] else 1)


@bench.command(short_help="Whether small inputs that once went wrong come to what is right.")
@click.argument("folder", type=_folder, metavar="DIR")
@_json
def cases(folder: Path, as_json: bool) -> None:
    """Take the rosters and pictures that DIR/cases.json lists through a runtime, and compare what they come to.

    Prints {"passed", "failed": [{"case", "expected", "seen"}]}; exits with 1 when one fails, and with 2 when a file is
    missing. A minute or two.

    \b
    snaprace bench cases ../shared/cases --json
    """
    from bench.cases import run

    report = run(folder, lambda text: click.echo(text, err=True))
    _print(report, as_json)
    sys.exit(1 if report["failed"] else 0)


@bench.command(short_help="Whether anything is lost when parts of the runtime are killed with -9.")
@click.option("--runs", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Kills.")
@click.option(
    "--seed", type=int, default=1, show_default=True, metavar="N", help="What chance decides follows from it."
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help="Kill this part only; may be repeated (default: all of them).",
)
@_json
def crash(runs: int, seed: int, parts: tuple[str, ...], as_json: bool) -> None:
    """Kill every part of a runtime at random moments while races of 40 photos go through it, and look what is lost.

    50 kills take about an hour: what a killed Lambda worker had comes back after twelve minutes, as on AWS.

    \b
    snaprace bench crash --runs 50 --json
    """
    from bench.crash import run

    report = run(runs, seed, parts, lambda text: click.echo(text, err=True))
    _print(report, as_json)
    sys.exit(0 if report["lost"] == 0 and report["answers_equal"] and not report["dead_letters"] else 1)


@bench.command(short_help="How fast visitors' numbers are taken, worked out and told, also of a million events.")
@click.option(
    "--events", type=click.IntRange(min=20_000), default=1_000_000, show_default=True, metavar="N", help="Of the day."
)
@click.option("--verify", is_flag=True, help="Recount a race of a SnapRace that runs, and compare, instead.")
@click.option("--race", metavar="O/E", help="With --verify: the race (default: the only one).")
@_json
def insight(events: int, verify: bool, race: str | None, as_json: bool) -> None:
    """Fill a day of a race with events, and measure what the functions take, against a day of 10,000. Some minutes.

    With --verify nothing is measured: photos are recounted from the archives and visitors from the stream, and compared
    with what the API tells. Exits with 1 when anything differs.

    \b
    snaprace bench insight --json
    snaprace bench insight --verify --race demo/marathon
    """

    def tell(text: str) -> None:
        click.echo(text, err=True)

    if not verify:
        from bench.insight.report import run

        _print(run(events, tell), as_json)
        return
    from bench.insight.verify import run_here

    try:
        report = run_here(race, tell)
    except SnapRaceError as error:
        raise click.ClickException(str(error)) from None
    _print(report, as_json)
    sys.exit(0 if report["equal"] else 1)


def _print(report: dict[str, Any], as_json: bool) -> None:
    json.dump(report, sys.stdout, ensure_ascii=False, indent=None if as_json else 1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    bench(prog_name="snaprace bench")
