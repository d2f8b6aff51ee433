"""Where dead letters go back to, and what of them is sent there. Pure.

A letter of a function goes to what feeds that function, a letter of the rules to what its attribute TARGET_ARN names.
"""

from __future__ import annotations

from typing import NamedTuple

from ops.look import invocations, set_aside
from ops.look.dead_letters import DeadLetterQueue, Holds, queues_of
from ops.look.invocations import StreamRange
from ops.reach import queues
from shared.contracts import naming, redelivery
from shared.kit.stream import Record, with_own_key


class Goal(NamedTuple):
    """What feeds a function: its queue ("messages"), its stream ("records"), or a schedule ("calls")."""

    name: str
    takes: Holds

    @property
    def is_reached(self) -> bool:
        """Whether anything can be sent there."""
        return self.takes != "calls"


def goals(env: str, stage: str) -> dict[str, Goal]:
    """What feeds the functions of a stage, by name. A function, its queue and its stream have the same name."""
    fed = {naming.function(env, stage, each.function): each for each in queues_of(env, stage) if each.function}
    return {name: Goal(name, each.holds) for name, each in fed.items()}


def goal_of(env: str, queue: DeadLetterQueue, letter: queues.Message) -> Goal | None:
    """Where a letter belongs; None where it does not say so, or says nothing that could be sent."""
    fed = goals(env, queue.stage)
    if queue.function is None:
        arn = queues.attributes(letter).get("TARGET_ARN")
        return fed.get(queues.name_of(arn)) if arn else None
    own = fed[naming.function(env, queue.stage, queue.function)]
    if own.takes != "records" or set_aside.is_set_aside(letter):
        return own
    given_up = range_of(letter)
    return own if given_up and given_up.stream == own.name else None


def message_of(queue: DeadLetterQueue, letter: queues.Message) -> queues.Message:
    """The message as it would have arrived: what worker or EventBridge wrote on it is for the dead letters alone."""
    if queue.function and redelivery.REASON not in queues.attributes(letter):
        return letter
    return {name: value for name, value in letter.items() if name != "MessageAttributes"}


def range_of(letter: queues.Message) -> StreamRange | None:
    """The records of a stream that Lambda tells of."""
    given_up = invocations.read(letter["Body"])
    return given_up.range if given_up else None


def record_of(letter: queues.Message) -> Record:
    """The record that a worker set aside, or the event that EventBridge could not deliver."""
    return with_own_key(set_aside.data(letter))
