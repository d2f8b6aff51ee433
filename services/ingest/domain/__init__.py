"""The rules of the ingest stage: pure, so that any order of events can be tried in a moment."""
