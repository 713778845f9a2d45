"""Retrieval effectiveness: do queries find what they are known to be about?"""
