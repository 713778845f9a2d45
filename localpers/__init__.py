"""localpers: a language model that knows one person, on that person's machine."""

__version__ = "0.1.0"
