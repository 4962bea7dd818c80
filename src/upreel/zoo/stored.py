"""Reading weights as they are stored: safetensors, which hold no code (needs PyTorch)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from pathlib import Path
from typing import TYPE_CHECKING

from upreel.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["read_stored"]


def read_stored(path: Path) -> "tuple[dict[str, str], dict[str, Tensor]]":
    """Header and tensors of a safetensors file.

    Raises:
        WeightsError: it is missing, cannot be read, or is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        path.open("rb").close()  # safetensors does not say why it cannot open a file
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
