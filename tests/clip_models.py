"""A tiny random CLIP image tower, as transformers saves it and as others publish it."""

import numpy as np
import onnx
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper

SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "image_size": 32, "patch_size": 8}


def tower(heads=2, **changes):
    """Random, with weights so large that its tokens differ from picture to picture."""
    torch.manual_seed(0)
    config = transformers.CLIPVisionConfig(**{**SHAPE, "num_attention_heads": heads, **changes})
    model = transformers.CLIPVisionModel(config).eval()
    for name, weight in model.named_parameters():
        if weight.ndim >= 2:
            torch.nn.init.normal_(weight, std=0.2 if "embedding" in name else 0.15)
        elif name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.1)
    return model


def save_clip(folder, **changes):
    tower(**changes).save_pretrained(folder)
    return folder


def save_quantised(file, model):
    """Its tensors in an ONNX file in which each matrix is 8 bits and has lost its name, as ONNX Runtime leaves it."""
    nodes, constants = [], []
    state = {
        name if name.startswith("vision_model.") else f"vision_model.{name}": one
        for name, one in model.state_dict().items()
    }
    for name, tensor in state.items():
        values = tensor.numpy()
        if values.ndim == 2 and ".layers." in name:
            number = len(nodes)
            scale = (np.abs(values).max(axis=1) / 127).astype(np.float32)
            stem = f"onnx::MatMul_{number}"
            constants.append(
                numpy_helper.from_array(np.rint(values / scale[:, None]).T.astype(np.int8), f"{stem}_quantized")
            )
            constants.append(numpy_helper.from_array(scale, f"{stem}_scale"))
            constants.append(numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{stem}_zero_point"))
            inputs = ["x", f"{stem}_quantized", "zero", f"{stem}_zero_point"]
            nodes.append(helper.make_node("MatMulInteger", inputs, [f"a{number}"]))
            nodes.append(helper.make_node("Cast", [f"a{number}"], [f"b{number}"], to=TensorProto.FLOAT))
            bias = f"{name.removesuffix('.weight')}.bias"
            nodes.append(helper.make_node("Add", [f"b{number}", bias], [f"c{number}"]))
        else:
            constants.append(numpy_helper.from_array(values.astype(np.float32), name))
    seen = helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", "T", "D"])
    found = helper.make_tensor_value_info("c0", TensorProto.FLOAT, None)
    onnx.save(helper.make_model(helper.make_graph(nodes, "tower", [seen], [found], constants)), file)
