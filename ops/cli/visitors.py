"""Commands about a race's visitors: who is there, and demo visitors."""

from __future__ import annotations

import click

from ops.cli import options


@click.command(short_help="Send demo visitors to a race, so that its live page has something to show.")
@click.option("--visitors", type=click.IntRange(1, 100_000), default=50, show_default=True, metavar="N")
@click.option("--minutes", type=click.FloatRange(0, 24 * 60, min_open=True), default=5, show_default=True, metavar="M")
@options.one_race
@click.option("--seed", type=int, default=1, show_default=True, metavar="S", help="The same seed, the same visitors.")
@click.option(
    "--speed",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=1,
    show_default=True,
    metavar="X",
    help="So many times as fast as they are planned.",
)
@options.json
def traffic(visitors: int, minutes: float, race: str | None, seed: int, speed: float, as_json: bool) -> None:
    """Send demo visitors: a crowd after the finish, then a tail, who search, look, download and share; some are robots.

    They look at photos that are there, and are told apart by their browsers' names, since they share this machine's
    address. Ctrl-C ends it; what was sent until then counts.

    \b
    snaprace traffic --visitors 200 --minutes 10
    snaprace traffic --race hanriver/seoul-2026 --visitors 30 --minutes 30 --speed 10 --json
    """
    from ops.cli.screen import Bar
    from ops.cli.show_visitors import show_sent
    from ops.reach.insight_api import InsightApi
    from ops.traffic.gallery import gallery_of
    from ops.traffic.plan import plan
    from ops.traffic.send import Sent, play

    target = options.target()
    ref = options.the_race_named(target, race)
    api = InsightApi(target.api_url("insight"))
    acts = plan(gallery_of(target, ref, seed), visitors=visitors, minutes=minutes, seed=seed)
    sent = Sent()
    try:
        with Bar("Visitors' requests", len(acts)) as bar:
            play(acts, api, ref, sent, speed=speed, progress=bar.move)
    finally:
        show_sent(sent, as_json=as_json)


COMMANDS = (traffic,)
