"""The dashboard for the business: what photos and selfies came to."""

from __future__ import annotations

import re

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.metrics import metric
from dashboards.widgets import FULL, HALF, THIRD, Board, graph, number, title
from shared.contracts.metrics import (
    INFERENCES,
    LATE,
    PROMISED_S,
    READINGS,
    REJECTED,
    SEARCHABLE,
    SECONDS_TO_SEARCHABLE,
    SELFIES_FOUND,
    SELFIES_NOT_FOUND,
    UPLOADED,
    Measure,
)
from shared.contracts.reasons import REASONS


def _in_words(name: str) -> str:
    """What people call a metric: "PhotosUploaded" → "photos uploaded"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def board(env: str) -> Board:
    """It."""

    def count(measure: Measure, part: str | None = None) -> cloudwatch.IMetric:
        made = metric("ours", measure.name, "Sum", measure.dimensions(env, part))
        return made.with_(label=part or _in_words(measure.name))

    reasons = [reason for reason, explained in REASONS.items() if explained.stage == "ingest"]
    took = [
        metric("ours", SECONDS_TO_SEARCHABLE.name, statistic, SECONDS_TO_SEARCHABLE.dimensions(env)).with_(
            label=statistic
        )
        for statistic in ("p50", "p95", "p99")
    ]
    totals = (UPLOADED, SEARCHABLE, REJECTED, READINGS, INFERENCES, SELFIES_FOUND, SELFIES_NOT_FOUND)
    return Board(
        "business",
        [
            title("## Photos and selfies\nOf all races together. Visitors are on each race's live page."),
            [number("In the time that is shown", [count(each) for each in totals], width=FULL)],
            [
                graph("Photos", [count(each) for each in (UPLOADED, SEARCHABLE, REJECTED)], width=HALF),
                graph("Seconds until a photo can be found", took, limit=(PROMISED_S, "promised"), width=HALF),
            ],
            [
                graph("Rejected, by reason", [count(REJECTED, reason) for reason in reasons], width=HALF),
                graph("Photos that took longer than promised", [count(LATE)], width=HALF),
            ],
            [
                graph("Bibs read", [count(READINGS)], width=THIRD),
                graph("Runners found without a bib", [count(INFERENCES)], width=THIRD),
                graph("Selfies", [count(SELFIES_FOUND), count(SELFIES_NOT_FOUND)], width=THIRD),
            ],
        ],
    )
