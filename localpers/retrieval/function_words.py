"""What of a text in a script without blanks says something: its function words cut out.

Indexed as overlapping pairs of characters, 先週の発表 would be looked for by の発 too, and any
question that ends in でしたか found by all others that do. A dictionary would tell words apart; the
closed classes do nearly as well, and need none: in Japanese, hiragana that follows a stem or a noun
is grammar; in Chinese and Korean short lists are. Only queries are cut, never what is indexed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_KANJI = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆]"
_HIRAGANA = r"[\u3041-\u309f]"
_KATAKANA = r"[\u30a1-\u30fa\u30fc-\u30ff]"
_HANGUL = r"[\uac00-\ud7a3]"
_UNSPACED = re.compile(rf"(?:{_KANJI}|{_HIRAGANA}|{_KATAKANA}|{_HANGUL})+")
_KANA = re.compile(_HIRAGANA)
_HANGUL_RUN = re.compile(_HANGUL)
_LOANWORD = re.compile(rf"{_KATAKANA}{{3,}}")


def _words(lines: str) -> list[str]:
    return lines.split()


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(set(words), key=len, reverse=True)))


_PHRASES = _words(
    """
    でしたか でした でしょうか でしょう ですか です ましたか ました ませんでした ません ますか
    ます していた している しています しました して した する される された させる いる いた
    います いました ある あった あります ありました ない なかった なく だった られる られた
    れる れた かった かったです から まで より など ので のに けど けれど という といった
    について についての に関する に関して として による によって によると での には では とは
    へは からの までの との にも でも くらい ぐらい だけ ばかり こと もの ため ところ よう
    ような いつ どこ どう どうやって どの どれ どんな なに なん なぜ だれ だれが これ それ あれ
    この その あの ここ そこ ください くれ ほしい たい たこと ましょう てみる ておく
    """
)
_BETWEEN = "のはがをにでとへも"
"""Particles that stand between a word and the next."""
_LEADING = re.compile(f"(?:{_longest_first([*_PHRASES, *_BETWEEN, *'だなやかね'])})")
_TRAILING = re.compile(f"(?:{_longest_first(_PHRASES)})$")
_RUNS = re.compile(rf"{_KANJI}+|{_HIRAGANA}+|{_KATAKANA}+|{_HANGUL}+")
_PRONOUNS = frozenset("何誰私僕俺")

_WHOLE_WORDS_ZH = _words(
    """
    目的 的确 的確 的中 的士 标的 標的 笔记本 筆記本 筆記型 记录片 記錄片 我慢 我孫子 唯我独尊 您好
    终了 終了 完了 修了 魅了 了解 除了 为了 為了 酒吧 网吧 網吧 吧台 吧檯
    """
)
_GRAMMAR_ZH = _words(
    """
    关于 關於 有关 有關 我们 我們 你们 你們 他们 他們 她们 她們 什么时候 什麼時候 什么 什麼 怎么样
    怎麼樣 怎么 怎麼 怎样 怎樣 为什么 為什麼 如何 哪里 哪裡 哪些 哪个 哪個 哪儿 多少 有没有 有沒有
    没有 沒有 是否 是不是 的时候 的時候 我写了 我寫了 写了 寫了 我写过 我寫過 写过 寫過 写下 我写
    我寫 我记了 我記了 记了 記了 记过 做了 做过 做過 我做 說了 说了 我说 我說 提到 记录 記錄 笔记
    筆記 请问 請問 告诉 告訴 我的 你的 他的 她的 的
    """
)
_CHINESE = re.compile(
    rf"({_longest_first(_WHOLE_WORDS_ZH)})|{_longest_first(_GRAMMAR_ZH)}|[了吗嗎呢吧啊哪谁誰]$|^[我你您他她]"
)

_GRAMMAR_KO = frozenset(
    _words(
        """
        무엇 무엇을 뭐 뭘 뭐를 뭐야 무슨 언제 어디 어디서 어디에 누구 누가 왜 어떻게 어떤 얼마나
        했어 했나 했나요 했지 했니 했던 하는 있어 있나 있나요 있는 있었 있었나 있었어 없어 내가
        나는 나의 제가 저는 우리가 그리고 또는 에 의 을 를 은 는 에서 대한 대해 대해서 관한 관해
        쓴 썼어 썼나 썼나요 썼는지 적은 적었어 말한 노트 메모
        """
    )
)
# Not the particles of one syllable that end as many nouns (이, 가, 의, 과, 도, 로).
_PARTICLE_KO = re.compile(
    r"(?<=[\uac00-\ud7a3]{2})(?:에서는|에서의|에서|에게|으로|까지|부터|에는|에도|에의|처럼|보다|을|를|은|는|(?<=[\uac00-\ud7a3]{3})에)$"
)


def without_function_words(text: str, languages: Sequence[str] = ()) -> str:
    """`text` with blanks for the function words in its unspaced runs. What is in ideographs alone
    is Chinese, unless the `languages` of the documents hold Japanese and no Chinese.
    """
    japanese = _KANA.search(text) is not None or ("ja" in languages and "zh" not in languages)

    def cut(run: re.Match[str]) -> str:
        if _HANGUL_RUN.search(run[0]):
            return _korean(run[0])
        return _japanese(run[0]) if japanese else _chinese(run[0])

    return _UNSPACED.sub(cut, text)


def loanwords(text: str) -> list[str]:
    """The words in katakana, each of which is one word: データ is no part of カード."""
    return _LOANWORD.findall(text)


def _korean(word: str) -> str:
    return " " if word in _GRAMMAR_KO else _PARTICLE_KO.sub("", word)


def _chinese(run: str) -> str:
    return f" {_CHINESE.sub(lambda found: found[1] or ' ', run)} "


def _japanese(run: str) -> str:
    """Of hiragana, what makes the kanji before it a word (食べ, 新し) is kept, and what is a word
    of its own (りんご); a particle at the beginning follows what has been cut out before it.
    """
    found = [match[0] for match in _RUNS.finditer(run)]
    kept: list[str] = []
    for place, part in enumerate(found):
        before = found[place - 1] if place else ""
        after = found[place + 1] if place + 1 < len(found) else ""
        if not _KANA.match(part):
            kept.append(" " if part in _PRONOUNS else part)
        elif not before:
            kept.append(_beginning(part, after))
        elif re.fullmatch(_KANJI, before) and not _LEADING.match(part):
            # One character between two belongs to both (取り組み), a longer ending to the first.
            kept.append(part if len(part) == 1 and after else f"{part[0]} ")
        else:
            word = _followed(_without_leading(part), after)
            kept.append(f" {word} " if len(word) > 1 else " ")
    return f" {''.join(kept)} "


def _beginning(part: str, after: str) -> str:
    """What of hiragana at the beginning of a run is a word, with a blank where it ends."""
    if len(part) == 1 and after:
        return " " if part in _BETWEEN else part
    if part in _PHRASES or not (after or _without_leading(part)):
        return " "
    return f"{_followed(part, after)} "


def _without_leading(part: str) -> str:
    while found := _LEADING.match(part):
        part = part[found.end() :]
    return part


def _followed(part: str, after: str) -> str:
    """Without the grammar at the end of a word of two characters or more."""
    if after and part[-1:] in _BETWEEN and len(part) > 2:
        return part[:-1]
    found = _TRAILING.search(part)
    return part[: found.start()] if found and found.start() > 1 else part
