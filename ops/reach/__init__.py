"""How commands reach a deployed SnapRace: targets, records, queues, the search API."""
