"""The learned codec's file format and entropy coding; `docs/bitstream.md` specifies both."""
