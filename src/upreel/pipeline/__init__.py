"""Whole videos: plan, parts, join, and the core iterator that they are built around."""

from upreel.pipeline.api import Model as Model
from upreel.pipeline.api import load_model as load_model
from upreel.pipeline.batch import BatchItem as BatchItem
from upreel.pipeline.batch import Prepare as Prepare
from upreel.pipeline.batch import expand_sources as expand_sources
from upreel.pipeline.batch import upscale_batch as upscale_batch
from upreel.pipeline.coding import CompressJob as CompressJob
from upreel.pipeline.coding import CompressResult as CompressResult
from upreel.pipeline.coding import DecompressJob as DecompressJob
from upreel.pipeline.coding import DecompressResult as DecompressResult
from upreel.pipeline.compression import compress as compress
from upreel.pipeline.decompression import decompress as decompress
from upreel.pipeline.dry_run import Preview as Preview
from upreel.pipeline.dry_run import preview as preview
from upreel.pipeline.enhance import enhance as enhance
from upreel.pipeline.job import Progress as Progress
from upreel.pipeline.job import UpscaleJob as UpscaleJob
from upreel.pipeline.job import UpscaleResult as UpscaleResult
from upreel.pipeline.plan import Part as Part
from upreel.pipeline.plan import Plan as Plan
from upreel.pipeline.run import upscale as upscale
from upreel.pipeline.verifying import verify as verify
from upreel.pipeline.worker import join_job as join_job
from upreel.pipeline.worker import num_parts as num_parts
from upreel.pipeline.worker import plan_job as plan_job
from upreel.pipeline.worker import run_part as run_part

__all__ = [
    "BatchItem",
    "CompressJob",
    "CompressResult",
    "DecompressJob",
    "DecompressResult",
    "Model",
    "Part",
    "Plan",
    "Prepare",
    "Preview",
    "Progress",
    "UpscaleJob",
    "UpscaleResult",
    "compress",
    "decompress",
    "enhance",
    "expand_sources",
    "join_job",
    "load_model",
    "num_parts",
    "plan_job",
    "preview",
    "run_part",
    "upscale",
    "upscale_batch",
    "verify",
]
