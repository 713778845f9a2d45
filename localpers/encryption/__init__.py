"""Encryption at rest: keys, authenticated file encryption, and decrypted files in memory.

docs/privacy.md states the guarantees, docs/file-formats.md the formats.
"""
