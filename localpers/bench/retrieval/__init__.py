"""Retrieval effectiveness on test collections and on one's own notes."""
