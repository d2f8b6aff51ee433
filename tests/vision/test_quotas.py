"""Rates of operations: the bucket alone, without time; then a real server and real clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.running import Server
from vision.front.quotas import REGIONS, Bucket, Quotas

WAITS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 100)), max_size=60)
RATES = st.floats(0.01, 200)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(rate=RATES, waits=WAITS)
def test_no_stretch_of_time_admits_more_than_its_rate_and_one_burst(rate: float, waits: list[float]) -> None:
    clock = Clock()
    bucket = Bucket(rate, clock)
    admitted: list[float] = []
    for wait in waits:
        clock.now += wait
        if bucket.admits():
            admitted.append(clock.now)
    for first, begin in enumerate(admitted):
        for last, end in enumerate(admitted[first:], start=first):
            assert last - first + 1 <= rate * (end - begin) + bucket.burst + 1e-6


@given(rate=RATES, calls=st.integers(1, 50))
def test_who_keeps_to_the_rate_is_always_admitted(rate: float, calls: int) -> None:
    clock = Clock()
    bucket = Bucket(rate, clock)
    for _ in range(calls):
        assert bucket.admits()
        clock.now += 1.000001 / rate


@given(rate=RATES)
def test_a_burst_is_one_second_s_worth_and_at_least_one_call(rate: float) -> None:
    bucket = Bucket(rate, Clock())
    assert sum(bucket.admits() for _ in range(300)) == max(int(rate), 1)


def test_operations_have_rates_of_their_own_or_none() -> None:
    quotas = Quotas({"DetectText": 1, "IndexFaces": 1}, Clock())
    quotas.admit("DetectText")
    quotas.admit("IndexFaces")
    for _ in range(100):
        quotas.admit("ListFaces")
    with pytest.raises(Exception, match="DetectText may be called 1 times a second"):
        quotas.admit("DetectText")


def test_regions_are_as_aws_has_them_by_default() -> None:
    asked = ("DetectText", "IndexFaces", "SearchFaces", "SearchFacesByImage")
    assert {region: {rates[name] for name in asked} for region, rates in REGIONS.items()} == {
        "us-east-1": {50},
        "us-west-2": {50},
        "eu-west-1": {50},
        "ap-northeast-2": {5},
    }


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--quotas", "ap-northeast-2", "--rate", "ListCollections=8", "--rate", "DescribeCollection=0.001")
    running = Server(tmp_path_factory.mktemp("limited"), "--workers", "1", *options, ready=False)
    yield running
    running.process.kill()
    running.process.wait()


def test_a_rate_holds_for_its_operation_alone(limited: Server) -> None:
    client = limited.client()
    for expected in ("ResourceNotFoundException", "ProvisionedThroughputExceededException"):
        with pytest.raises(client.exceptions.ClientError) as refused:
            client.describe_collection(CollectionId="none")
        assert refused.value.response["Error"]["Code"] == expected
    assert refused.value.response["Error"]["Message"].startswith("Provisioned rate exceeded")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_faces(CollectionId="none")


def test_a_region_s_quota_is_a_burst_of_one_second(limited: Server) -> None:
    client = limited.client()
    codes = []
    for _ in range(12):
        with pytest.raises(client.exceptions.ClientError) as refused:
            client.search_faces(CollectionId="none", FaceId="00000000-0000-4000-8000-000000000000")
        codes.append(refused.value.response["Error"]["Code"])
    assert codes[:5] == ["ResourceNotFoundException"] * 5
    assert "ProvisionedThroughputExceededException" in codes[5:]


@pytest.mark.parametrize("mode", ["standard", "adaptive", "legacy"])
def test_a_client_that_retries_gets_all_its_answers(limited: Server, mode: str) -> None:
    client = limited.client(retries={"mode": mode, "total_max_attempts": 20})
    answers: list[Any] = [client.list_collections() for _ in range(12)]
    assert all(answer["CollectionIds"] == [] for answer in answers)
    assert any(answer["ResponseMetadata"]["RetryAttempts"] > 0 for answer in answers)
