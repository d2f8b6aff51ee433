"""Which vector instructions a measurement uses: those of this processor, or of one without AVX-512.

numkong is told by `restrict` in the process that measures; OpenBLAS and numpy by their environment, before it starts.
"""

from __future__ import annotations

import numkong
import numpy as np

AVX2, AVX_512 = "AVX2", "AVX-512"
_AVX2_OF_NUMKONG = {"serial", "haswell"}


def available() -> list[str]:
    """The names of what can be measured here; one that is no such name stands for a processor that has neither."""
    has = numkong.get_capabilities()
    names = [name for name, capability in ((AVX_512, "skylake"), (AVX2, "haswell")) if has.get(capability)]
    return names or ["as it is"]


def environment(name: str) -> dict[str, str]:
    """The variables with which a process must start to use no more than these instructions."""
    if name != AVX2:
        return {}
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    beyond = [feature for feature in found if "512" in feature or feature == "X86_V4"]
    return {"OPENBLAS_CORETYPE": "Haswell", **({"NPY_DISABLE_CPU_FEATURES": ",".join(beyond)} if beyond else {})}


def restrict(name: str) -> None:
    """Keep this process's numkong from using more than these instructions."""
    if name == AVX2:
        for capability, there in dict(numkong.get_capabilities()).items():
            if there and capability not in _AVX2_OF_NUMKONG:
                numkong.disable_capability(capability)
