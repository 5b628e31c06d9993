"""English-like sentences from a small grammar: text with real letter statistics and no corpus.

A sentence is an expansion of `S` in `_GRAMMAR`; names in capitals are rules or word classes,
everything else stands as it is. The n-th word of a class has weight 1/(n + 2), from common to rare,
so words follow a Zipf-like law and letters are about as frequent as in English prose. There is no
punctuation, no capital and no digit.

The words and the grammar were written for this module. Draws come from numpy's legacy stream,
which never changes: a seed gives the same text everywhere.
"""

import re

import numpy as np
from numpy.typing import NDArray

_WORDS = {
    "D": """the a the his this the her my their our that its your every another some no each
        either neither""",
    "DP": """the these the their those some his many all our two few several three her most both
        four five six seven eight nine ten twenty dozens""",
    "PRO": "he she it they we i you one someone nobody everyone everybody something anyone",
    "OBJ": "it him them her me us you himself something nothing everything themselves myself",
    "NAME": """john mary george james elizabeth william jack anne henry joseph alice peter
        margaret zoe max felix""",
    "N": """time man way day world house work life year hand state place head country school
        night water woman city room father mother church law side week line game money family
        war door table question child business friend point moment case office system story
        book car street company group problem fact power government morning voice face girl boy
        letter road eye field idea word market land hour month river town village machine
        teacher doctor husband wife body paper window garden tree horse dog fire ship bridge
        station king queen captain soldier officer judge jury lawyer president council army
        battle journey subject object project building kitchen corner wall floor chair picture
        summer winter spring evening afternoon song music dance dinner bread glass bottle box
        stone mountain valley forest island lake sea wind storm snow rain sky sun moon star
        animal bird fish farmer worker student player writer artist singer stranger neighbor
        visitor member enemy leader plan program method reason result answer effect change
        knowledge freedom truth peace death love hope fear anger mind heart soul spirit dream
        shadow light color sound noise silence smell taste price prize size value cost bank
        factory theater museum library hospital prison hotel restaurant square quarter inquiry
        equipment technique quality example experience exercise tax zone breeze magazine
        jacket jewel joke knife queue axe wax fox quiz""",
    "NS": """people men years things children days women hands eyes words times friends parts
        houses students ways cases books problems questions families cities others members
        nations workers soldiers officers hours months weeks streets trees lines points facts
        ideas stories leaders letters pictures horses dogs windows doors walls roads fields
        teachers doctors neighbors visitors parents brothers sisters girls boys ships guns
        machines forces laws rights taxes prices changes results reasons methods answers
        feelings thoughts voices songs colors clothes shoes flowers leaves stones stars birds
        boxes objects projects judges examples experiments quarrels zones prizes""",
    "A": """new good old great little other long small own young high large last early public
        white black next important different big local social free possible open whole human
        strong clear true full hard low late common dark short poor cold better simple real deep
        quiet red happy certain special heavy warm bright strange serious empty fine quick green
        wide main beautiful ready easy sharp soft blue tall thin rich tired afraid brown broken
        famous ancient modern national perfect silent narrow gentle wild sweet dry wet round
        flat rough smooth proud brave honest bitter foreign complex major exact extra curious
        lazy dizzy frozen unique equal joyful vague external""",
    "V": """saw had took found made knew left gave told asked heard wanted called used kept
        brought held met followed turned lost needed watched remembered reached passed wrote
        read loved built carried opened showed understood bought sold sent covered moved
        changed noticed caught closed helped led won visited received raised answered pulled
        pushed crossed described expected explained examined questioned joined judged seized
        required acquired enjoyed rejected recognized organized fixed mixed realized""",
    "VB": """be see go get take make find know give tell ask hear have come keep bring hold leave
        think meet follow turn use lose need watch remember reach write read love build carry
        open show understand buy sell send move change notice help work live stay wait speak
        begin stop win visit answer expect explain examine join enjoy require fix seize
        realize recognize organize""",
    "VI": """came went stood sat looked lived died fell waited worked walked spoke began
        stayed laughed slept ran returned arrived appeared happened smiled stopped listened
        talked played vanished failed moved rested wept jumped froze paused""",
    "VG": """being going looking working making taking coming waiting talking trying thinking
        walking playing standing living writing reading running moving watching fighting
        growing changing dying singing sleeping relaxing quarreling amazing freezing""",
    "VN": """made found used taken called given known seen built left sent written lost kept
        broken held told brought covered changed opened closed moved finished followed carried
        required examined expected rejected organized fixed seized""",
    "SAID": "said thought knew believed felt hoped found heard wrote agreed explained realized",
    "ADV": """then now there again here still never always often soon once also just only even
        away together perhaps later almost quickly slowly suddenly finally simply quietly
        nearly really probably certainly usually clearly carefully hardly easily already
        silently exactly""",
    "DEG": "very so too quite more rather much most less extremely",
    "P": """of in to for with on at by from into about over after through under between before
        against behind near across around without toward beyond along upon among inside beside
        during""",
    "WHEN": """when as because if before while after though until since where unless whenever
        although""",
    "CONJ": "and but and so or yet",
}

_PHRASES = {
    "MODAL": """would|could|will|can|must|should|might|may|did not|could not|would not|had to|
        was going to|wanted to|tried to|began to|used to""",
    "TODAY": """today|then|again|at once|in the end|that day|last night|for a while|tomorrow|
        yesterday|of course|at last|in the morning|at night|years ago|next week|after all|
        by the way|in fact|for example|on the other hand""",
}

_GRAMMAR = {
    "S": """5 C | 2 C CONJ C | 2 C WHEN C | 1 WHEN C C | 1 TODAY C | 1 C TODAY |
        1 SUBJ SAID that C""",
    "C": """4 SUBJ V NP | 2 SUBJ V NP PP | 2 SUBJ VI PP | 1 SUBJ VI ADV | 1 SUBJ ADV V NP |
        2 SUBJ MODAL VB NP | 1 SUBJ MODAL VB NP PP | 2 ONE was ADJ | 1 MANY were ADJ |
        1 ONE was VG PP | 1 MANY were VG PP | 1 ONE was VN by NP | 1 MANY had been VN PP |
        1 there was NOUN PP | 1 there were PLURAL PP | 1 it is ADJ to VB NP |
        1 SUBJ had VN NP | 1 ONE is NOUN of NP | 1 MANY are ADJ | 1 ONE has ADV VN NP""",
    "SUBJ": "4 PRO | 4 NOUN | 2 PLURAL | 1 NAME | 1 NOUN PP | 1 NAME and NAME",
    "ONE": "3 NOUN | 1 he | 1 she | 1 it | 1 NAME | 1 NOUN of NP",
    "MANY": "3 PLURAL | 1 they | 1 we | 1 PLURAL of NP | 0.5 you",
    "NP": """6 NOUN | 3 PLURAL | 1.5 OBJ | 0.7 NAME | 1 NOUN and NOUN | 1 NOUN of NOUN |
        0.7 NOUN who V NOUN | 0.7 NOUN which PRO V""",
    "NOUN": "5 D N | 3 D A N | 0.4 D DEG A N | 0.4 D A and A N | 0.3 NAME s N",
    "PLURAL": "4 DP NS | 2 DP A NS | 1 A NS | 1 NS",
    "ADJ": "4 A | 2 DEG A | 1 A and A | 1 not A | 1 as A as NP",
    "PP": "8 P NP | 1 P NP and P NP",
}
"""Rules of each symbol, with their weights."""

_AN = re.compile(r"\ba (?=[aeiou])")


def write_sentences(count: int, stream: np.random.RandomState) -> list[str]:
    """`count` sentences, in small letters and single spaces; repetitions can occur."""
    return [_AN.sub("an ", text) for text in _expand("S", count, stream).tolist()]


def _zipf(words: list[str]) -> tuple[NDArray, NDArray]:
    weight_K = 1 / (np.arange(len(words)) + 2.0)
    return np.array(words, dtype=object), np.cumsum(weight_K) / weight_K.sum()


def _rules(text: str) -> tuple[list[list[str]], NDArray]:
    """The parts of each rule, and the cumulative probabilities of the rules."""
    rules = [rule.split() for rule in text.split("|")]
    weight_K = np.array([float(weight) for weight, *_ in rules])
    return [parts for _, *parts in rules], np.cumsum(weight_K) / weight_K.sum()


_RULES = {symbol: _rules(text) for symbol, text in _GRAMMAR.items()}
_CLASSES = {name: _zipf(words.split()) for name, words in _WORDS.items()} | {
    name: _zipf([" ".join(phrase.split()) for phrase in phrases.split("|")])
    for name, phrases in _PHRASES.items()
}


def _expand(symbol: str, rows: int, stream: np.random.RandomState) -> NDArray:
    """`rows` expansions of a symbol as an array of strings; all rows of a rule go together."""
    if rows == 1:
        return np.array([_expand_one(symbol, stream)], dtype=object)
    if symbol in _CLASSES:
        words_K, cumulative_K = _CLASSES[symbol]
        return words_K[_pick(cumulative_K, rows, stream)]
    written_N = np.empty(rows, dtype=object)
    if symbol not in _RULES:
        written_N[:] = symbol
        return written_N
    rules, cumulative_K = _RULES[symbol]
    chosen_N = _pick(cumulative_K, rows, stream)
    for index, parts in enumerate(rules):
        here = np.flatnonzero(chosen_N == index)
        if not len(here):
            continue
        first, *others = (_expand(part, len(here), stream) for part in parts)
        for other in others:
            first = first + " " + other
        written_N[here] = first
    return written_N


def _expand_one(symbol: str, stream: np.random.RandomState) -> str:
    """What `_expand` would write, from the same draws; most of its rules come to a single row,
    for which arrays are slow."""
    if symbol in _CLASSES:
        words_K, cumulative_K = _CLASSES[symbol]
        return str(words_K[_pick_one(cumulative_K, stream)])
    if symbol not in _RULES:
        return symbol
    rules, cumulative_K = _RULES[symbol]
    parts = rules[_pick_one(cumulative_K, stream)]
    return " ".join([_expand_one(part, stream) for part in parts])


def _pick_one(cumulative_K: NDArray, stream: np.random.RandomState) -> int:
    found = cumulative_K.searchsorted(stream.random_sample(), "right")
    return min(int(found), len(cumulative_K) - 1)


def _pick(cumulative_K: NDArray, rows: int, stream: np.random.RandomState) -> NDArray:
    last = len(cumulative_K) - 1  # rounding can leave the total a hair below one
    return np.minimum(np.searchsorted(cumulative_K, stream.random_sample(rows), "right"), last)
