"""Networks: tensors in, tensors out. No files, no devices, no downloads."""
