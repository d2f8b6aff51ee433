"""The `snaprace` command: one place for what a runner, a photographer, an organizer and an operator do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ops.cli import (
    eraser,
    here,
    inspector,
    on_call,
    operator,
    organizer,
    photographer,
    runner,
    visitors,
    wayback,
)

if TYPE_CHECKING:
    from ops.reach.target import Choice

AUDIENCES = (
    ("Run it here", here.COMMANDS),
    ("Organizer", (*organizer.COMMANDS, *eraser.COMMANDS, *visitors.COMMANDS)),
    ("Photographer", photographer.COMMANDS),
    ("Runner", runner.COMMANDS),
    ("Operator", (*operator.COMMANDS, *on_call.COMMANDS, *inspector.COMMANDS, *wayback.COMMANDS)),
)


class Help(click.Group):
    """A group whose commands are listed by who uses them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write a section for each audience."""
        for title, commands in AUDIENCES:
            with formatter.section(title):
                rows = (row for command in commands for row in _leaves(command))
                formatter.write_dl([(name, leaf.get_short_help_str(90)) for name, leaf in rows])


def _leaves(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The command by its name, or those of its group by both names."""
    if not isinstance(command, click.Group):
        yield str(command.name), command
        return
    for name, leaf in command.commands.items():
        yield f"{command.name} {name}", leaf


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


organizer.race.add_command(eraser.race_delete)
for _, _commands in AUDIENCES:
    for _command in _commands:
        cli.add_command(_command)


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
