"""How text becomes the words that it is found by.

``standard`` follows the default word boundaries of Unicode (UAX #29) closely: letters and digits stay together, also over
an apostrophe or a full stop within a word, and each ideograph is a word of its own.
"""

from __future__ import annotations

from functools import cache

from tantivy import Filter, Index, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

_ALONE = r"\p{Han}\p{Hiragana}\p{Thai}"
_WORD = rf"[\p{{L}}\p{{N}}\p{{M}}_&&[^{_ALONE}]]+"
_STANDARD = rf"[{_ALONE}]|{_WORD}(?:['\u2019.]{_WORD})*"
_LONGEST = 255

LANGUAGES = (
    "arabic",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
)
"""Analyzers that find a word by its stem."""

ANALYZERS = ("standard", "simple", "whitespace", "keyword", *LANGUAGES)
"""Names of all analyzers."""

_WITHOUT_STOPWORDS = frozenset(("arabic", "greek", "romanian", "tamil", "turkish"))


@cache
def analyzer(name: str) -> TextAnalyzer:
    """Return the analyzer of a name.

    Args:
        name: One of :data:`ANALYZERS`.
    """
    if name == "keyword":
        return TextAnalyzerBuilder(Tokenizer.raw()).build()
    if name == "whitespace":
        return TextAnalyzerBuilder(Tokenizer.whitespace()).build()
    if name == "simple":
        letters = TextAnalyzerBuilder(Tokenizer.regex(r"\p{L}+"))
        return letters.filter(Filter.lowercase()).build()
    words = TextAnalyzerBuilder(Tokenizer.regex(_STANDARD)).filter(Filter.remove_long(_LONGEST))
    words = words.filter(Filter.lowercase())
    if name in LANGUAGES:
        if name not in _WITHOUT_STOPWORDS:
            words = words.filter(Filter.stopword(name))
        words = words.filter(Filter.stemmer(name))
    return words.build()


def register(index: Index, names: set[str]) -> None:
    """Make an index know analyzers.

    Args:
        index: Which one.
        names: Those that its fields use.
    """
    for name in names:
        index.register_tokenizer(name, analyzer(name))


def words(name: str, text: str) -> list[tuple[int, str]]:
    """Return the words of a text, each with its position.

    Args:
        name: Of the analyzer.
        text: What is analyzed.
    """
    return [(token.position, token.text) for token in analyzer(name).pre_tokenize(text).tokens]


def places(name: str, text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text, each with the characters that it stands for, from and up to.

    Args:
        name: Of the analyzer.
        text: What is analyzed.
    """
    found = analyzer(name).pre_tokenize(text).tokens
    return [(t.text, t.char_offset_from, t.char_offset_to or t.char_offset_from) for t in found]
