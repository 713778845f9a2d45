"""Any bytes become clean text or one short reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.corpus.readers.encoding import clean, read_text
from localpers.errors import UnreadableFile

GERMAN = "Über die Straße läuft ein größeres Mädchen, während die Vögel schöne Töne üben.\n" * 4
RUSSIAN = "Съешь ещё этих мягких французских булок, да выпей чаю. Вечером шёл дождь.\n" * 4
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 4
CHINESE = "今天天气很好，我们去公园散步，看到了许多美丽的花和可爱的小鸟。\n" * 4


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "ascii"),
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "cp1252"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (GERMAN, "utf-32-le"),
        (GERMAN, "utf-32-be"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "utf-16-le"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "utf-16-be"),
        (CHINESE, "gb18030"),
    ],
)
def test_any_encoding_gives_the_same_text(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(text.encode(encoding))
    assert read_text(path) == text


def test_newlines_and_stray_nuls_are_normalised(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(b"one\r\ntwo\rthree\n" + b"x" * 200 + b"\0")
    assert read_text(path) == "one\ntwo\nthree\n" + "x" * 200


def test_one_broken_byte_does_not_cost_the_umlauts(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(GERMAN.encode() + b"\xff end")
    assert read_text(path) == GERMAN + "\ufffd end"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0", "binary content"),
        (bytes(range(256)) * 16, "binary content"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06", "binary content"),
    ],
)
def test_what_is_no_text_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=f"^{reason}$"):
        read_text(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.md"
    with path.open("wb") as file:
        file.truncate(500 * 1024 * 1024)
    with pytest.raises(UnreadableFile, match="larger than 32 MiB"):
        read_text(path, "markdown")


def test_a_folder_a_pipe_and_a_vanished_file_have_reasons(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no longer there"):
        read_text(tmp_path / "gone.txt")
    folder = tmp_path / "folder.txt"
    folder.mkdir()
    with pytest.raises(UnreadableFile):
        read_text(folder)
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    with pytest.raises(UnreadableFile, match="not a regular file"):
        read_text(pipe)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_forbidden_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(UnreadableFile, match="permission denied"):
        read_text(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_unreadable_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.txt"
    path.write_bytes(data)
    try:
        text = read_text(path)
    except UnreadableFile:
        return
    assert text.strip()
    assert "\0" not in text
    assert "\r" not in text
    text.encode("utf-8")


@given(st.text(st.characters(codec=None), max_size=50))
def test_clean_text_can_be_stored(text: str) -> None:
    clean(text).encode("utf-8")


def test_paired_surrogates_become_their_character() -> None:
    assert clean("\ud83d\ude00 \ud83d") == "😀 \ufffd"
