"""The generated documents are what contracts, cards and their public faces say."""

from __future__ import annotations

import pytest

from catalogue import __main__ as catalogue
from catalogue.examples import EXAMPLES
from services import cards
from shared.contracts.events import EVENTS


def test_the_documents_are_as_they_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    status = catalogue.main(["--check"])
    assert (status, capsys.readouterr().out) == (0, "")


def test_a_stale_document_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    page = catalogue.ROOT / "docs" / "events.md"
    text = page.read_text("utf-8")
    monkeypatch.setattr(catalogue, "pages", lambda: {page: text + "x"})
    assert catalogue.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/events.md is stale. Run: python -m catalogue\n"
    assert page.read_text("utf-8") == text


def test_every_event_is_on_its_page_with_an_example() -> None:
    text = catalogue.pages()[catalogue.ROOT / "docs" / "events.md"]
    assert [event.__name__ for event in EVENTS if f"## {event.__name__}\n" not in text] == []
    assert {type(example) for example in EXAMPLES} == set(EVENTS)


def test_all_that_is_kept_is_on_its_page() -> None:
    text = catalogue.pages()[catalogue.ROOT / "docs" / "records.md"]
    kept = [f"### {card.name}: {record.__name__}\n" for card in cards() for record in card.keeps]
    assert [head for head in kept if head not in text] == []
