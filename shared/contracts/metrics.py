"""What our own metrics are called, for the functions that write them and the dashboards and alarms that read them.

Each has the dimension Environment: two environments in one account share a namespace.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

NAMESPACE = "SnapRace"

# --- of each function that messages are brought to ----------------------------------------------------------

HANDLED = "MessagesHandled"
FAILED = "MessagesFailed"
THROTTLED = "MessagesThrottled"


def dimensions(env: str, stage: str, function: str) -> dict[str, str]:
    """Which function of which environment a metric is of."""
    return {**of_environment(env), "Stage": stage, "Function": function}


def of_environment(env: str) -> dict[str, str]:
    """The dimension of what an environment has once."""
    return {"Environment": env}


# --- what functions measure because their cards say so ------------------------------------------------------


class Measure(NamedTuple):
    """A metric of an environment; `by` is a further dimension, whose values are given with each measurement.

    Where there is one, the metric is also written without it, so that its total need not be added up.
    """

    name: str
    unit: Literal["Count", "Seconds"] = "Count"
    by: str | None = None

    def dimensions(self, env: str, value: str | None = None) -> dict[str, str]:
        """Those of all of it, or of the part that has this `value`. Raises ValueError where it has no parts."""
        if value is None:
            return of_environment(env)
        if self.by is None:
            raise ValueError(f"{self.name} is not told apart by anything.")
        return {**of_environment(env), self.by: value}


UPLOADED = Measure("PhotosUploaded")
"""Uploads that were taken in or rejected, each once."""
REJECTED = Measure("PhotosRejected", by="Reason")
READINGS = Measure("Readings")
"""Bibs that were read in a photo for the first time."""
INFERENCES = Measure("Inferences")
"""Runners who were found in a photo without a reading of their bib there."""
SEARCHABLE = Measure("PhotosSearchable")
"""Photos that runners could find for the first time."""
LATE = Measure("PhotosLate")
"""Those of them that took longer than PROMISED_S."""
SECONDS_TO_SEARCHABLE = Measure("SecondsToSearchable", unit="Seconds")
SELFIES_FOUND = Measure("SelfiesFound")
SELFIES_NOT_FOUND = Measure("SelfiesNotFound")
OVERDUE = Measure("PhotosOverdue")
"""Uploads older than OVERDUE_S that neither can be found nor were rejected; told each minute."""

PROMISED_S = 120
"""So soon a photo can be found after its upload: REQUIREMENTS says within minutes; the SLO says 95% within two."""
OVERDUE_S = 900
"""After so long an upload that is neither searchable nor rejected counts as lost, until it is found."""

# --- services that we may run ourselves, so that AWS does not measure them ----------------------------------

Dependency = Literal["rekognition"]
DEPENDENCY_CALLS = Measure("DependencyCalls", by="Dependency")
DEPENDENCY_FAILURES = Measure("DependencyFailures", by="Dependency")
"""Requests without an answer, or with one of status 500 and above. What is throttled or refused is an answer."""

# --- told by whoever deploys --------------------------------------------------------------------------------

DEPLOYING = Measure("Deploying")
"""1 for each minute that whoever deploys says it may take: pages wait for it to end."""
