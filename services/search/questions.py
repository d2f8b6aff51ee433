"""What the search API takes, answers and refuses: one method of SearchApi for each route."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from shared.contracts.api import Questions, route


class Anything(msgspec.Struct):
    """To be declared."""


class SearchApi(Questions):
    """Finds a runner's photos by bib, by selfie and by time."""

    @route("GET", "/", who="anybody")
    @abstractmethod
    def page(self, asked: Anything) -> Anything:
        """The runner's page."""

    @route("GET", "/page/{file}", who="anybody")
    @abstractmethod
    def page_file(self, asked: Anything) -> Anything:
        """What the page loads."""

    @route("GET", "/races/{organizer_id}/{event_id}", who="anybody")
    @abstractmethod
    def race(self, asked: Anything) -> Anything:
        """A race."""

    @route("GET", "/races/{organizer_id}/{event_id}/photos", who="anybody")
    @abstractmethod
    def photos(self, asked: Anything) -> Anything:
        """Photos of a race."""

    @route("GET", "/races/{organizer_id}/{event_id}/photos/{photo_id}", who="anybody")
    @abstractmethod
    def photo(self, asked: Anything) -> Anything:
        """One photo."""

    @route("POST", "/selfie", who="anybody")
    @abstractmethod
    def selfie(self, asked: Anything) -> Anything:
        """The photos of a face."""
