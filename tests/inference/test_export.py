"""What is stored of networks of every kind: names, types, exact weights, tolerances.

Mutation tried: bf16 promised to all kinds.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from safetensors.torch import load_file
from small_cards import CONFIGS, SMALL, torch_network

from upreel.errors import WeightsError
from upreel.zoo import ModelCard, load_card

SmallCards = Callable[[str], ModelCard]


@pytest.mark.parametrize("name", [name for name in SMALL if name in CONFIGS])
def test_the_input_is_named_and_sized_as_the_layout_says(
    name: str, small_cards: SmallCards
) -> None:
    card, config = small_cards(name), CONFIGS[name]

    (entry,) = onnx.load_from_string(card.verified_onnx()).graph.input

    batch, channels, *sizes = entry.type.tensor_type.shape.dim
    assert entry.name == config.layout
    assert channels.dim_value == (6 if config.layout == "packed" else 1) * len(config.offsets)
    assert all(free.dim_param and not free.dim_value for free in (batch, *sizes))
    assert card.network == config == load_card(str(card.folder / f"{name}.json")).network


@pytest.mark.parametrize("name", [name for name in SMALL if name in CONFIGS])
def test_only_the_fast_kind_is_offered_in_bf16(name: str, small_cards: SmallCards) -> None:
    tolerance = dict(small_cards(name).tolerance)

    assert tolerance == ({"f32": 1, "bf16": 3} if name.startswith("fast") else {"f32": 1})


@pytest.mark.parametrize("name", [name for name in SMALL if name in CONFIGS])
def test_stored_weights_are_the_networks_own(name: str, small_cards: SmallCards) -> None:
    card = small_cards(name)
    model = onnx.load_from_string(card.verified_onnx())
    stored = {
        t.name.removesuffix(".f16"): (t.data_type, numpy_helper.to_array(t))
        for t in model.graph.initializer
    }
    halves = [key for key, (kind, _) in stored.items() if kind == TensorProto.FLOAT16]
    own = dict(torch_network(card).state_dict())
    own |= dict(torch_network(card).named_buffers())  # the fixed ones, too

    assert halves
    compared = 0
    for key, (_, values) in stored.items():
        if key in own:
            np.testing.assert_array_equal(values.astype(np.float32), own[key].numpy())
            compared += 1
    fixed = [key for key in halves if key not in own]  # numbers in the code, such as kernels
    assert all(stored[key][1].size <= 9 * 16**2 for key in fixed)  # enlarging motion 16 times
    assert compared >= len(halves) - len(fixed) > 0
    for node in model.graph.node:
        if node.op_type == "Conv" and node.name in ("head", "interpolation"):
            assert node.input[1].rpartition(".")[0] == node.name
            assert node.input[1] not in halves


def test_running_means_are_kept_as_they_are(small_cards: SmallCards) -> None:
    card = small_cards("encoder-decoder")

    stored = load_file(card.folder / "encoder-decoder.safetensors")

    kinds = {str(v.dtype) for k, v in stored.items() if "running" in k}
    assert kinds == {"torch.float32"}
    assert {str(v.dtype) for k, v in stored.items() if "num_batches" in k} == {"torch.int64"}
    assert {str(v.dtype) for k, v in stored.items() if k.endswith("weight")} == {"torch.float16"}


def test_a_recurrent_network_is_a_file_for_each_cell(
    small_cards: SmallCards, tmp_path: Path
) -> None:
    card = small_cards("recurrent")
    models = {cell: onnx.load_from_string(card.verified_onnx(cell)) for cell in card.cells}

    assert [path.name for path in sorted(card.folder.glob("recurrent.*"))] == sorted(
        ["recurrent.json", "recurrent.safetensors", *(f"recurrent.{c}.onnx" for c in card.cells)]
    )
    taken = {cell: [entry.name for entry in model.graph.input] for cell, model in models.items()}
    state = ["features", "difference", "level"]
    behind = [f"{name}_behind" for name in state]
    assert taken == {
        "first": ["frame"],
        "motion": ["current", "other"],
        "aligned": ["answer", "motion", "features", "carried"],
        "from_future": ["answer", *state],
        "from_past": ["answer", *state, *behind],
    }
    fusing = small_cards("recurrent-fused")
    fused = onnx.load_from_string(fusing.verified_onnx("fused"))
    assert [entry.name for entry in fused.graph.input] == ["answers", "motion"]
    assert set(fusing.cells) == {*card.cells, "fused"}
    other = replace(card, folder=tmp_path)
    for cell in card.cells:
        other.onnx_path(cell).write_bytes(card.verified_onnx("first"))
    with pytest.raises(WeightsError, match=r"t\.first\.onnx, .*: SHA-256 .*, the card says"):
        other.verified_onnx("first")
