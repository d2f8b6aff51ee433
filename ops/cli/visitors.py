"""Commands about a race's visitors: who is there, and demo visitors."""

from __future__ import annotations

import click

from ops.cli import options


@click.command(short_help="Send demo visitors to a race.")
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


_KINDS = ("page_view", "search", "photo_view", "download", "share")


@click.command(short_help="Show a race's visitors and photos, live.")
@options.one_race
@click.option("--once", is_flag=True, help="Show it once, and end.")
@click.option("--events", "kind", type=click.Choice(_KINDS), help="List what visitors did last, of this kind, instead.")
@click.option(
    "--most", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N", help="With --events: so many."
)
@options.json
def live(race: str | None, once: bool, kind: str | None, most: int, as_json: bool) -> None:
    """Show what the live page shows, every two seconds anew, until Ctrl-C. With --json once, as the API tells it.

    \b
    snaprace live
    snaprace live --race hanriver/seoul-2026 --once
    snaprace live --events search --most 50
    """
    from ops.cli.screen import answers
    from ops.cli.show_live import follow, show_done, show_once
    from ops.look.visits import last_done
    from ops.reach.insight_api import InsightApi

    target = options.target()
    ref = options.the_race_named(target, race)
    if kind is not None:
        show_done(last_done(target, ref, kind, most), kind, as_json=as_json)
        return
    api = InsightApi(target.api_url("insight"))
    if once or as_json or not answers.is_terminal:
        show_once(api.realtime(ref), as_json=as_json)
    else:
        follow(lambda: api.realtime(ref))


COMMANDS = (traffic, live)
