"""Cards as files: written, read, refused; and the bundled ones. No PyTorch here."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upreel.errors import UnknownModelError, WeightsError
from upreel.zoo import FastConfig, ModelCard, card_names, load_card, name_at_scale, network_config
from upreel.zoo.card import write_card

WEIGHTS = b"as good as an ONNX file here"


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    """A card on disk beside its weights."""
    (tmp_path / "own.onnx").write_bytes(WEIGHTS)
    made = ModelCard(
        name="own",
        summary="of a test",
        network=FastConfig(scale=3, channels=8, depth=4, frames=2),
        training_data=("drawn", "3 photographs"),
        degradation="bicubic downscale, 8-bit",
        licence="Apache-2.0",
        steps=7,
        commit="0000000",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        tolerance={"f32": 1.0},
        scores={"vid4": 25.5},
        folder=tmp_path,
    )
    write_card(made)
    return made


def test_a_card_may_be_a_path(card: ModelCard) -> None:
    read = load_card(str(card.folder / "own.json"))

    assert read == card
    assert read.verified_onnx() == WEIGHTS


def test_a_card_answers_for_its_network(card: ModelCard) -> None:
    assert (card.scale, card.window, card.state, card.layout) == (3, (1, 0), False, "packed")
    assert card.radius == 2 * (4 + 2)
    assert (card.size_multiple, card.precisions) == (2, ("f32",))
    alone = replace(card, network=FastConfig(scale=3, channels=8, depth=4))
    assert alone.window == (0, 0)


def test_other_weights_are_refused(card: ModelCard) -> None:
    card.onnx_path().write_bytes(WEIGHTS + b".")
    digest = hashlib.sha256(WEIGHTS + b".").hexdigest()

    with pytest.raises(WeightsError, match=f"SHA-256 {digest}, the card says {card.sha256}"):
        card.verified_onnx()
    card.onnx_path().unlink()
    with pytest.raises(WeightsError, match=r"cannot read .*own\.onnx: No such file"):
        card.verified_onnx()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "is a card of version 2; this one reads 1"),
        ({"version": None}, "of version None"),
        ({"steps": None, "commit": None}, "lacks commit, steps"),
        ({"bogus": 1}, "unknown entries: bogus"),
        ({"network": {"scale": 5, "channels": 8, "depth": 4}}, "scale must be 2, 3 or 4, got 5"),
        ({"network": {"scale": 2, "size": 8}}, "describes no known network"),
        ({"network": "fast"}, "describes no known network"),
        ({"network": {"kind": "new", "scale": 2, "channels": 8, "depth": 4}}, "no network of kind"),
        ({"training_data": 5}, "has training_data 5, no list"),
        ({"tolerance": "much"}, "has tolerance 'much', no dict"),
    ],
)
def test_broken_cards_are_refused_in_one_line(
    card: ModelCard, changes: dict[str, Any], message: str
) -> None:
    path = card.folder / "own.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))

    with pytest.raises(WeightsError) as caught:
        load_card(str(path))

    assert message in str(caught.value)
    assert "own.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\x00", "null"])
def test_what_is_no_card_is_refused(card: ModelCard, text: str) -> None:
    path = card.folder / "own.json"
    path.write_text(text)

    with pytest.raises(WeightsError, match=r"own\.json"):
        load_card(str(path))


@pytest.mark.parametrize("name", ["fast-x5", "", "fast-x2.json", "/nowhere/card.json"])
def test_unknown_names_are_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        load_card(name)

    assert str(caught.value) == (
        f"no model {name!r}; there are: fast-x2, fast-x2-m, fast-x2-s, fast-x2-clean, fast-x3, "
        "fast-x3-m, fast-x4, fast-x4-clean, live-x4, live-x4-clean, tan-x2, tan-x4, best-x2, "
        "best-x4, best-x4-bd, srcnn-x4, espcn-x4, vespcn-x4, encoder-decoder-x4, or the path of "
        "a card (.json)"
    )


def test_a_family_has_a_model_for_each_of_its_scales() -> None:
    assert name_at_scale("fast", 3) == "fast-x3"
    assert name_at_scale("espcn", None) == "espcn-x4"
    for other in ("fast-x2-clean", "fast-x4", "fas", "/cards/own.json"):
        assert name_at_scale(other, 4) == other


def test_a_scale_that_a_family_lacks_is_answered_with_those_it_has() -> None:
    with pytest.raises(UnknownModelError) as caught:
        name_at_scale("tan", 3)

    assert str(caught.value) == "tan has no x3; there are: tan-x2, tan-x4"


@pytest.mark.parametrize(
    "values",
    [{"scale": 1}, {"channels": 0}, {"depth": 3}, {"depth": -2}, {"frames": 4}, {"frames": 0}],
)
def test_impossible_networks_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))} must be .*got"):
        FastConfig(**{"scale": 2, "channels": 8, "depth": 2} | values)


@pytest.mark.parametrize("name", card_names())
def test_bundled_cards_are_whole(name: str) -> None:
    card = load_card(name)

    assert card.name == name
    families = "fast|live|tan|best|srcnn|espcn|vespcn|encoder-decoder"
    assert re.fullmatch(rf"({families})-x{card.scale}(-[lms]|-clean|-bd)?", name)
    assert all(card.verified_onnx(cell) for cell in card.cells)
    assert card.licence == "Apache-2.0"
    assert card.training_data
    assert card.summary
    assert card.steps > 0
    floats = {"f32", "bf16"} if name.startswith(("fast", "best")) else {"f32"}
    assert set(card.precisions) == floats | set(card.quantized)
    assert all(card.verified_onnx(precision=precision) for precision in card.quantized)


@pytest.mark.parametrize("name", card_names())
def test_weight_files_say_what_they_are(name: str) -> None:
    card = load_card(name)
    data = (card.folder / f"{name}.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")  # the format: length, JSON header, tensors
    header = json.loads(data[8 : 8 + length])

    said = header.pop("__metadata__")
    assert network_config(json.loads(said["network"])) == card.network
    assert json.loads(said["training_data"]) == list(card.training_data)
    assert (said["degradation"], said["licence"]) == (card.degradation, card.licence)
    assert (said["name"], int(said["steps"]), said["commit"]) == (name, card.steps, card.commit)
    means = {key for key in header if "running_" in key or key.endswith("num_batches_tracked")}
    assert not means or card.network.kind == "encoder_decoder"  # of its normalisations: as they are
    trained = [entry for key, entry in header.items() if key not in means]
    assert {entry["dtype"] for entry in trained} == {"F16"}
    sizes = [(e["data_offsets"][1] - e["data_offsets"][0]) // 2 for e in trained]
    assert sum(sizes) == card.num_parameters
