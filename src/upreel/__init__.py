"""Video super-resolution for files, live streams and libraries.

    >>> import upreel
    >>> upreel.__version__
    '0.1.0'

* `upreel.upscale(source, output, model="fast-x2", ...)`: what `upreel upscale` does.
* `upreel.compress(source, output, codec=...)`, `upreel.decompress(source, output, codec=...)`.
* `upreel.load_model("fast-x2").enhance(frames)`: frames in, larger frames out, without files.
"""

import os
from typing import TYPE_CHECKING

# Threads of NumPy's matrix products wait busily for the next one, on the cores that networks run
# on: a frame of 320x180 took 20 ms beside them instead of 14. Only NumPy's first import reads it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from upreel.pipeline.api import compress as compress
    from upreel.pipeline.api import decompress as decompress
    from upreel.pipeline.api import load_model as load_model
    from upreel.pipeline.api import upscale as upscale

__version__ = "0.1.0"

__all__ = ["__version__", "compress", "decompress", "load_model", "upscale"]


def __getattr__(name: str) -> object:
    if name in __all__:  # loaded when used: `import upreel` stays instant
        from upreel.pipeline import api

        return getattr(api, name)
    raise AttributeError(f"module 'upreel' has no attribute {name!r}")
