"""What is printed and the page that is written."""

import copy
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from stand_in import StandIn

from upreel.errors import InputError, OutputError
from upreel.evaluation.outputs import make_folder
from upreel.evaluation.report import page, read_report, write_report
from upreel.evaluation.run import EvaluationJob, evaluate
from upreel.evaluation.scores import ClipScore, Evaluation
from upreel.evaluation.summary import summary

VOID = {"meta", "img", "rect", "line", "circle", "polyline"}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("set")
    for name in ("bees_1", "walk_1"):
        write_clip(folder / f"{name}.mkv", codec="ffv1", count=3, width=128, height=112)
    return evaluate(
        EvaluationJob(
            set=str(folder),
            models=("bicubic", "repeat-x2"),
            scale=2,
            with_motion=True,
            with_pictures=True,
        ),
        backend=StandIn(),
    )


@pytest.fixture
def values(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.to_json(pictures=True)


class Reader(HTMLParser):
    """Text, addresses and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v for k, v in attrs if k in ("src", "href", "srcset", "data") and v]
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_summary_has_a_row_for_each_source_and_model(evaluation: Evaluation) -> None:
    text = summary(evaluation)

    rows = [line.split()[:2] for line in text.splitlines()]
    for source in ("bees", "walk", "mean"):
        assert [source, "bicubic"] in rows
        assert [source, "repeat-x2"] in rows
    value = evaluation.of_set("repeat-x2")["psnr_y"]
    assert f"{value:.3f}" in text
    assert "not measured: Y-MS-SSIM: walk_1 is 128x112; at least 176x176" in text


def test_networks_are_compared_with_every_filter(tmp_path: Path) -> None:
    write_clip(tmp_path / "bees_1.mkv", codec="ffv1", count=1)
    job = EvaluationJob(set=str(tmp_path), models=("repeat-x2", "bicubic", "lanczos"), scale=2)
    evaluation = evaluate(job, backend=StandIn())

    text = summary(evaluation)

    ours, theirs = (evaluation.of_set(m)["psnr_y"] for m in ("repeat-x2", "lanczos"))
    row = next(
        line.split()
        for line in text.splitlines()
        if line.startswith("mean") and "repeat-x2 over lanczos" in line
    )
    assert row[4] == f"{ours - theirs:+.3f}"
    assert text.count(" over ") == 4


def test_the_page_holds_its_pictures_and_loads_nothing(values: dict[str, Any]) -> None:
    text = page(values)
    reader = Reader(text)

    # For each of two clips: where it is, three crops and three slices.
    assert len(reader.sources) == 2 * (1 + 3 + 3)
    assert all(source.startswith("data:image/") for source in reader.sources)
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_page_is_made_from_the_json_alone(
    evaluation: Evaluation, values: dict[str, Any], tmp_path: Path
) -> None:
    path = write_report(values, tmp_path / "report")

    stored = read_report(tmp_path / "report" / "report.json")
    assert stored == evaluation.to_json(pictures=True)
    assert page(stored) == path.read_text(encoding="utf-8")
    without = {key: value for key, value in stored.items() if key != "pictures"}
    assert without == evaluation.to_json()
    assert "<img" not in page(without)


def test_the_tables_have_the_figures_and_mark_the_best(values: dict[str, Any]) -> None:
    means = {model["name"]: model["mean"] for model in values["models"]}
    reader = Reader(page(values))

    row = next(row for row in reader.rows if row[0] == "repeat-x2")
    network = values["models"][1]
    assert row[1:3] == [str(network["parameters"]), f"{network['macs_per_pixel'] / 1e3:.1f}"]
    assert row[4] == f"{means['repeat-x2']['psnr_y']:.3f}"
    best = max(mean["psnr_y"] for mean in means.values())
    assert f"<b>{best:.3f}</b>" in page(values)
    least = min(mean["mse_y"] for mean in means.values())
    assert f"<b>{least:.2f}</b>" in page(values)
    for mean in means.values():  # blur lowers it: none is the best
        assert f"<td>{mean['warping_error']:.2f}</td>" in page(values)
    groups = [row[0] for row in reader.rows if len(row) == 1]
    assert [group.split()[0] for group in groups] == ["bees_1", "walk_1"]
    assert "128x112, 3 frames, warping error of the truth" in groups[0]


def test_how_it_was_measured_is_on_the_page(values: dict[str, Any]) -> None:
    text = page(values)

    assert values["command"] in text
    assert values["machine"]["cpu"] in text
    assert "sha256 " + "0" * 64 in text
    assert f"numpy {values['machine']['packages']['numpy']}" in text
    for metric in values["metrics"].values():
        assert metric["label"] in text
    assert "not measured: walk_1 is 128x112; at least 176x176" in text


def as_vid4(values: dict[str, Any], **changes: object) -> dict[str, Any]:
    named = {"set": "vid4", "scale": 4, "degradation": {"name": "BI", "description": "x"}}
    return {**values, **named, **changes}


def test_published_figures_stand_beside_ours_and_are_marked(values: dict[str, Any]) -> None:
    values["models"][1]["mean"]["psnr_y"] = 25.2
    rows = Reader(page(as_vid4(values))).rows

    first = next(n for n, row in enumerate(rows) if row[-1].startswith("published"))
    names = [row[0] for row in rows[first:] if len(row) == 6]
    assert names.index("ESPCN") < names.index("repeat-x2") < names.index("VESPCN")
    ladder = {row[0]: row for row in rows if len(row) == 6}
    assert ladder["VESPCN"][1:3] == ["25.35", "0.756"]
    assert [row[2] for row in rows if row[0] == "bicubic" and "check" in row[-1]] == ["0.6347"]
    assert ladder["VESPCN"][5].startswith("published")
    assert ladder["repeat-x2"][5] == "measured here"
    assert "PFNL" not in ladder  # BD is never in one column with BI


def test_nothing_published_compares_with_another_input(values: dict[str, Any]) -> None:
    assert "published;" not in page(values)
    assert "VESPCN" not in page(as_vid4(values, scale=2))
    degradation = {"name": "BD", "description": "x"}
    assert "PFNL" in page(as_vid4(values, degradation=degradation))
    assert "VESPCN" not in page(as_vid4(values, degradation=degradation))


def test_eleven_contestants_have_a_colour_each(values: dict[str, Any]) -> None:
    model = values["models"][1]
    values["models"][1:] = [model | {"name": f"model-{k}"} for k in range(11)]

    text = page(values)

    legend = text[text.index('class="legend"') :].split("</div>")[0]
    colours = [part.split('"')[0] for part in legend.split('class="dot ')[1:]]
    assert colours == [f"k{n}" for n in range(12)]
    for colour in colours:
        assert f".{colour} {{ --k: var(--c{colour[1:]}) }}" in text
        assert text.count(f"--c{colour[1:]}:") == 2  # in light and in dark


def test_the_lowest_published_row_has_its_line(values: dict[str, Any]) -> None:
    degradation = {"name": "BD", "description": "x"}
    for model in values["models"]:
        model["mean"]["psnr_y"] = 25.4
    assert "learned temporal dynamics" in plots(page(as_vid4(values, degradation=degradation)))
    for model in values["models"]:
        model["mean"]["psnr_y"] = 23.8
    assert ">bicubic 23.78<" not in plots(page(as_vid4(values)))  # it has a dot


def plots(text: str) -> str:
    return text[text.index("Quality over speed") :].split("</svg>")[0]


def test_many_clips_have_no_curves_and_the_page_says_so(values: dict[str, Any]) -> None:
    for model in values["models"]:
        model["clips"] = model["clips"] * 5

    text = page(values)

    assert "drawn for up to 8 clips; these are 10" in text
    assert "frame by frame</h2>" not in text


def test_what_is_no_benchmark_is_marked(values: dict[str, Any]) -> None:
    check = {"passed": None, "message": "a quick look at the first 3 frames"}
    quick = page(as_vid4(values, limit=3, complete=False, protocol=check))
    assert '<p class="state warn">A quick look at the first 3 frames.</p>' in quick
    assert "measured here, part of the set only" in quick

    check = {"passed": False, "message": "the protocol is off"}
    off = page(as_vid4(values, protocol=check))
    assert '<p class="state bad">The protocol is off.</p>' in off
    assert "measured here, protocol off" in off


def test_equal_planes_and_absent_figures_are_told_apart(values: dict[str, Any]) -> None:
    values["models"][0]["mean"]["psnr_y"] = None
    del values["models"][0]["mean"]["ssim_y"]

    row = next(row for row in Reader(page(values)).rows if row[0] == "bicubic")

    assert row[4:6] == ["equal", "-"]


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "a<b>&c"
    folder.mkdir()
    write_clip(folder / "x<i>.mkv", codec="ffv1", count=2)
    job = EvaluationJob(set=str(folder), models=("bicubic",), scale=2, with_pictures=True)
    values = evaluate(job).to_json(pictures=True)
    values["models"][0]["name"] = '<u>"'

    text = page(values)

    Reader(text)
    assert "a&lt;b&gt;&amp;c" in text
    for name in ("a<b>", "x<i>", "<u>"):
        assert name not in text


def test_an_unwritable_place_is_one_line(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")

    with pytest.raises(OutputError, match="report is a file, not a folder"):
        write_report(values, tmp_path / "report")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read"),
        ("[]", "is no evaluation of version 3, got None"),
        ('{"version": 1, "models": []}', "is no evaluation of version 3, got 1"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)

    with pytest.raises(InputError, match=message):
        read_report(path)


def test_equal_planes_are_null_in_json(evaluation: Evaluation) -> None:
    equal = ClipScore(
        model="bicubic",
        clip="a",
        source="a",
        num_frames=1,
        frames={"psnr_y": (float("inf"),), "ssim_y": (1.0,)},
        seconds=2.0,
    )

    values = replace(evaluation, scores=(equal,)).to_json()

    model = json.loads(json.dumps(values, allow_nan=False))["models"][0]
    assert model["mean"] == {"psnr_y": None, "ssim_y": 1.0}
    assert model["clips"][0]["frames"] == {"psnr_y": [None], "ssim_y": [1.0]}
    assert model["fps"] == 0.5


def test_a_metric_that_one_clip_lacks_has_no_mean(evaluation: Evaluation) -> None:
    first, *others = evaluation.scores
    frames = {name: values for name, values in first.frames.items() if name != "ssim_y"}

    changed = replace(evaluation, scores=(replace(first, frames=frames), *others))

    assert "ssim_y" not in changed.of_set(first.model)
    assert "ssim_y" in changed.of_source(first.model, "walk")
    assert "psnr_y" in changed.of_set(first.model)


def test_a_metric_of_some_clips_is_not_called_unmeasured(evaluation: Evaluation) -> None:
    first, *others = evaluation.scores
    frames = {name: values for name, values in first.frames.items() if name != "ssim_y"}
    changed = replace(
        evaluation,
        scores=(replace(first, frames=frames), *others),
        absent={"ssim_y": "bees_1 is tiny", "vmaf": "not asked for"},
    )

    assert "\nnot on every clip: Y-SSIM: bees_1 is tiny\nnot measured: VMAF:" in summary(changed)
    text = page(changed.to_json(pictures=True))
    assert "Gaussian windows. Not on every clip: bees_1 is tiny." in text
    assert "not measured: not asked for" in text


def test_the_keys_of_the_json_are_these(values: dict[str, Any]) -> None:
    assert set(values) == {
        "version", "set", "scale", "limit", "complete", "degradation", "protocol", "command",
        "date", "machine", "metrics", "absent", "truth", "models", "pictures",
    }  # fmt: skip
    assert set(values["models"][1]) == {
        "name", "kind", "parameters", "macs_per_pixel", "sha256", "engine", "device", "precision",
        "fps", "mean", "sources", "clips",
    }  # fmt: skip
    assert set(values["models"][0]["clips"][0]) == {
        "name", "source", "num_frames", "seconds", "fps", "mean", "frames", "limited",
    }  # fmt: skip
    assert set(values["truth"]["bees_1"]) == {
        "num_frames", "width", "height", "rate", "warping_error", "seen",
    }  # fmt: skip


def test_the_page_tells_how_many_frames_are_limited(values: dict[str, Any]) -> None:
    assert "is limited in the means" not in page(values)
    values["models"][1]["clips"][0]["limited"] = {"psnr_y": 2}
    assert "is limited in the means: repeat-x2 2." in page(values)


def test_no_figure_is_the_best_beside_an_equal_one(values: dict[str, Any]) -> None:
    best = max(model["mean"]["psnr_y"] for model in values["models"])
    third = copy.deepcopy(values["models"][0])
    third["name"] = "third"
    third["mean"]["psnr_y"] = best - 1
    values["models"].append(third)
    assert f"<b>{best:.3f}</b>" in page(values)
    third["mean"]["psnr_y"] = None

    assert f"<b>{best:.3f}</b>" not in page(values).split("Each clip")[0]


def test_a_report_that_lacks_something_is_one_line(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for part, message in (("machine", "lacks 'machine'"), ("truth", "lacks 'truth'")):
        changed = {key: value for key, value in values.items() if key != part}
        path.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(InputError, match=f"report.json is no whole report: it {message}"):
            read_report(path)
    del values["models"][0]["clips"]
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match="is no whole report: it lacks 'clips'"):
        read_report(path)
    path.write_text(json.dumps({**values, "models": [1]}), encoding="utf-8")
    with pytest.raises(InputError, match="is no whole report"):
        read_report(path)


def test_a_folder_is_seen_to_be_writable(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_folder(folder)
    make_folder(folder)
    assert list(folder.iterdir()) == []

    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match=r"cannot write to .*file/below: Not a directory"):
        make_folder(tmp_path / "file" / "below")
