"""What a function tells about its work: JSON logs with the correlation id, and metrics once an invocation.

Metrics are written with aws-embedded-metrics. API functions only log, since API Gateway measures them and the metrics
library costs 130 ms of cold start, unless they measured something that took longer anyway, as the search for a face.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from aws_lambda_powertools import Logger

from shared.contracts.events import Meta
from shared.contracts.metrics import (
    DEPENDENCY_CALLS,
    DEPENDENCY_FAILURES,
    FAILED,
    HANDLED,
    NAMESPACE,
    THROTTLED,
    Dependency,
    Measure,
    dimensions,
)
from shared.kit import aws


class Telemetry:
    """The logs and metrics of one function of an environment, which measures what its card says. Make it once."""

    def __init__(self, env: str, stage: str, function: str, measures: Sequence[Measure] = ()) -> None:
        self.logger = Logger(service=f"{stage}.{function}")
        self._env = env
        self._dimensions = dimensions(env, stage, function)
        self._measures = frozenset(measures)
        self._measured: dict[str | None, list[tuple[Measure, float]]] = defaultdict(list)
        self._handled = 0
        self._failed = self._throttled = 0

    @contextmanager
    def message(self, message_id: str, receive_count: int) -> Iterator[None]:
        """Log around one message; a failure is logged here, once, and raised on."""
        self.logger.append_keys(message_id=message_id, receive_count=receive_count)
        try:
            yield
            self._handled += 1
        except Exception as error:
            self.logger.exception("message failed", reason=type(error).__name__)
            raise
        finally:
            self.logger.remove_keys(["message_id", "receive_count", "correlation_id", "causation_id"])

    def correlate(self, meta: Meta) -> None:
        """Name the upload or request that a message began with: what is logged about the message carries its id."""
        self.logger.append_keys(correlation_id=meta.correlation_id, causation_id=meta.causation_id)

    def take_apart(self, error: Exception) -> None:
        """Say that the messages of this invocation were not handled together, and why; none counts as handled yet."""
        self._handled = 0
        self.logger.warning("batch taken apart", reason=type(error).__name__, error=str(error))

    def count(self, *, handled: int = 0, failed: int = 0, throttled: int = 0) -> None:
        """Remember how many messages of this invocation are done, failed, or go back for too many calls."""
        self._handled += handled
        self._failed += failed
        self._throttled += throttled

    def measure(self, measure: Measure, value: float = 1, part: str | None = None) -> None:
        """Remember a measurement of this invocation; `part` is the value of the measure's own dimension, if it has one.

        Raises ValueError for a measure that the card does not name: no dashboard would show it.
        """
        if measure not in self._measures or (measure.by is None) != (part is None):
            raise ValueError(f"The card does not say that {measure.name} is measured, or not so.")
        self._measured[part].append((measure, value))

    @contextmanager
    def invocation(self, context: Any, *, handled: int = 0) -> Iterator[None]:
        """Around a batch: afterwards one line of its metrics, with the AWS calls made as its property `api_calls`.

        `handled` messages are counted beforehand, where they are not handled one by one. What was measured besides has
        lines of its own.
        """
        self._begin(handled=handled)
        try:
            yield
        finally:
            counted = {HANDLED: self._handled, FAILED: self._failed, THROTTLED: self._throttled}
            properties = {"request_id": context.aws_request_id, "api_calls": dict(aws.calls)}
            values = [(Measure(name), float(value)) for name, value in counted.items()]
            _write(values, [self._dimensions], properties)
            self._write_measured()

    @contextmanager
    def request(self, route: str) -> Iterator[None]:
        """Around an API request: afterwards one log line with the AWS calls made, and what was measured."""
        self._begin()
        try:
            yield
        finally:
            self.logger.info("request answered", route=route, api_calls=dict(aws.calls))
            self._write_measured()

    def _begin(self, *, handled: int = 0) -> None:
        aws.clear_counters()
        self._measured.clear()
        self._handled, self._failed, self._throttled = handled, 0, 0

    def _write_measured(self) -> None:
        for service in get_args(Dependency):
            if calls := sum(count for call, count in aws.calls.items() if call.startswith(f"{service}.")):
                failed = aws.failures[service]
                self._measured[service] += [(DEPENDENCY_CALLS, calls), (DEPENDENCY_FAILURES, failed)]
        for part, values in self._measured.items():
            measure = values[0][0]
            of_all = [measure.dimensions(self._env)]
            _write(values, of_all if part is None else [*of_all, measure.dimensions(self._env, part)])
        self._measured.clear()


def _write(
    values: Sequence[tuple[Measure, float]],
    of: Sequence[Mapping[str, str]],
    properties: Mapping[str, Any] | None = None,
) -> None:
    """Write one line of metrics, each with all these sets of dimensions."""
    # Imported here because only who writes metrics pays for it.
    from aws_embedded_metrics.config import get_config
    from aws_embedded_metrics.logger.metrics_logger_factory import create_metrics_logger

    get_config().environment = "lambda"  # the library would otherwise ask the network where it runs
    metrics = create_metrics_logger()
    metrics.set_namespace(NAMESPACE)
    metrics.set_dimensions(*map(dict, of))
    for name, value in (properties or {}).items():
        metrics.set_property(name, value)
    for measure, number in values:
        metrics.put_metric(measure.name, number, measure.unit)
    metrics.flush_sync()
