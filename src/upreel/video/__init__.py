"""Video files and streams: the only room that uses PyAV."""
