"""Running networks: engines behind one protocol, planes in and planes out."""

from upreel.inference.engine import DeviceInfo as DeviceInfo
from upreel.inference.engine import EngineReport as EngineReport
from upreel.inference.engine import Session as Session
from upreel.inference.ensemble import EnsembleUpscaler as EnsembleUpscaler
from upreel.inference.frame_recurrent import FrameRecurrentUpscaler as FrameRecurrentUpscaler
from upreel.inference.kinds import upscaler_of as upscaler_of
from upreel.inference.recurrent import RecurrentUpscaler as RecurrentUpscaler
from upreel.inference.selection import available_devices as available_devices
from upreel.inference.selection import open_cells as open_cells
from upreel.inference.selection import open_session as open_session
from upreel.inference.upscaler import PlaneUpscaler as PlaneUpscaler

__all__ = [
    "DeviceInfo",
    "EngineReport",
    "EnsembleUpscaler",
    "FrameRecurrentUpscaler",
    "PlaneUpscaler",
    "RecurrentUpscaler",
    "Session",
    "available_devices",
    "open_cells",
    "open_session",
    "upscaler_of",
]
