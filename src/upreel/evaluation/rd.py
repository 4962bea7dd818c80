"""What a comparison of codecs is asked for and comes to, and its JSON.

Rate     bytes of the whole file: ``.upv`` of ours, MP4 of the peers', picture alone, no sound.
         Packets' bytes stand beside; what a file has over them (times, index, parameters) is
         about a kilobyte of MP4, half of one of ``.upv``, whose packets have heads of 16 bytes.
Means    of a clip: over its frames, PSNR limited as in `upreel.evaluation.scores`. Of the set: over
         the clips of a source, then over the sources. BD-rate likewise, a clip at a time.

The JSON (``--json``, ``rd.json``), version 1; a figure that there is none of is null:

``version``, ``kind``   1, "rate-distortion"
``command``      that makes it again; ``date`` (UTC, ISO 8601); ``machine`` as `describe_machine`
``set``, ``limit``, ``start``, ``end``  as asked for (frames, seconds); ``drawn``: whether clips
                 were drawn since no set was given;
                 ``complete``: whether all frames of all clips were taken
``structure``    ``name``, ``description``, ``keyint`` (frames); ``threads`` of each codec;
                 ``other_load``: share of the machine that other processes took meanwhile
``clips``        by name: ``source``, ``num_frames``, ``width``, ``height``, ``rate``, ``bits``
``metrics``      by key: ``label``, ``decimals``, ``meaning``
``absent``       by codec or metric: why it was not measured
``coders``       each: ``name``, ``kind`` ("ours", "peer"), what is known of it, ``means`` (by
                 quality: ``kbps``, ``encode_fps``, ``decode_fps``, the metrics) and ``points``
``points``       each: ``clip``, ``quality`` (crf of peers), ``bytes``, ``packet_bytes``,
                 ``keyframes``, ``kbps``, ``encode_fps``, ``decode_fps``, and the metrics
``bd_rate``      by metric, codec and anchor: ``percent``, least ``overlap``, ``num_clips``
``pictures``     of the report, see `upreel.evaluation.rd_pictures`
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from upreel.errors import OptionError
from upreel.evaluation.bd_rate import bd_rate
from upreel.evaluation.measure import METRICS, Metric
from upreel.pipeline.job import check_stretch

__all__ = [
    "JSON_VERSION",
    "KIND",
    "PEERS",
    "RD_METRICS",
    "STRUCTURES",
    "ClipFacts",
    "Point",
    "RateDistortion",
    "RdJob",
    "command_line",
    "on_scale",
]

JSON_VERSION = 1
KIND = "rate-distortion"
PEERS = ("x264:veryfast", "x264:medium", "x265:medium", "x265:slow", "svtav1:8", "svtav1:4")
STRUCTURES: dict[str, str] = {
    "low-delay": "each frame from frames before it: no B frames, no look at later frames",
    "random-access": "peers as their presets have it, with B frames and lookahead; ours codes each "
    "frame from the one before here, too",
}
_KEYFRAMES = (
    "peers have a keyframe every {keyint} frames and none at cuts; ours has them at least as "
    "often, and at cuts"
)
_MAX_KEYINT = 100_000
_MAX_QUALITY = 63

RD_METRICS: dict[str, Metric] = {
    "psnr_y": METRICS["psnr_y"],
    "psnr_uv": Metric(
        label="UV-PSNR dB", decimals=3, better="higher",
        meaning="As Y-PSNR, of the mean squared error over the samples of Cb and Cr together.",
    ),
    "ms_ssim_y": Metric(
        label="Y-MS-SSIM", decimals=4, better="higher",
        meaning="Multi-scale structural similarity of luma (Wang et al. 2003), five scales; "
        "BD-rates and curves are over -10 log10(1 - MS-SSIM), in dB.",
    ),
    "vmaf": METRICS["vmaf"],
    "vmaf_neg": METRICS["vmaf_neg"],
}  # fmt: skip
"""By key, in the table's order."""


def on_scale(metric: str, value: float) -> float:
    """A figure as curves and BD-rates take it: MS-SSIM in dB, all others as they are.

    Example:
        >>> on_scale("ms_ssim_y", 0.99), on_scale("psnr_y", 40.0)
        (20.0, 40.0)
    """
    if metric != "ms_ssim_y":
        return value
    return math.inf if value >= 1 else round(-10 * math.log10(1 - value), 9)


@dataclass(frozen=True, kw_only=True)
class RdJob:
    """What is compared, and how.

    Attributes:
        places: "vid4", or folders of videos and videos; none: two clips are drawn.
        data: Vid4's folder, where the place is "vid4".
        only: clips or sources to take; empty for all.
        limit: at most so many frames of each clip, None for all.
        start: seconds after each clip's first frame at which it begins; None: at the first.
        end: seconds after the first frame at which it ends; None: after the last.
        upv_codec: of .upv files in the set, the codec that made them, as `codecs`; None: that of
            `codecs` which did, else what they name.
        codecs: our codecs, as ``upreel compress --codec`` takes them.
        peers: ``ENCODER:PRESET``, of x264, x265 and svtav1.
        structure: a key of `STRUCTURES`.
        keyint: frames from one keyframe to the next.
        points: qualities of each codec, spread over its scale.
        qualities: of our codecs instead, 0 to 63; empty: as many as `points`.
        with_vmaf: measure VMAF v0.6.1 and NEG; None: where the package is installed.
        with_pictures: make what a report shows.
        threads: of each codec, at least 1.
        device: that our codecs run on, as ``upreel devices`` names it.
        precision: of our codecs, "f32" or "bf16".
    """

    places: tuple[str, ...] = ()
    data: Path | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    start: Fraction | None = None
    end: Fraction | None = None
    upv_codec: str | None = None
    codecs: tuple[str, ...] = ()
    peers: tuple[str, ...] = PEERS
    structure: str = "low-delay"
    keyint: int = 32
    points: int = 5
    qualities: tuple[int, ...] = ()
    with_vmaf: bool | None = None
    with_pictures: bool = False
    threads: int = 1
    device: str = "auto"
    precision: str = "f32"

    def __post_init__(self) -> None:
        if not self.codecs and not self.peers:
            raise OptionError(
                "nothing to compare; --codec takes a codec's card, --peers a list such as "
                "x264:medium,svtav1:8"
            )
        if self.structure not in STRUCTURES:
            allowed = ", ".join(STRUCTURES)
            raise OptionError(f"structure {self.structure!r} is not known; allowed: {allowed}")
        if not 1 <= self.keyint <= _MAX_KEYINT:
            raise OptionError(f"keyint must be 1 to {_MAX_KEYINT} frames, got {self.keyint}")
        if not 2 <= self.points <= 16:
            raise OptionError(f"points must be 2 to 16, got {self.points}")
        wrong = [q for q in self.qualities if not 0 <= q <= _MAX_QUALITY]
        if wrong:
            raise OptionError(f"qualities must be 0 to {_MAX_QUALITY}, got {wrong[0]}")
        if self.qualities and len(set(self.qualities)) < 2:
            raise OptionError("a curve needs at least 2 qualities that differ, got 1")
        if self.precision not in ("f32", "bf16"):
            raise OptionError(f"precision {self.precision!r} is not known; allowed: f32, bf16")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit must be at least 1 frame, got {self.limit}")
        if not self.places and (self.start is not None or self.end is not None):
            raise OptionError("--start and --end go with --set; drawn clips take neither")
        check_stretch(self.start, self.end)
        if self.threads < 1:
            raise OptionError(f"threads must be at least 1, got {self.threads}")
        for names in (self.codecs, self.peers):
            if twice := [name for name in names if names.count(name) > 1]:
                raise OptionError(f"{twice[0]} is named twice")
        if "vid4" in self.places and len(self.places) > 1:
            raise OptionError("vid4 is a set of its own; leave the other --set away")

    @property
    def is_whole(self) -> bool:
        """Whether all frames of all clips are taken."""
        return not self.only and self.limit is self.start is self.end is None

    @property
    def title(self) -> str:
        """The set in one line."""
        return ", ".join(self.places) or "drawn clips"


def command_line(job: RdJob) -> str:
    """The command that makes a comparison again, as a shell takes it.

    Example:
        >>> command_line(RdJob(places=("clips",), peers=("x264:medium",), with_vmaf=False))
        'upreel evaluate --rd --set clips --peers x264:medium --no-vmaf'
    """
    words = ["upreel", "evaluate", "--rd"]
    for place in job.places:
        words += ["--set", place]
    words += ["--data", str(job.data)] if job.data else []
    words += ["--only", ",".join(job.only)] if job.only else []
    words += ["--limit", str(job.limit)] if job.limit is not None else []
    words += ["--start", _seconds(job.start)] if job.start is not None else []
    words += ["--end", _seconds(job.end)] if job.end is not None else []
    words += ["--upv-codec", job.upv_codec] if job.upv_codec else []
    for codec in job.codecs:
        words += ["--codec", codec]
    words += ["--peers", ",".join(job.peers) or "none"] if job.peers != PEERS else []
    words += ["--qualities", ",".join(map(str, job.qualities))] if job.qualities else []
    if job.with_vmaf is not None:
        words.append("--vmaf" if job.with_vmaf else "--no-vmaf")
    default = RdJob()
    for option in ("structure", "keyint", "points", "threads", "device", "precision"):
        value = getattr(job, option)
        words += [f"--{option}", str(value)] if value != getattr(default, option) else []
    return shlex.join(words)


def _seconds(time: Fraction) -> str:
    return str(int(time)) if time.denominator == 1 else repr(float(time))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFacts:
    """A clip that was coded.

    Attributes:
        source: what it was cut from.
        num_frames: that were taken.
        width: columns of luma.
        height: rows of luma.
        rate: frames a second.
        bits: of a sample.
    """

    source: str
    num_frames: int
    width: int
    height: int
    rate: Fraction
    bits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One codec on one clip at one quality.

    Attributes:
        coder: its name.
        clip: name of the clip.
        quality: what it was asked for, on its own scale.
        num_bytes: of the file: what counts.
        packet_bytes: of these, packets of video.
        keyframes: in it.
        encode_seconds: that coding took; opening the codec not counted.
        decode_seconds: that decoding took, likewise.
        figures: mean of each metric over the frames.
    """

    coder: str
    clip: str
    quality: float
    num_bytes: int
    packet_bytes: int
    keyframes: int
    encode_seconds: float
    decode_seconds: float
    figures: Mapping[str, float]

    def figures_with(self, clip: ClipFacts) -> dict[str, float]:
        """Rate (thousands of bits a second), speeds (frames a second) and metrics."""
        return {
            "kbps": 8 * self.num_bytes * float(clip.rate) / clip.num_frames / 1000,
            "encode_fps": clip.num_frames / max(self.encode_seconds, 1e-9),
            "decode_fps": clip.num_frames / max(self.decode_seconds, 1e-9),
            **self.figures,
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RateDistortion:
    """What came out.

    Attributes:
        job: what was asked for.
        machine: that it ran on, as plain values.
        date: UTC, ISO 8601.
        clips: by name.
        facts: of each codec, as plain values, in their order.
        points: all that was measured.
        absent: codecs and metrics that were not measured, with the reason.
        other_load: share of the machine that other processes took, None where it does not say.
        pictures: for the report, as the JSON has them.
    """

    job: RdJob
    machine: Mapping[str, Any]
    date: str
    clips: Mapping[str, ClipFacts]
    facts: Mapping[str, Mapping[str, Any]]
    points: tuple[Point, ...]
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    other_load: float | None = None
    pictures: tuple[Mapping[str, Any], ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that every point has."""
        every = [point.figures for point in self.points]
        return tuple(name for name in RD_METRICS if all(name in figures for figures in every))

    def of(self, coder: str, clip: str | None = None) -> list[Point]:
        """Points of a codec, of one clip or all."""
        return [p for p in self.points if p.coder == coder and clip in (None, p.clip)]

    def over_sources(self, values: Mapping[str, float]) -> float:
        """Mean over the clips of a source, then over the sources.

        Args:
            values: by clip, at least one.
        """
        by_source: dict[str, list[float]] = {}
        for clip, value in values.items():
            by_source.setdefault(self.clips[clip].source, []).append(value)
        means = [math.fsum(each) / len(each) for each in by_source.values()]
        return math.fsum(means) / len(means)

    def means(self, coder: str) -> list[dict[str, float]]:
        """Means over the set at each quality: rate and metrics; frames a second over all clips."""
        found: list[dict[str, float]] = []
        for quality in dict.fromkeys(point.quality for point in self.of(coder)):
            points = [point for point in self.of(coder) if point.quality == quality]
            each = {p.clip: p.figures_with(self.clips[p.clip]) for p in points}
            frames = sum(self.clips[point.clip].num_frames for point in points)
            mean: dict[str, float] = {"quality": quality}
            for name in ("kbps", *self.metrics):
                mean[name] = self.over_sources({clip: v[name] for clip, v in each.items()})
            for what in ("encode", "decode"):
                seconds = math.fsum(getattr(point, f"{what}_seconds") for point in points)
                mean[f"{what}_fps"] = frames / max(seconds, 1e-9)
            found.append(mean)
        return found

    def bd_rates(self, metric: str, test: str, anchor: str) -> dict[str, Any] | None:
        """Mean of a codec's BD-rate over another's, None where no clip has one."""
        percents: dict[str, float] = {}
        overlaps: list[float] = []
        for clip in self.clips:
            curves = [
                [(float(p.num_bytes), on_scale(metric, p.figures[metric])) for p in points]
                for points in (self.of(anchor, clip), self.of(test, clip))
            ]
            if found := bd_rate(*curves):
                percents[clip] = found.percent
                overlaps.append(found.overlap)
        if not percents:
            return None
        return {
            "percent": round(self.over_sources(percents), 3),
            "overlap": round(min(overlaps), 3),
            "num_clips": len(percents),
            "clips": {clip: round(percent, 3) for clip, percent in percents.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the module's header says."""
        job = self.job
        names = list(self.facts)
        keyframes = _KEYFRAMES.format(keyint=job.keyint)
        return {
            "version": JSON_VERSION,
            "kind": KIND,
            "command": command_line(job),
            "date": self.date,
            "machine": dict(self.machine),
            "set": job.title,
            "drawn": not job.places,
            "limit": job.limit,
            "start": None if job.start is None else float(job.start),
            "end": None if job.end is None else float(job.end),
            "complete": job.is_whole,
            "structure": {
                "name": job.structure,
                "description": f"{STRUCTURES[job.structure]}; {keyframes}",
                "keyint": job.keyint,
            },
            "threads": job.threads,
            "other_load": self.other_load,
            "clips": {n: {**asdict(c), "rate": str(c.rate)} for n, c in self.clips.items()},
            "metrics": {name: asdict(RD_METRICS[name]) for name in self.metrics},
            "absent": dict(self.absent),
            "coders": [{"name": name, **self._coder(name)} for name in names],
            "bd_rate": {} if "BD-rate" in self.absent else self._all_bd_rates(names),
            "pictures": list(self.pictures),
        }

    def _coder(self, name: str) -> dict[str, Any]:
        points = [
            {
                "clip": point.clip,
                "quality": point.quality,
                "bytes": point.num_bytes,
                "packet_bytes": point.packet_bytes,
                "keyframes": point.keyframes,
                **_plain(point.figures_with(self.clips[point.clip])),
            }
            for point in self.of(name)
        ]
        means = [_plain(mean) for mean in self.means(name)]
        return {**self.facts[name], "means": means, "points": points}

    def _all_bd_rates(self, names: Sequence[str]) -> dict[str, Any]:
        return {
            metric: {
                test: {
                    anchor: self.bd_rates(metric, test, anchor)
                    for anchor in names
                    if anchor != test
                }
                for test in names
            }
            for metric in self.metrics
        }


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    """To five decimals; what is not finite to None."""
    return {n: round(value, 5) if math.isfinite(value) else None for n, value in values.items()}
