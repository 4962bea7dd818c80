"""Write what `upreel evaluate --report DIR` measured into the bundled cards.

    python scripts/score_cards.py DIR/report.json [DIR/report.json ...]

Each model's means go under what was measured, those in int8 apart; other scores of its card stay.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from upreel.zoo import card_names, load_card
from upreel.zoo.card import write_card

METRICS = {"psnr_y": "Y-PSNR dB", "ssim_y": "Y-SSIM", "vmaf_neg": "VMAF-NEG"}


def main() -> None:
    """Read the reports, rewrite the cards."""
    for path in sys.argv[1:]:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        name = "validation sources" if report["set"] != "vid4" else "Vid4"
        frames = f", {report['limit']} frames a clip" if report["limit"] else ""
        test = f"{name} x{report['scale']} {report['degradation']['name']}{frames}"
        for model in report["models"]:
            if model["name"] not in card_names():
                continue
            card = load_card(model["name"])
            whole = ", int8" if model.get("precision") == "int8" else ""
            scores = {
                f"{test}{whole}, {word}": round(model["mean"][key], 4)
                for key, word in METRICS.items()
                if model["mean"].get(key) is not None
            }
            write_card(replace(card, scores={**card.scores, **scores}))
            print(f"{card.name}: {scores}")


if __name__ == "__main__":
    main()
