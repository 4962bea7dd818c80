"""`upreel models`: the networks that there are."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message

__all__ = ["models"]

_SEEN = {"packed": "", "luma": "luma of "}  # packed planes hold all of a frame

Json = Annotated[bool, typer.Option("--json", help="Print all of the cards as one JSON object.")]


def models(*, as_json: Json = False) -> None:
    """List the networks: what they are for, cost and score."""
    with exit_with_message():
        from dataclasses import asdict

        from upreel.zoo import card_names, load_card

        cards = [load_card(name) for name in card_names()]
        if as_json:
            shown = {card.name: asdict(card) for card in cards}
            for card in cards:
                del shown[card.name]["folder"]
                shown[card.name] |= {
                    "layout": card.layout,
                    "window": card.window,
                    "state": card.state,
                    "context": card.context,
                    "parameters": card.num_parameters,
                    "macs_per_pixel": card.macs_per_pixel,
                }
            typer.echo(json.dumps(shown, ensure_ascii=False))
            return
        for card in cards:
            frames = 1 + sum(card.window)
            seen = f"{frames} frame{'s' * (frames > 1)}"
            if card.state:
                seen = "scenes"
            typer.echo(f"{card.name}: {card.summary}")
            typer.echo(
                f"  x{card.scale}, sees {_SEEN[card.layout]}{seen}, "
                f"{card.num_parameters / 1000:.0f}k parameters, "
                f"{card.macs_per_pixel / 1000:.{1 if card.macs_per_pixel < 1e5 else 0}f}k "
                f"multiply-adds a source pixel, "
                f"weights {card.licence}"
            )
            for what, value in card.scores.items():
                typer.echo(f"  {what}: {value:g}")
            for measured, unit in (
                (card.milliseconds, "ms a frame"),
                (card.mebibytes, "MiB at most"),
            ):
                for where, values in _by_machine(measured).items():
                    typer.echo(f"  {unit}, {where}:\n    {values}")


def _by_machine(measured: Mapping[str, float]) -> dict[str, str]:
    """Figures at all sizes, for each machine and precision."""
    found: dict[str, list[str]] = {}
    for what, value in measured.items():
        where, _, size = what.rpartition(", ")
        found.setdefault(where, []).append(f"{size} {value:g}")
    return {where: ", ".join(values) for where, values in found.items()}
