"""Video super-resolution for files, live streams and libraries.

    >>> import upreel
    >>> upreel.__version__
    '0.1.0'

* `upreel.upscale(source, output, model="fast-x2", ...)`: what `upreel upscale` does.
* `upreel.compress(source, output, codec=...)`, `upreel.decompress(source, output, codec=...)`.
* `upreel.load_model("fast-x2").enhance(frames)`: frames in, larger frames out, without files.
"""

from typing import TYPE_CHECKING

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
