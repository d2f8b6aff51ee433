"""One worker process: takes jobs from standard input, answers on standard output, one at a time.

It ends when its input ends, so it never outlives the front, however that died.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import BinaryIO

from vision.engine import pictures
from vision.engine.faces import FaceFinder
from vision.engine.hardware import Hardware, hardware_named
from vision.engine.messages import Faces, Failed, FindFaces, Job, Message, ReadText, Ready, Text, frame, next_job
from vision.engine.text import TextReader
from vision.errors import InternalServerError, ServiceError

WARMING_SIZE = (1280, 1024)
"""Width and height in pixels: as large a part of a photo as is looked at, so that most of the memory that a worker ever
takes is taken before it says Ready.
"""


def main() -> None:
    """Load the models, say Ready, then answer jobs until the front is gone.

    The embedder runs on what the first argument names, or on the fastest that there is.
    """
    answers = _private_output()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    # A thread of its own reads, so that the end of the input is seen while the models are at work.
    threading.Thread(target=_receive, args=(sys.stdin.buffer, jobs), daemon=True).start()
    models = Models(*map(hardware_named, sys.argv[1:2]))
    _send(answers, Ready(embedder=models.embedder))
    while True:
        _send(answers, models.answer(jobs.get()))


class Models:
    """Text and faces in one process, warmed."""

    def __init__(self, embedder: Hardware | None = None) -> None:
        self._text = TextReader()
        self._faces = FaceFinder(embedder)
        self.embedder = self._faces.hardware
        blank = pictures.blank(*WARMING_SIZE)
        self._text.warm(blank)
        self._faces.find(blank, "NONE", 1)

    def answer(self, job: Job) -> Message:
        """What the picture shows, or why it cannot be said. Never raises."""
        try:
            pixels = pictures.decode(job.picture)
            nothing = pictures.shows_nothing(pixels)
            match job:
                case ReadText():
                    return Text(lines=[] if nothing else self._text.read(pixels))
                case FindFaces(quality=quality, embed=embed):
                    return Faces(faces=[] if nothing else self._faces.find(pixels, quality, embed))
        except ServiceError as error:
            return Failed(code=error.code, message=str(error))
        except Exception as error:  # noqa: BLE001 - one picture must not end the worker
            print(f"vision worker: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
            return Failed(code=InternalServerError.__name__, message="The engine failed on this image.")


def _private_output() -> BinaryIO:
    """Standard output for us alone: what a library prints goes to standard error instead."""
    ours = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return ours


def _receive(pipe: BinaryIO, jobs: queue.SimpleQueue[Job]) -> None:
    while (job := next_job(pipe)) is not None:
        jobs.put(job)
    os._exit(0)


def _send(pipe: BinaryIO, message: Message) -> None:
    try:
        pipe.write(frame(message))
        pipe.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
