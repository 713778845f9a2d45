"""Retrieval effectiveness on test collections and on a profile's notes."""
