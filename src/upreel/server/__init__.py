"""The server: a library of videos as HLS, plain files and live streams, and pages to watch them."""
