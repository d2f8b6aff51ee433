"""Looks at the alarms as time goes on: metric alarms by the minute, composite ones when those they name change.

ministack keeps the alarms, works out the rules of composite ones and tells SNS topics; what an alarm's data say, and
whether a composite one keeps quiet, is worked out here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from local.aws.cloudwatch import evaluation
from local.aws.cloudwatch.clock import MINUTE, Clock, minute_of
from local.aws.cloudwatch.protocols import Asked, Refused
from local.aws.cloudwatch.series import MathProblem
from local.aws.cloudwatch.store import Store
from local.aws.cloudwatch.suppression import Suppression

Place = tuple[str, str]
"""An account and a region."""

Publish = Callable[[Place, float], None]
"""Puts what a service tells of a place into its metrics, at the last second of a minute (CloudWatch's clock)."""

_logger = logging.getLogger("cloudwatch")


@dataclass
class _Quiet:
    """A composite alarm that has a suppressor: its name, how it stands, and what to say when it may speak."""

    suppressor: str
    standing: Suppression
    owed: tuple[Any, ...] = ()


@dataclass
class Alarms:
    """All alarms of the embedded AWS. `publish` are asked at the end of each minute, before alarms are looked at."""

    clock: Clock
    store: Callable[[Place], Store]
    publish: tuple[Publish, ...] = ()
    _quiet: dict[tuple[str, str, str], _Quiet] = field(default_factory=dict)
    _looked: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def run(self, held: Callable[[], bool]) -> None:
        """Look for ever, unless `held`: while it is being deployed nothing rings."""
        pause = min(1.0, self.clock.real(MINUTE) / 20)
        while True:
            time.sleep(pause)
            if held():
                continue
            try:
                self.look(self.clock.now())
            except Exception:
                _logger.exception("alarms could not be looked at")

    def look(self, now: float) -> None:
        """Look at what is due since the last time."""
        from ministack.core.responses import request_scope
        from ministack.services import cloudwatch, sqs

        since, self._looked = self._looked, now
        minute_is_over = minute_of(since) < minute_of(now)
        held = (cloudwatch._alarms, cloudwatch._composite_alarms, sqs._queues)
        for place in {key[:2] for each in held for key in list(each._data)}:
            with request_scope(*place):
                if minute_is_over:
                    for publish in self.publish:
                        publish(place, minute_of(now) * MINUTE - 1.0)
                    for alarm in cloudwatch._alarms.values():
                        if now // evaluation.interval(alarm) > since // evaluation.interval(alarm):
                            self._evaluate(alarm, place, now)
                self._speak_if_due(place, now)

    def _evaluate(self, alarm: dict[str, Any], place: Place, now: float) -> None:
        values: list[float | None] = []
        try:
            values = evaluation.data(alarm, self.store(place), now)
            verdict = evaluation.evaluate(alarm, values, alarm["StateValue"])
        except (MathProblem, ValueError, KeyError) as problem:
            verdict = evaluation.unreadable(problem)
        if verdict.state != alarm["StateValue"]:
            self._change(alarm, verdict, values)

    def _change(self, alarm: dict[str, Any], verdict: evaluation.Verdict, values: list[float | None]) -> None:
        from ministack.services import cloudwatch

        before, at = alarm["StateValue"], time.time()
        data = {
            "version": "1.0",
            "queryDate": datetime.fromtimestamp(at, UTC).isoformat(),
            "period": evaluation.period_of(alarm),
            "recentDatapoints": [value for value in values if value is not None],
            "threshold": alarm["Threshold"],
        }
        alarm |= {
            "StateValue": verdict.state,
            "StateReason": verdict.reason,
            "StateReasonData": json.dumps(data),
            "StateUpdatedTimestamp": at,
            "StateTransitionedTimestamp": at,
        }
        cloudwatch._record_history(alarm["AlarmName"], before, verdict.state, verdict.reason, reason_data=data)
        cloudwatch._dispatch_alarm_actions(alarm, before, verdict.state, verdict.reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    # --- suppressors ---------------------------------------------------------------------------------------

    def suppress(self, asked: Asked) -> None:
        """Note a composite alarm's suppressor as PutCompositeAlarm asks for it. Raises Refused."""
        key, name = self._key(asked["AlarmName"]), asked.get("ActionsSuppressor")
        if not name:
            self._quiet.pop(key, None)
            return
        periods = [asked.get(f"ActionsSuppressor{which}Period") for which in ("Wait", "Extension")]
        if None in periods:
            raise Refused("ValidationError", "An ActionsSuppressor needs a wait period and an extension period.")
        if self._state(name) is None:
            raise Refused("ValidationError", f"The ActionsSuppressor {name} does not exist.")
        wait, extension = (float(each or 0) for each in periods)
        with self._lock:
            known = self._quiet.get(key)
            if known is None:
                self._quiet[key] = _Quiet(name, Suppression(wait, extension))
            else:  # it is put again: what it owes stays
                known.suppressor, known.standing = name, replace(known.standing, wait=wait, extension=extension)

    def act(self, tell: Callable[..., None], alarm: dict[str, Any], *change: Any) -> None:
        """Tell an alarm's topics of its change, unless its suppressor keeps it quiet."""
        quiet = self._quiet.get(self._key(alarm["AlarmName"])) if "AlarmRule" in alarm else None
        if quiet is None:
            self._tell(tell, alarm, *change)
            return
        with self._lock:
            now = self.clock.now()
            quiet.owed = (tell, alarm, *change)
            quiet.standing = quiet.standing.changed(now, suppressed=self._state(quiet.suppressor) == "ALARM")
        self._speak_if_due(self._key(alarm["AlarmName"])[:2], now)

    def _speak_if_due(self, place: Place, now: float) -> None:
        from ministack.services import cloudwatch

        with self._lock:
            of_place = [(key, quiet) for key, quiet in self._quiet.items() if key[:2] == place]
            due = []
            for key, quiet in of_place:
                if (alarm := cloudwatch._composite_alarms._data.get(key)) is None:
                    del self._quiet[key]
                elif self._is_due(alarm, quiet, now):
                    due.append(quiet)
        for quiet in due:
            self._tell(*quiet.owed)

    def _is_due(self, alarm: dict[str, Any], quiet: _Quiet, now: float) -> bool:
        """Whether an alarm speaks now; what keeps it quiet is written where DescribeAlarms shows it."""
        suppressed = self._state(quiet.suppressor) == "ALARM"
        quiet.standing, speaks = quiet.standing.looked_at(now, suppressed=suppressed)
        if by := quiet.standing.by:
            alarm |= {"ActionsSuppressedBy": by, "ActionsSuppressedReason": f"Actions suppressed by {by}"}
        else:
            for name in ("ActionsSuppressedBy", "ActionsSuppressedReason"):
                alarm.pop(name, None)
        return speaks

    def _tell(self, tell: Callable[..., None], alarm: dict[str, Any], before: str, state: str, reason: str) -> None:
        """Take the actions of the state, and write them into the alarm's history as CloudWatch does."""
        from ministack.services import cloudwatch

        tell(alarm, before, state, reason)
        names = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
        for action in alarm.get(names[state]) or [] if alarm.get("ActionsEnabled", True) else []:
            cloudwatch._history_entries().append(
                {
                    "AlarmName": alarm["AlarmName"],
                    "AlarmType": "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm",
                    "Timestamp": cloudwatch._ts_iso(time.time()),
                    "HistoryItemType": "Action",
                    "HistorySummary": f"Successfully executed action {action}",
                    "HistoryData": json.dumps({"actionState": "Succeeded", "notificationResource": action}),
                }
            )

    def _state(self, reference: str) -> str | None:
        from ministack.services import cloudwatch

        state: str | None = cloudwatch._rule_alarm_state(reference)
        return state

    def _key(self, name: str) -> tuple[str, str, str]:
        from ministack.core.responses import get_account_id, get_region

        return get_account_id(), get_region(), name
