"""Tiny models to answer with, and passages to answer from."""

from tests.model_fixtures import *  # noqa: F403
