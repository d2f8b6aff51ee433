"""From SFace with its weights in 8 bits, as it is published, to the same network with them in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def folded(file: Path, views: int) -> bytes:
    """The model with float32 weights that takes `views` pictures at once, as the content of an ONNX file (39 MB).

    In the file DequantizeLinear nodes make weights of bytes. That is done here once, instead of for each picture, and
    runtimes can read the model that have no DequantizeLinear by blocks.
    """
    model = onnx.load(file)
    graph = model.graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            constants[node.output[0]] = _dequantized(node, *(constants[name] for name in node.input))
        elif node.op_type == "Reshape" and node.input[0] in constants:
            weights, shape = (constants[name] for name in node.input)
            constants[node.output[0]] = weights.reshape(shape)
        else:
            nodes.append(node)
    needed = {name for node in nodes for name in node.input}
    kept = [numpy_helper.from_array(array, name) for name, array in constants.items() if name in needed]
    # The file calls weights inputs, too; some by names that no node takes.
    pictures = [each for each in graph.input if each.name in needed and each.name not in constants]
    for end in (*pictures, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = views
    made = onnx.helper.make_graph(nodes, graph.name, pictures, graph.output, kept)
    content: bytes = onnx.helper.make_model(
        made, opset_imports=model.opset_import, ir_version=model.ir_version
    ).SerializeToString()
    return content


def _dequantized(node: Any, weights: NDArray[Any], scales: NDArray[Any], zeros: NDArray[Any]) -> NDArray[np.float32]:
    """Each weight less its zero point, times its scale; these two are for a block of weights along an axis.

    See https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html.
    """
    settings = {each.name: each.i for each in node.attribute}
    axis, block = settings["axis"], settings["block_size"]
    every = range(weights.shape[axis])
    scale, zero = (np.repeat(each.astype(np.float32), block, axis).take(every, axis) for each in (scales, zeros))
    return np.asarray((weights.astype(np.float32) - zero) * scale, dtype=np.float32)
