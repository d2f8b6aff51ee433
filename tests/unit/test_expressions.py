"""The embedded AWS reads each of DynamoDB's expressions once."""

import pytest

from local.aws import expressions


def test_a_condition_is_read_once_for_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import dynamodb

    read: list[str] = []
    tokens_of = dynamodb._tokenize

    def reading(expression: str) -> list[tuple[str, str]]:
        read.append(expression)
        return tokens_of(expression)  # type: ignore[no-any-return]

    monkeypatch.setattr(dynamodb, "_tokenize", reading)
    monkeypatch.setattr(dynamodb, "_condition_syntax_error", dynamodb._condition_syntax_error)  # put back afterwards
    expressions.read_each_once()

    def holds(condition: str, number: int) -> bool:
        return bool(dynamodb._evaluate_condition(condition, {"A": {"N": str(number)}}, {":a": {"N": "1"}}, {}))

    assert [[holds(f"A {sign} :a", number) for number in range(3)] for sign in ("=", ">")] == [
        [False, True, False],
        [False, False, True],
    ]
    assert read == ["A = :a", "A > :a"]
    for _ in range(2):
        with pytest.raises(ValueError, match="Syntax error"):
            holds("A = = :a", 1)
