"""A server that speaks Amazon Rekognition's protocol, with real text and real faces, on one machine.

front/        what is on the wire and who may ask how often: HTTP, protocol, signatures, quotas, and the operations
collections/  what is kept: collections and their faces, in SQLite and in memory
engine/       what looks at pictures: text and faces, in worker processes behind a bounded queue; `interface` is where
              an engine for other hardware is put in
errors        what the client is told when it cannot be done, by whichever of them

Each imports those below it. `python -m vision` starts the server. It is a product of its own and imports nothing else
of this repository.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is loaded; the other cores are the workers'
