"""What looks at pictures: text and faces, in worker processes behind a bounded queue.

The front imports only `interface`, `messages` and `pool`; the models are loaded in the workers.
"""

import os

# onnxruntime's own builds tell Microsoft of their use, unless told before they are loaded that they must not.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
