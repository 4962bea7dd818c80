"""One trainer for all networks of this project."""
