"""Why a deployment ended."""

from __future__ import annotations

from shared.contracts.errors import SnapRaceError


class DeploymentFailed(SnapRaceError):
    """A stack could not be deployed, or what stands is not what its template asked for."""
