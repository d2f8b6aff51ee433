"""Changes how ministack runs Lambda functions: their batches, number of workers, layers, last log lines, and end."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import zipfile
from pathlib import Path
from typing import Any


def honour_batching_windows() -> None:
    """Give out a batch only when it is full or its mapping's window has passed, and of more than ten if asked for."""
    from ministack.services import lambda_svc, sqs

    receive = sqs._receive_messages_for_esm

    def receive_when_due(queue_url: str, most: int) -> list[Any]:
        queue = sqs._queues[queue_url]
        arn = queue["attributes"]["QueueArn"]
        mappings = [mapping for _account, _region, mapping in lambda_svc._iter_all_esms()]
        window = max(
            mapping.get("MaximumBatchingWindowInSeconds", 0)
            for mapping in mappings
            if mapping.get("EventSourceArn") == arn
        )
        now = time.time()
        visible_since = [since for message in list(queue["messages"]) if (since := message.get("visible_at", 0)) <= now]
        if len(visible_since) < most and min(visible_since, default=now) + window > now:
            return []
        batch: list[Any] = []
        while len(batch) < most and (more := receive(queue_url, most - len(batch))):
            batch += more
        return batch

    sqs._receive_messages_for_esm = receive_when_due


def bound_workers(most: int) -> None:
    """Work on at most `most` batches of a function at once: a worker is a process, and this is one machine."""
    from ministack.services import lambda_svc

    asked = lambda_svc._sqs_esm_concurrency

    def bounded(*arguments: Any) -> int:
        return min(int(asked(*arguments)), most)

    lambda_svc._sqs_esm_concurrency = bounded


def reserve_for_all_versions() -> None:
    """Let a function's reserved concurrency hold for invocations of its versions, which ministack records apart."""
    from ministack.services import lambda_svc

    reserved = lambda_svc._reserved_concurrency

    def reserved_of_function(record: Any, config: dict[str, Any]) -> Any:
        return reserved(lambda_svc._functions.get(config.get("FunctionName")) or record, config)

    lambda_svc._reserved_concurrency = reserved_of_function


def unpack_each_layer_once(folder: Path) -> None:
    """Let all workers read a layer from one copy in `folder`, as all functions on AWS read it from /opt.

    The emulator unpacks it for each worker, and deletes it at the end: thousands of files each time. In one copy its
    modules are also compiled once.
    """
    from ministack.core.lambda_runtime import Worker
    from ministack.services import lambda_svc

    spawn, one_at_a_time = Worker._spawn, threading.Lock()

    def unpacked(layer: Any) -> str:
        content = lambda_svc._resolve_layer_zip(layer)
        place = folder / hashlib.sha256(content).hexdigest()
        with one_at_a_time:
            if not place.exists():
                zipfile.ZipFile(io.BytesIO(content)).extractall(place)
        return str(place)

    def spawn_with_shared_layers(worker: Any) -> None:
        config = worker.config
        if layers := config.get("Layers"):
            variables = config.get("Environment", {}).get("Variables", {})
            # By this variable the emulator tells a worker's script where its layers are.
            shared = {"_LAMBDA_LAYERS_DIRS": os.pathsep.join(map(unpacked, layers))}
            worker.config = {**config, "Layers": [], "Environment": {"Variables": {**variables, **shared}}}
        spawn(worker)

    Worker._spawn = spawn_with_shared_layers


def wait_for_late_logs() -> None:
    """Give an invocation's log line longer to come through the pipe than the emulator does (50 ms).

    On a busy machine a late line would go to the worker's next invocation, and be lost after its last. A function
    that logged is not waited for; ours all log.
    """
    from ministack.core.lambda_runtime import Worker

    drain = Worker._drain_stderr_bounded

    def patient(worker: Any, first_line_wait: float = 0.25, idle_confirm: float = 0.005, hard_cap: float = 0.5) -> str:
        return str(drain(worker, first_line_wait, idle_confirm, hard_cap))

    Worker._drain_stderr_bounded = patient


def end_workers() -> None:
    """End the Lambda workers, and begin no more."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    lambda_svc._poll_sqs = lambda: False
    lambda_runtime.reset()
