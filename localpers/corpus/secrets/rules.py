"""The user's rules for the scan and their own names (learning.toml in the profile)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localpers.corpus.secrets.findings import Finding, Sensitive
from localpers.errors import LocalpersError

FILE = "learning.toml"
MAX_PATTERN = 1_000
RULE_SECONDS = 2.0
"""Limit for one rule on one document."""


class Rules(BaseModel):
    """The rules of one profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addresses: tuple[str, ...] = ()
    """The user's own e-mail addresses (`@example.org` for a whole domain)."""
    names: tuple[str, ...] = ()
    """The user's own names in chats."""
    allow: tuple[str, ...] = ()
    """Texts that may be learned although they look like secrets; spaces do not count."""
    ignore: tuple[Sensitive, ...] = ()
    """Kinds that are not reported."""
    hold_back: dict[str, str] = Field(default_factory=dict)
    """Name → regular expression of further text that must not be learned."""

    @classmethod
    def load(cls, profile_root: Path) -> Rules:
        """The rules in `profile_root`. Raises LocalpersError if they are invalid."""
        path = profile_root / FILE
        try:
            rules = cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise LocalpersError(f"{path} cannot be read: fix its permissions.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LocalpersError(f"{path} is not valid TOML ({error}): fix it.") from error
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            raise LocalpersError(
                f"{path}: '{field}': {first['msg'].lower()}. Fields: {', '.join(cls.model_fields)}."
            ) from None
        rules.check(str(path))
        return rules

    def check(self, where: str = FILE) -> None:
        """Compile every rule, to report errors before any work."""
        import regex

        for name, pattern in self.hold_back.items():
            if not name.strip() or len(name) > 60:
                raise LocalpersError(
                    f"{where}: a rule needs a name of 1 to 60 characters: rename it."
                )
            if len(pattern) > MAX_PATTERN:
                raise LocalpersError(
                    f"{where}: rule '{name}' is longer than {MAX_PATTERN} characters: split it."
                )
            try:
                matches_empty = regex.compile(pattern).search("", timeout=RULE_SECONDS) is not None
            except regex.error as error:
                raise LocalpersError(
                    f"{where}: rule '{name}' is not a regular expression ({error}): fix it."
                ) from None
            if matches_empty:
                raise LocalpersError(
                    f"{where}: rule '{name}' matches the empty text: make it narrower."
                )

    def find(self, text: str) -> Iterator[Finding]:
        """Matches of the user's rules. Raises LocalpersError if a rule takes too long."""
        for name, expression in self._expressions:
            try:
                for match in expression.finditer(text, timeout=RULE_SECONDS):
                    if match.end() > match.start():
                        yield Finding(name, match.start(), match.end())
            except TimeoutError:
                raise LocalpersError(
                    f"Rule '{name}' in {FILE} took more than {RULE_SECONDS:g} s on one document: "
                    "simplify it (nested repetitions like (a+)+ are slow)."
                ) from None

    def allows(self, found: str) -> bool:
        """Whether the user allows this text, or it is their own name or address."""
        return _squeezed(found) in self._allowed or self.owns(found)

    def owns(self, author: str) -> bool:
        """Whether `author` is one of the user's addresses or names."""
        plain = plain_address(author)
        return bool(plain) and (plain in self._own or "@" + plain.rpartition("@")[2] in self._own)

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(_squeezed(text) for text in self.allow if _squeezed(text))

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset(plain_address(one) for one in (*self.addresses, *self.names))

    @cached_property
    def _expressions(self) -> list[tuple[str, Any]]:
        import regex

        return [(name, regex.compile(pattern)) for name, pattern in self.hold_back.items()]


def plain_address(address: str) -> str:
    """Lower case without a plus tag: `Me+news@x.org` is `me@x.org`."""
    return re.sub(r"\+[^@]*(?=@)", "", " ".join(address.split()).casefold())


def _squeezed(text: str) -> str:
    return re.sub(r"[\s().\-/]", "", text).casefold()
