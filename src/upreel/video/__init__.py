"""Video files and streams: the only room that uses PyAV."""

import os

# SVT-AV1 prints a banner to stderr unless this is set before its library is loaded.
os.environ.setdefault("SVT_LOG", "0")
