"""What must not be learned: secrets and personal data in a Document's text, found offline.

Checksums and formats are those of maintained libraries (docs/dependencies.md); what no library
knows in more than one language (passwords in prose, postal addresses) is found by expressions here.
"""
