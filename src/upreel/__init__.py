"""Video super-resolution for files, live streams and libraries."""
