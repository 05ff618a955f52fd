"""The byte formats that cross a boundary: bundle, envelope, boot image, control MAC."""
