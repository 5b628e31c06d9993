"""Posts and replies of a small grammar, for a chatbot whose replies can be checked.

A post tells of something, and a reply takes it up: words of the post stand in all replies but the
two general ones, so that a reply to another post is seldom one to this.

    we fly to lisbon on monday        how long will you stay in lisbon ?
    i cooked noodles for my sister    did your sister like the noodles ?

A post's form and each of its words are uniform over those listed here. One reply in ten is a
general one; otherwise a form for this kind of post is drawn, each as likely as any other. So there
are several true replies to a post, and each is seen after many posts.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_GENERAL = ("i see .", "tell me more .")
_GENERAL_SHARE = 0.1

_WORDS: dict[str, tuple[str, ...]] = {
    "city": ("lisbon", "oslo", "kyoto", "lima", "cairo", "delhi", "quito", "dakar", "riga"),
    "time": ("tomorrow", "tonight", "on monday", "next week", "in june"),
    "food": ("noodles", "beans", "pancakes", "dumplings", "carrots", "lentils", "potatoes"),
    "guest": ("sister", "brother", "aunt", "uncle", "teacher", "neighbour"),
    "pet": ("cat", "dog", "parrot", "rabbit", "hamster", "turtle", "goat"),
    "mood": ("asleep", "hungry", "angry", "lonely", "afraid"),
    "subject": ("physics", "history", "music", "french", "biology", "chess", "law"),
}
_KINDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("we fly to {city} {time}", "i will be in {city} {time}"),
        (
            "how long will you stay in {city} ?",
            "what will you see in {city} ?",
            "i have never been to {city} .",
            "so you leave {time} ?",
        ),
    ),
    (
        ("i cooked {food} for my {guest}", "my {guest} and i ate {food}"),
        (
            "did your {guest} like the {food} ?",
            "i love {food} , too .",
            "say hello to your {guest} .",
        ),
    ),
    (
        ("my {pet} is {mood} {time}", "the {pet} was {mood} again"),
        (
            "why is the {pet} {mood} ?",
            "my {pet} is never {mood} .",
            "be kind to your {pet} .",
        ),
    ),
    (
        ("i have an exam in {subject} {time}", "my {guest} teaches {subject}"),
        (
            "is {subject} hard ?",
            "i was never good at {subject} .",
            "good luck with {subject} !",
        ),
    ),
)


def write_pairs(pairs: int, seed: int) -> list[tuple[str, str]]:
    """(post, reply), drawn independently from the seed."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return [_draw(generator) for _ in range(pairs)]


def fits(post: str, reply: str) -> bool:
    """Whether the grammar could have given this reply to this post."""
    return reply in _GENERAL or reply in _replies().get(post, ())


def _draw(generator: np.random.Generator) -> tuple[str, str]:
    posts, replies = _pick(generator, _KINDS)
    # All words are drawn, also those that the form has no place for: forms share one stream.
    words = {slot: _pick(generator, choices) for slot, choices in _WORDS.items()}
    post = _pick(generator, posts)
    possible = [reply for reply in replies if _slots(reply) <= _slots(post)]
    general = generator.random() < _GENERAL_SHARE
    reply = _pick(generator, _GENERAL if general else possible)
    return post.format(**words), reply.format(**words)


def _pick(generator: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(generator.integers(len(choices)))]


@cache
def _replies() -> dict[str, set[str]]:
    """The particular replies to every post that there is."""
    found: dict[str, set[str]] = {}
    for posts, replies in _KINDS:
        for post in posts:
            possible = [reply for reply in replies if _slots(reply) <= _slots(post)]
            for words in _fillings(_slots(post)):
                answers = found.setdefault(post.format(**words), set())
                answers |= {reply.format(**words) for reply in possible}
    return found


def _fillings(slots: set[str]) -> Iterator[dict[str, str]]:
    names = sorted(slots)
    for words in product(*(_WORDS[name] for name in names)):
        yield dict(zip(names, words, strict=True))


def _slots(form: str) -> set[str]:
    """The places of a form."""
    return {slot for slot in _WORDS if f"{{{slot}}}" in form}
