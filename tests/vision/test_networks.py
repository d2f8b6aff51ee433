"""The network that tells faces apart, on each hardware that there is here, against the model as it is published."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from tests.vision.drawing import heads
from vision.engine import networks
from vision.engine.embedding import CHIP, Embedder
from vision.engine.face_models import embedder_file
from vision.engine.folding import folded
from vision.engine.hardware import HARDWARE, Hardware, hardware_named, offered
from vision.engine.networks import VIEWS, Network, OnONNXRuntime, load_embedder
from vision.engine.pictures import Pixels

HERE: list[Hardware] = [hardware for hardware in HARDWARE if offered(hardware)]


@pytest.fixture(scope="module")
def chips() -> list[Pixels]:
    """Drawn faces, fine and coarse, light and dark."""
    faces = [np.asarray(heads(number).resize((CHIP, CHIP)), dtype=np.uint8) for number in range(4)]
    return [*faces, faces[0] // 4, cv2.resize(cv2.resize(faces[1], (20, 20)), (CHIP, CHIP))]


@pytest.fixture(scope="module")
def published(chips: list[Pixels]) -> list[bytes]:
    """The chips' vectors by the model file as it is, each weight made of its byte anew for each view."""
    network = cv2.dnn.readNetFromONNX(str(embedder_file()), cv2.dnn.ENGINE_CLASSIC)

    def one_by_one(views: Any) -> Any:
        embeddings = []
        for view in views:
            network.setInput(view[np.newaxis])
            embeddings.append(network.forward()[0].copy())
        return np.array(embeddings)

    embedder = Embedder(one_by_one)
    return [embedder.embed(chip).vector for chip in chips]


def furthest(network: Network, chips: list[Pixels], wanted: list[bytes]) -> float:
    """The largest difference of any of the vectors' numbers."""
    embedder = Embedder(network)
    vectors = [embedder.embed(chip).vector for chip in chips]
    return float(np.abs(np.frombuffer(b"".join(vectors), "<f4") - np.frombuffer(b"".join(wanted), "<f4")).max())


@pytest.mark.parametrize("hardware", HERE)
def test_vectors_are_those_of_the_published_model(
    hardware: Hardware, chips: list[Pixels], published: list[bytes]
) -> None:
    ran, network = load_embedder(hardware)
    assert ran == hardware
    assert furthest(network, chips, published) < 1e-6


def test_vectors_of_what_runs_a_gpu_are_those_of_the_published_model(
    chips: list[Pixels], published: list[bytes]
) -> None:
    network = OnONNXRuntime(folded(embedder_file(), VIEWS), "CPUExecutionProvider")
    assert furthest(network, chips, published) < 1e-6


def test_a_gpu_that_is_not_there_is_an_error_and_not_the_processor() -> None:
    with pytest.raises(RuntimeError, match="onnxruntime cannot use CUDAExecutionProvider"):
        OnONNXRuntime(folded(embedder_file(), VIEWS))


def test_the_first_that_works_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(model: bytes) -> Network:
        raise RuntimeError("the processor is too old")

    assert load_embedder()[0] == HERE[0]
    for hardware in HERE[:-1]:
        monkeypatch.setitem(networks._NETWORKS, hardware, broken)
    assert load_embedder()[0] == "opencv"
    said = capsys.readouterr().err
    assert all(f"cannot use {hardware} (the processor is too old)" in said for hardware in HERE[:-1])
    monkeypatch.setitem(networks._NETWORKS, "opencv", broken)
    with pytest.raises(RuntimeError, match="too old"):
        load_embedder("opencv")


def test_hardware_has_a_name() -> None:
    assert [hardware_named(name) for name in HARDWARE] == list(HARDWARE)
    with pytest.raises(ValueError, match="'gpu' is none of cuda, openvino, opencv"):
        hardware_named("gpu")
