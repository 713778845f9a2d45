"""What of a text in a script without blanks says something: its function words cut out.

Indexed as overlapping pairs of characters, 先週の発表 would be looked for by の発 too, and any
question that ends in でしたか found by all others that do. A dictionary would tell words apart; the
closed classes do nearly as well, and need none: in Japanese, hiragana that follows a stem or a noun
is grammar; in Chinese and Korean short lists are. Only queries are cut, never what is indexed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_KANJI = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆]"
_HIRAGANA = r"[\u3041-\u309f]"
_KATAKANA = r"[\u30a1-\u30ff]"
_HANGUL = r"[\uac00-\ud7a3]"
UNSPACED = re.compile(rf"(?:{_KANJI}|{_HIRAGANA}|{_KATAKANA}|{_HANGUL})+")
_KANA = re.compile(_HIRAGANA)
_LOANWORD = re.compile(rf"{_KATAKANA}{{3,}}")


def _words(lines: str) -> list[str]:
    return lines.split()


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(set(words), key=len, reverse=True)))


_PARTICLES = "のはがをにでとへもやかねよなわぞさ"
_GRAMMAR = _longest_first(
    _words(
        """
    でしたか でした でしょうか でしょう ですか です ましたか ました ませんでした ません ますか
    ます していた している しています しました して した する される された させる いる いた
    います いました ある あった あります ありました ない なかった なく だった だ られる られた
    れる れた かった かったです から まで より など ので のに けど けれど という といった
    について についての に関する に関して として による によって によると での には では とは
    へは からの までの との にも でも くらい ぐらい だけ ばかり こと もの ため ところ よう
    ような いつ どこ どう どうやって どの どれ どんな なに なん なぜ だれ だれが これ それ あれ
    この その あの ここ そこ ください くれ ほしい たい たこと ましょう てみる ておく
    """
    )
    + list(_PARTICLES)
)
_LEADING = re.compile(f"(?:{_GRAMMAR})")
_TRAILING = re.compile(f"(?:{_GRAMMAR})$")
_RUNS = re.compile(rf"{_KANJI}+|{_HIRAGANA}+|{_KATAKANA}+|{_HANGUL}+")
_ASKING_JA = re.compile("^[何誰私僕俺]|[何誰私僕俺]$")

_WHOLE_WORDS_ZH = _words(
    """
    目的 的确 的中 自我 终了 終了 完了 修了 了解 除了 为了 為了 是非 于是 於是 可是 但是 总是
    總是 我国
    """
)
_GRAMMAR_ZH = _words(
    """
    关于 關於 有关 有關 我们 我們 你们 你們 他们 他們 她们 什么时候 什麼時候 什么 什麼 怎么样
    怎麼樣 怎么 怎麼 怎样 怎樣 为什么 為什麼 如何 哪里 哪裡 哪些 哪个 哪個 哪儿 哪 谁 誰 多少
    几个 幾個 有没有 有沒有 没有 沒有 是否 是不是 的时候 的時候 写了 寫了 写过 寫過 写下 记了
    記了 记过 做了 做过 說了 说了 提到 记录 笔记 筆記 请问 請問 告诉 告訴 一下 最近 这个 這個
    那个 那個 这些 這些 那些 的 了 吗 嗎 呢 吧 啊 我 你 您 他 她
    """
)
_CHINESE = re.compile(rf"({_longest_first(_WHOLE_WORDS_ZH)})|{_longest_first(_GRAMMAR_ZH)}")

_GRAMMAR_KO = frozenset(
    _words(
        """
    무엇 무엇을 뭐 뭘 뭐를 뭐야 무슨 언제 어디 어디서 어디에 누구 누가 왜 어떻게 어떤 얼마나
    했어 했나 했나요 했지 했니 했던 한 할 하는 해 있어 있나 있나요 있는 있었 있었나 있었어 없어
    나 내 내가 나는 나의 저 제 제가 저는 우리 우리가 것 거 게 수 및 그리고 또는 이 그 저 에 의
    을 를 은 는 가 와 과 도 로 으로 에서 대한 대해 대해서 관한 관해 관련 쓴 썼어 썼나 썼나요
    썼는지 적은 적었어 말한 노트 메모
    """
    )
)
_PARTICLE_KO = re.compile(
    r"(?<=[\uac00-\ud7a3]{2})(?:에서는|에서의|에서|에게|으로|까지|부터|에는|에도|에의|처럼|보다|이나|이랑|하고"
    r"|은|는|이|가|을|를|의|에|와|과|도|로|랑)$"
)


def without_function_words(text: str) -> str:
    """`text` with blanks for the function words in its unspaced runs."""
    return UNSPACED.sub(_within(text), text)


def loanwords(text: str) -> list[str]:
    """The words in katakana, each of which is one word: データ is no part of カード."""
    return _LOANWORD.findall(text)


def _within(text: str) -> Callable[[re.Match[str]], str]:
    japanese = _KANA.search(text) is not None

    def cut(run: re.Match[str]) -> str:
        if re.search(_HANGUL, run[0]):
            return _korean(run[0])
        return _japanese(run[0]) if japanese else _chinese(run[0])

    return cut


def _korean(word: str) -> str:
    if word in _GRAMMAR_KO:
        return " "
    return _PARTICLE_KO.sub("", word)


def _chinese(run: str) -> str:
    cut = _CHINESE.sub(lambda found: found[1] or " ", run)
    pieces = cut.split()
    longer = [piece for piece in pieces if len(piece) > 1]
    return f" {' '.join(longer or pieces)} "


def _japanese(run: str) -> str:
    """Of a run of hiragana, what makes the kanji before it a word (食べ, 新し) is kept, and what is
    a word of its own (りんご).
    """
    found = [match[0] for match in _RUNS.finditer(run)]
    kept: list[str] = []
    for place, part in enumerate(found):
        before = found[place - 1] if place else ""
        after = found[place + 1] if place + 1 < len(found) else ""
        if not _KANA.match(part):
            kept.append(_ASKING_JA.sub(" ", part))
        elif re.fullmatch(_KANJI, before) and not _LEADING.match(part):
            # One character between two belongs to both (取り組み), a longer ending to the first.
            kept.append(part if len(part) == 1 and after else f"{part[0]} ")
        elif re.match(_KANJI, before[-1:]) and len(before) > 1:
            kept.append(" ")
        else:
            word = _without_grammar(part)
            kept.append(f" {word} " if len(word) > 1 else " ")
    return f" {''.join(kept)} "


def _without_grammar(run: str) -> str:
    """What is left of hiragana between the grammar at both ends."""
    while found := _LEADING.match(run):
        run = run[found.end() :]
    while found := _TRAILING.search(run):
        run = run[: found.start()]
    return run
