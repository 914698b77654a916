"""Vocabulary: which term a word of a language stands for.

A term is the stem of a word that carries meaning, or a number. Stems come from the Snowball
stemmer of the language; words of a language without one stand for themselves, and so do the
character pairs that `tokens` gives for scripts without spaces. Stemming errs both ways
(university and universe are one stem, buy and bought are two); rarity weights make the
first kind cheap.

Capital letters tell names from words, and three kinds of writing lack that help: Arabic
and Chinese have no capitals, and German gives one to every noun. There a list of the
commonest words of news takes their place: what stands on it is a term and no name. In
Chinese it also tells where words end, for of the pairs in a run of characters only some
are words: a pair that straddles the edge of a listed word is counted as nothing.

A term is stored as the 64-bit xxh3 hash of its text, so a vocabulary of a million terms
holds two with one hash with probability below 1e-7. What a word stands for is worked out
once for each distinct word and kept in a hash table that compiled code reads.

M. F. Porter, "Snowball: a language for stemming algorithms", 2001.
"""

import functools
import importlib.resources
import itertools
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import Stemmer
import xxhash

from transforms.marks import MarkedTokens
from transforms.tokens import mix64

# Longer digit runs are phone numbers and identifiers.
_MAX_DIGITS = 9

_ALGORITHMS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    # Too short to tell: most likely a headline of the commonest language of the web.
    "und": "english",
}
_STOP_WORD_LISTS = {"nb": "no", "nn": "no", "und": "en"}

# Their stop words are characters: a pair with one of them joins two words.
_UNSPACED_LANGUAGES = frozenset({"ja", "zh"})

# Words that are no names, for languages whose capital letters do not say so, in
# data/common_words.
_COMMON_WORD_LISTS = frozenset({"ar", "de", "zh"})

# "And he used" is one word in Arabic. The stemmer takes the "and" off all but the verbs
# of these forms, which open every other sentence of the news.
_ARABIC_AND = re.compile("\u0648(?=\u0627(?:\u0633\u062a|\u0646|.\u062a)\\w{2})")

# "l'homme", "dell'uomo": the word is what follows the apostrophe.
_ELIDING_LANGUAGES = frozenset({"ca", "fr", "it"})

# A German noun after one of these is no name; inflected adjectives are known by their end.
_DETERMINERS = """
der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner
seine seinen seinem seiner ihre ihren ihrem ihrer unsere unseren am im zum zur beim vom ins
ans diese dieser dieses diesen diesem jede jeder jedes jeden mehrere viele alle einige zwei
drei vier fünf sechs sieben acht neun zehn
"""
_ADJECTIVE = re.compile(r"[a-zäöüß]{3,}(?:lich|ig|isch|bar|sam|end|haft|los)e[mnrs]?")
# German nouns made by these endings name no person and no place; most compounds with
# these heads name none either, and those that name streets always do.
_COMMON_NOUN = re.compile(
    r".{3,}(?:ung|ungen|heit|heiten|keit|keiten|schaft|schaften|tion|tionen|ität|itäten|"
    r"ismus|nisse?n?|jährige[nmrs]?)|"
    r".{4,}(?:haus|häuser|wohnung|gebäude|halle|raum|tür|fenster|dach|mauer|auto|fahrzeug|"
    r"fahrer|fahrerin|zug|bahn|unfall|brand|feuer|wehr|polizei|polizist|beamte[nr]?|amt|"
    r"behörde|minister|ministerin|präsident|präsidentin|chef|chefin|sprecher|sprecherin|"
    r"anwalt|anwältin|gericht|verfahren|prozess|urteil|gesetz|vertrag|auftrag|unternehmen|"
    r"konzern|preise?n?|kosten|geld|prozent|markt|handel|partei|wahl|rat|abend|morgen|nacht|"
    r"mittag|woche|monat|jahre?n?s?|tage?n?|stunden?|minuten?|zeit|frau|kind|kinder|leute|"
    r"arbeit|arbeiter|plan|pläne|spiele?r?|trainer|gefahr|opfer|zahl|zahlen|stelle|kraft|"
    r"kräfte|bericht)"
)
_STREET = re.compile(
    r".{3,}(?:straße|strasse|gasse|allee|platz|chaussee|ufer|brücke|viertel|tunnel)"
)


# What a word does to its neighbours.
DETERMINER, STREET, COMMON = 1, 2, 3


class Meanings(NamedTuple):
    """What the tokens of some texts stand for.

    Attributes:
      terms: uint64, shape (s,). Hash of the term; zero for a stop word.
      names: uint64, shape (s,). Hash of the term as a name; zero for a number and a
        common word as well.
      roles: uint8, shape (s,). DETERMINER: a noun may follow, whose capital marks no
        name. STREET: a name even so. COMMON: a common word. Or zero.
    """

    terms: npt.NDArray[np.uint64]
    names: npt.NDArray[np.uint64]
    roles: npt.NDArray[np.uint8]


def term_hash(stem: str) -> int:
    """Give the 64-bit hash under which a stem or number is counted as a term."""
    return xxhash.xxh3_64_intdigest(b"t:" + stem.encode())


def name_hash(stem: str) -> int:
    """Give the 64-bit hash under which a stem is counted as a name."""
    return xxhash.xxh3_64_intdigest(b"n:" + stem.encode())


def stems(words: Iterable[str], language: str) -> list[str]:
    """Reduce words to what they are counted under; "" for a word that is not counted.

    >>> stems(["The", "Shootings", "Trump's", "1200"], "en")
    ['', 'shoot', 'trump', '1200']
    """
    kept = [_meaningful(fold(word), language) for word in words]
    stemmer = _stemmer(language)
    return stemmer.stemWords(kept) if stemmer else kept


def fold(word: str) -> str:
    """Write a token as its hash sees it: equal for all words of one token hash."""
    if word.isascii():
        return word.lower()
    word = "".join(
        str(unicodedata.decimal(letter, letter))
        for letter in word
        if unicodedata.category(letter) not in ("Cf", "Me")
        and not "\ufe00" <= letter <= "\ufe0f"
    )
    folded = unicodedata.normalize("NFKC", word.casefold())
    return re.sub("[\u2018\u2019\u201b\u02bc\uff07]", "'", folded)


class Vocabulary:
    """What each word of each language stands for, learnt as words are met.

    One for the process, shared by its threads. What a word stands for depends on the word
    and its language alone, so what was learnt before never changes a result.

    A hash table gives for a key, which is of word and language, the number of an entry.
    Entries stand in the order in which they were learnt, so that common words, which come
    early, stand close together.
    """

    def __init__(self, limit: int = 1 << 20) -> None:
        """Begin empty; forget everything once more than `limit` words are known."""
        self._limit = limit
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        # Entry 0 means nothing.
        self._known = 1
        self._table = np.zeros((1 << 16, 2), np.uint64)
        self._meanings = np.zeros((1 << 15, 2), np.uint64)
        self._roles = np.zeros(1 << 15, np.uint8)

    def look_up(
        self, tokens: MarkedTokens, languages: Sequence[str], max_words: int
    ) -> Meanings:
        """Do what the function `look_up` says."""
        salts = np.array([_salt(language) for language in languages], np.uint64)
        with self._lock:
            if self._known > self._limit:
                self._forget()
            *meanings, missing, texts = _look_up(
                tokens.hashes,
                tokens.offsets,
                salts,
                max_words,
                self._table,
                self._meanings,
                self._roles,
            )
            if missing.size:
                self._learn(tokens, languages, salts, missing, texts)
                keys = tokens.hashes[missing] ^ salts[texts]
                _fill(keys, missing, self._table, self._meanings, self._roles, *meanings)
        _drop_straddling(tokens.starts, tokens.ends, *meanings)
        return Meanings(*meanings)

    def _learn(
        self,
        tokens: MarkedTokens,
        languages: Sequence[str],
        salts: npt.NDArray[np.uint64],
        missing: npt.NDArray[np.int64],
        texts: npt.NDArray[np.int64],
    ) -> None:
        keys, first = np.unique(tokens.hashes[missing] ^ salts[texts], return_index=True)
        # In the order of the texts, as said above.
        order = np.argsort(first)
        keys, first = keys[order], first[order]
        words_of: dict[str, list[int]] = {}
        for place, text in enumerate(texts[first].tolist()):
            words_of.setdefault(languages[text], []).append(place)
        learnt = slice(self._known, self._known + keys.size)
        self._known += keys.size
        while self._known > self._roles.size:
            self._roles = np.concatenate([self._roles, np.zeros_like(self._roles)])
            self._meanings = np.concatenate([self._meanings, np.zeros_like(self._meanings)])
        meanings, roles = self._meanings[learnt], self._roles[learnt]
        for language, places in words_of.items():
            words = tokens.words(missing[first[places]])
            for place, word, stem in zip(
                places, words, stems(words, language), strict=True
            ):
                role = _role(word, stem, language)
                roles[place] = role
                if stem:
                    meanings[place, 0] = term_hash(stem)
                    if role != COMMON and not stem.isdecimal():
                        meanings[place, 1] = name_hash(stem)
        if self._known * 2 > len(self._table):
            old, self._table = self._table, np.zeros((4 * len(self._table), 2), np.uint64)
            _insert(old[:, 0], old[:, 1], self._table)
        numbers = np.arange(learnt.start, learnt.stop, dtype=np.uint64)
        _insert(keys, numbers, self._table)


_SHARED = Vocabulary()


def look_up(tokens: MarkedTokens, languages: Sequence[str], max_words: int) -> Meanings:
    """Give what the first words of each text stand for.

    Args:
      tokens: of n texts.
      languages: shape (n,). ISO 639-1 codes, "und" where unknown.
      max_words: of each text; everything past them is zero.
    """
    return _SHARED.look_up(tokens, languages, max_words)


@functools.cache
def _salt(language: str) -> int:
    return xxhash.xxh3_64_intdigest(language.encode())


@functools.cache
def _stop_words(language: str) -> frozenset[str]:
    name = f"{_STOP_WORD_LISTS.get(language, language)}.txt"
    file = importlib.resources.files("transforms") / "data" / "stopwords" / name
    if not file.is_file():
        return frozenset()
    return frozenset(map(fold, file.read_text(encoding="utf-8").split()))


@functools.cache
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    if language not in _ALGORITHMS:
        return None
    return Stemmer.Stemmer(_ALGORITHMS[language], 0)


def _meaningful(word: str, language: str) -> str:
    """Give the part of a folded word that is stemmed, "" for a stop word."""
    stop_words = _stop_words(language)
    if word in stop_words:
        return ""
    if language == "ar":
        word = _ARABIC_AND.sub("", word)
    if "'" in word:
        before, after = word.split("'", 1)
        word = after if language in _ELIDING_LANGUAGES else word
        word = before if after == "s" else word
        if word in stop_words:
            return ""
    if word.isdecimal():
        return word if len(word) <= _MAX_DIGITS else ""
    if len(word) == 1 and (word.upper() != word or language in _UNSPACED_LANGUAGES):
        return ""
    if language in _UNSPACED_LANGUAGES and not stop_words.isdisjoint(word):
        return ""
    return word if any(map(str.isalpha, word)) else ""


@functools.cache
def _common_stems(language: str) -> frozenset[str]:
    """Give the stems of the common words of a language; of Chinese, their pairs."""
    if language not in _COMMON_WORD_LISTS:
        return frozenset()
    folder = importlib.resources.files("transforms") / "data" / "common_words"
    words = (folder / f"{language}.txt").read_text(encoding="utf-8").split()
    if language in _UNSPACED_LANGUAGES:
        words = [a + b for word in words for a, b in itertools.pairwise(word)]
    if language == "ar":
        # The stem of some words depends on whether the article stands before them.
        words += ["\u0627\u0644" + word for word in words]
    return frozenset(stems(words, language)) - {""}


def _role(word: str, stem: str, language: str) -> int:
    """Tell what a word does to its neighbours, and whether it can be a name."""
    if language == "de":
        folded = fold(word)
        if folded in _determiners() or _ADJECTIVE.fullmatch(word):
            return DETERMINER
        if _STREET.fullmatch(folded):
            return STREET
        if _COMMON_NOUN.fullmatch(folded):
            return COMMON
    if language not in _COMMON_WORD_LISTS:
        return 0
    return COMMON if stem in _common_stems(language) else 0


@functools.cache
def _determiners() -> frozenset[str]:
    return frozenset(_DETERMINERS.split())


@numba.njit(cache=True, nogil=True)
def _drop_straddling(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    terms: npt.NDArray[np.uint64],
    names: npt.NDArray[np.uint64],
    roles: npt.NDArray[np.uint8],
) -> None:
    """Forget the pairs of characters that overlap with a common word and are none."""
    for token in range(starts.size):
        if terms[token] == 0 or roles[token] == COMMON:
            continue
        before = token > 0 and starts[token] < ends[token - 1]
        after = token + 1 < starts.size and starts[token + 1] < ends[token]
        if (before and roles[token - 1] == COMMON) or (
            after and roles[token + 1] == COMMON
        ):
            terms[token] = 0
            names[token] = 0


@numba.njit(cache=True, nogil=True)
def _place(key: np.uint64, table: npt.NDArray[np.uint64]) -> np.int64:
    """Where a key stands in the table, or the free place where it would."""
    mask = np.uint64(len(table) - 1)
    place = mix64(key) & mask
    while table[place, 0] != 0 and table[place, 0] != key:
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@numba.njit(cache=True, nogil=True)
def _insert(
    keys: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.uint64],
    table: npt.NDArray[np.uint64],
) -> None:
    """Put keys that are not zero into the table, with the numbers of their entries."""
    for i in range(keys.size):
        if keys[i]:
            place = _place(keys[i], table)
            table[place, 0] = keys[i]
            table[place, 1] = numbers[i]


@numba.njit(cache=True, nogil=True)
def _look_up(
    hashes: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    salts: npt.NDArray[np.uint64],
    max_words: int,
    table: npt.NDArray[np.uint64],
    meanings: npt.NDArray[np.uint64],
    roles: npt.NDArray[np.uint8],
) -> tuple[
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint8],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
]:
    term_of = np.zeros(hashes.size, np.uint64)
    name_of = np.zeros(hashes.size, np.uint64)
    role_of = np.zeros(hashes.size, np.uint8)
    missing = np.empty(hashes.size, np.int64)
    texts = np.empty(hashes.size, np.int64)
    found = 0
    for text in range(offsets.size - 1):
        salt = salts[text]
        for token in range(
            offsets[text], min(offsets[text + 1], offsets[text] + max_words)
        ):
            key = hashes[token] ^ salt
            place = _place(key, table)
            if table[place, 0] == key:
                number = table[place, 1]
                term_of[token] = meanings[number, 0]
                name_of[token] = meanings[number, 1]
                role_of[token] = roles[number]
            else:
                missing[found] = token
                texts[found] = text
                found += 1
    return term_of, name_of, role_of, missing[:found], texts[:found]


@numba.njit(cache=True, nogil=True)
def _fill(
    keys: npt.NDArray[np.uint64],
    tokens: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint64],
    meanings: npt.NDArray[np.uint64],
    roles: npt.NDArray[np.uint8],
    term_of: npt.NDArray[np.uint64],
    name_of: npt.NDArray[np.uint64],
    role_of: npt.NDArray[np.uint8],
) -> None:
    """Write what the keys of some tokens stand for."""
    for i in range(keys.size):
        number = table[_place(keys[i], table), 1]
        term_of[tokens[i]] = meanings[number, 0]
        name_of[tokens[i]] = meanings[number, 1]
        role_of[tokens[i]] = roles[number]
