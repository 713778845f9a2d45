"""Citations in a stream: what the model cites is checked, what it leaves uncited is attributed.

A bracket of numbers is a citation; the number of a Passage that was not given never comes out. A
sentence that the model leaves without a citation gets the number of the Passage that it rests on,
if there is one (attribution.py). Code between backticks is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto

_MARKER = re.compile(r"\[\s*\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*\s*\]")
_MARKER_CHARACTERS = frozenset("0123456789 \t\n,;-–")
_LONGEST_MARKER = 40
_INDEXED = re.compile(r"(?:\b[a-z]|\w_\w*|\])$")
"""Before a bracket, what makes it an index even outside backticks: `a[2]`, `row_sums[2]`,
`a[0][2]`. After any other word, `[2]` is a citation and `[0]` an index: Passages count from 1."""
_LONGEST_NAME = 64

_FENCE_TICKS = 3
_ENDS = frozenset(".!?…")
_WIDE_ENDS = frozenset("。！？")
"""Sentence ends of scripts that write no space after them."""
_CLOSERS = frozenset("\"'”’)*_»」』")
_TIGHT = frozenset(".,;:!?)…。，；：！？")
"""What takes no space before it."""
_UNATTRIBUTED = ("#", "|")
"""Headings and rows of tables."""


class Code(Enum):
    NONE = auto()
    INLINE = auto()
    BLOCK = auto()


class CodeTracker:
    """Tells, character by character, what stands between Markdown's backticks.

    Inline code ends at the end of its line at the latest, so that a stray backtick hides nothing.
    """

    def __init__(self) -> None:
        self._run = 0
        self._run_opens_line = False
        self._blank = True
        self._inline = 0
        self._fence = 0

    def feed(self, character: str) -> Code:
        """What `character` belongs to; backticks count as code themselves."""
        if character == "`":
            if not self._run:
                self._run_opens_line = self._blank
            self._run += 1
            self._blank = False
            return Code.BLOCK if self._fence else Code.INLINE
        if self._run:
            self._resolve()
        if character == "\n":
            self._inline = 0
            self._blank = True
        elif not character.isspace():
            self._blank = False
        if self._fence:
            return Code.BLOCK
        return Code.INLINE if self._inline else Code.NONE

    def _resolve(self) -> None:
        run, self._run = self._run, 0
        if self._fence:
            if self._run_opens_line and run >= self._fence:
                self._fence = 0
        elif self._inline:
            if run == self._inline:
                self._inline = 0
        elif run >= _FENCE_TICKS and self._run_opens_line:
            self._fence = run
        else:
            self._inline = run


class CitationFilter:
    """Text in, in pieces cut anywhere; text out, in which every citation is of a Passage given.

    `count` Passages are numbered from 1. `attribute` names the one that a sentence rests on, or
    None. Leading and trailing whitespace of the whole text is dropped. `cited` are the numbers
    that the model wrote, `attributed` those that were added here.
    """

    def __init__(self, count: int, attribute: Callable[[str], int | None]) -> None:
        self.cited: set[int] = set()
        self.attributed: set[int] = set()
        self._count = count
        self._code = CodeTracker()
        self._out: list[str] = []
        self._sentences = _Sentences(self._out.append, self._attributed_to(attribute))
        self._marker = ""
        self._space = ""
        self._dropped = False
        self._name = ""

    def feed(self, text: str) -> str:
        """What can be shown now that `text` has come."""
        for character in text:
            self._take(character)
        return self._drain()

    def finish(self) -> str:
        """What was held back when the text ended; a citation cut off in the middle is dropped."""
        if not any(map(str.isdigit, self._marker)):
            self._release_marker()
        self._sentences.close()
        return self._drain()

    def _drain(self) -> str:
        shown = "".join(self._out)
        self._out.clear()
        return shown

    def _attributed_to(self, attribute: Callable[[str], int | None]) -> Callable[[str], str]:
        def mark(sentence: str) -> str:
            number = attribute(sentence)
            if number is None:
                return ""
            self.attributed.add(number)
            return f" [{number}]"

        return mark

    def _take(self, character: str) -> None:
        code = self._code.feed(character)
        if self._marker:
            if character == "]":
                marker, self._marker = self._marker + character, ""
                self._bracket(marker)
                return
            if character in _MARKER_CHARACTERS and len(self._marker) < _LONGEST_MARKER:
                self._marker += character
                return
            self._release_marker()
        if character == "[" and code is Code.NONE:
            self._marker = character
        else:
            self._plain(character, code)

    def _release_marker(self) -> None:
        held, self._marker = self._marker, ""
        self._pass(held)

    def _pass(self, prose: str) -> None:
        for character in prose:
            self._plain(character, Code.NONE)

    def _bracket(self, marker: str) -> None:
        numbers = _numbers(marker)
        glued = not self._space and self._name
        if (
            not numbers
            or (glued and (_INDEXED.search(self._name) or numbers == [0]))
            or (0 in numbers and len(numbers) > 1)  # [0-9] is a pattern
        ):
            self._pass(marker)
            return
        self._name = ""
        known = [number for number in numbers if 1 <= number <= self._count]
        if not known:
            self._dropped = True
            return
        self.cited.update(known)
        whole = len(known) == len(numbers)
        shown = marker if whole else f"[{', '.join(map(str, known))}]"
        self._sentences.cite(self._take_space(), shown)

    def _plain(self, character: str, code: Code) -> None:
        if character.isspace():
            self._hold_space(character)
            return
        if self._dropped and character in _TIGHT and "\n" not in self._space:
            self._space = ""
        space = self._take_space()
        self._name = character if space else (self._name + character)[-_LONGEST_NAME:]
        self._sentences.text(space, character, code)

    def _hold_space(self, character: str) -> None:
        if not self._dropped:
            self._space += character
        elif character == "\n":
            self._space = self._space.rstrip(" \t") + character
        elif not self._space:
            self._space = character

    def _take_space(self) -> str:
        """The whitespace before what comes out now; none before the very first."""
        space, self._space = self._space, ""
        self._dropped = False
        return space if self._sentences.begun else ""


class _Sentences:
    """Cuts the text into sentences as it passes, and adds `mark(sentence)` where none is cited.

    A mark stands before the full stop: `... in May [2].`
    """

    def __init__(self, emit: Callable[[str], None], mark: Callable[[str], str]) -> None:
        self.begun = False
        self._emit = emit
        self._mark = mark
        self._sentence: list[str] = []
        self._end = ""
        """A full stop and what closes with it, until it is known whether it ends a sentence."""
        self._cited = False
        self._after_citation = False

    def text(self, space: str, character: str, code: Code) -> None:
        self.begun = True
        self._after_citation = False
        if self._end:
            wide = self._end[0] in _WIDE_ENDS and character not in _CLOSERS
            if "\n" in space or wide or (space and not character.islower()):
                self.close()
            elif space or character not in _ENDS | _WIDE_ENDS | _CLOSERS:
                self._continue()
        elif "\n" in space:
            self.close()
        self._add(space)
        if code is Code.BLOCK:
            self._sentence.clear()
            self._emit(character)
        elif self._end or (code is Code.NONE and character in _ENDS | _WIDE_ENDS):
            self._end += character
        else:
            self._add(character)

    def cite(self, space: str, marker: str) -> None:
        self.begun = True
        if "\n" in space:
            self.close()
        if self._end:
            # "It rained. [1] Then ..." cites the sentence before.
            self._cited = True
            self.close()
            self._after_citation = True
        self._cited = not self._after_citation
        self._emit(space + marker)

    def close(self) -> None:
        """End the sentence here."""
        sentence = "".join(self._sentence).strip(" \t\r\n`")
        if sentence and not self._cited and not sentence.startswith(_UNATTRIBUTED):
            self._emit(self._mark(sentence))
        self._emit(self._end)
        self._sentence.clear()
        self._end = ""
        self._cited = False

    def _continue(self) -> None:
        end, self._end = self._end, ""
        self._add(end)

    def _add(self, text: str) -> None:
        self._sentence.append(text)
        self._emit(text)


def _numbers(marker: str) -> list[int]:
    """The numbers in a bracket, ranges spelled out; empty where it is no citation."""
    if not _MARKER.fullmatch(marker):
        return []
    numbers: list[int] = []
    for part in re.split(r"[,;]", marker[1:-1]):
        first, *rest = (int(number) for number in re.split(r"[-–]", part))
        numbers.extend(range(first, rest[-1] + 1) if rest else [first])
    return list(dict.fromkeys(numbers))
