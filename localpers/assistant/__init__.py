"""The read flow: request → passages → cited answer."""
