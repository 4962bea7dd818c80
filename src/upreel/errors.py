"""The exceptions that callers may catch.

* UpreelError                   every error a user can cause or cure
  + InputError                  the file, stream or bitstream given
    - ProbeError                not a video, or no decodable video stream
    - DamagedError              the stream cannot be followed further: truncated or broken
    - BitstreamError            not an .upv stream, damaged, or of an unknown version
  + OutputError                 the place or the container that the result should go to
    - DiskFullError             not enough room for the parts or the output
    - ExistsError               the output is there already
    - LockedError               another process works on the same output
    - StaleWorkError            parts of another job lie beside the output
  + OptionError                 an option's value that this source or machine cannot take
    - EncoderError              a codec that cannot keep depth, chroma or size
  + ModelError                  the model asked for
    - UnknownModelError         no model of that name in the zoo
    - WeightsError              missing file, wrong SHA-256, keys that do not fit
  + BackendUnavailableError     the package or the device is not there
  + OutOfMemoryError            the smallest tile does not fit either

Every message is one line that gives the value and what is allowed: it is shown as it is.
"""

__all__ = [
    "BackendUnavailableError",
    "BitstreamError",
    "DamagedError",
    "DiskFullError",
    "EncoderError",
    "ExistsError",
    "InputError",
    "LockedError",
    "ModelError",
    "OptionError",
    "OutOfMemoryError",
    "OutputError",
    "ProbeError",
    "StaleWorkError",
    "UnknownModelError",
    "UpreelError",
    "WeightsError",
]


class UpreelError(Exception):
    """An error that a user can cause or cure; its message is one line for them."""


class InputError(UpreelError):
    """The file, stream or folder given cannot be used."""


class ProbeError(InputError):
    """Not a video, or no video stream in it that can be decoded."""


class DamagedError(InputError):
    """The stream cannot be followed further: truncated, or broken beyond concealing."""


class BitstreamError(InputError):
    """Bytes that are no .upv stream, are damaged, or follow an unknown version of the format."""


class OutputError(UpreelError):
    """The result cannot be written there, or the container cannot hold it."""


class DiskFullError(OutputError):
    """Not enough free space for the parts or the output."""


class ExistsError(OutputError):
    """The output is there already, and replacing it was not asked for."""


class LockedError(OutputError):
    """Another process is working on the same output."""


class StaleWorkError(OutputError):
    """The parts beside the output belong to a job with other options or another source."""


class OptionError(UpreelError):
    """An option's value that this source or this machine cannot take."""


class EncoderError(OptionError):
    """The codec asked for cannot keep the depth, the chroma layout or the size."""


class ModelError(UpreelError):
    """The model asked for cannot be used."""


class UnknownModelError(ModelError):
    """No model of that name in the zoo, and no card at that path."""


class WeightsError(ModelError):
    """A weight file is missing, has another SHA-256, or keys that do not fit."""


class BackendUnavailableError(UpreelError):
    """The package or the device that was asked for is not there."""


class OutOfMemoryError(UpreelError):
    """Even the smallest tile does not fit into memory."""
