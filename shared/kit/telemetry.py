"""What a function tells about its work: JSON logs with the correlation id, and one metrics line an invocation.

Queue functions write metrics with aws-embedded-metrics; API functions only log (API Gateway measures them, and
the metrics library costs 130 ms of cold start).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger

from shared.contracts.events import Meta
from shared.contracts.metrics import FAILED, HANDLED, NAMESPACE, THROTTLED, dimensions
from shared.kit import aws


class Telemetry:
    """The logs and metrics of one function of an environment. Make it once and keep it."""

    def __init__(self, env: str, stage: str, function: str) -> None:
        self.logger = Logger(service=f"{stage}.{function}")
        self._dimensions = dimensions(env, stage, function)
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

    @contextmanager
    def invocation(self, context: Any, *, handled: int = 0) -> Iterator[None]:
        """Around a batch: afterwards one metrics line, with the AWS calls made as its property `api_calls`.

        `handled` messages are counted beforehand, where they are not handled one by one.
        """
        # Imported here because only queue functions pay for it.
        from aws_embedded_metrics.config import get_config
        from aws_embedded_metrics.logger.metrics_logger_factory import create_metrics_logger

        get_config().environment = "lambda"  # the library would otherwise ask the network where it runs
        aws.calls.clear()
        self._handled, self._failed, self._throttled = handled, 0, 0
        try:
            yield
        finally:
            metrics = create_metrics_logger()
            metrics.set_namespace(NAMESPACE)
            metrics.set_dimensions(self._dimensions)
            metrics.set_property("request_id", context.aws_request_id)
            metrics.set_property("api_calls", dict(aws.calls))
            metrics.put_metric(HANDLED, self._handled, "Count")
            metrics.put_metric(FAILED, self._failed, "Count")
            metrics.put_metric(THROTTLED, self._throttled, "Count")
            metrics.flush_sync()

    @contextmanager
    def request(self, route: str) -> Iterator[None]:
        """Around an API request: afterwards one log line with the AWS calls made."""
        aws.calls.clear()
        try:
            yield
        finally:
            self.logger.info("request answered", route=route, api_calls=dict(aws.calls))
