"""Finds secrets and personal data that must not be learned, offline.

Checksums and formats come from libraries (docs/dependencies.md); what none knows in more than one
language (passwords in prose, postal addresses) is found by expressions here.
"""
