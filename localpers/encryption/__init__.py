"""Encryption at rest: keys, files in authenticated chunks, and where plain text may lie (memory).

Knows nothing of what the files hold. docs/privacy.md says what is promised, docs/file-formats.md
how the bytes lie.
"""
