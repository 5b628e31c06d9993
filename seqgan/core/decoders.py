"""Other people's decoders on other people's bytes: pictures, archives, models."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from seqgan.core.errors import UserError


class UnusableError(Exception):
    """A file that was decoded, but holds what is of no use here; says why."""


_FOR_PEOPLE = (OSError, SyntaxError, UnusableError)
"""What is raised with words about the file; those of other errors are about the decoder."""


@contextmanager
def decoding(
    what: str, remedy: str, quoted: tuple[type[Exception], ...] = _FOR_PEOPLE
) -> Iterator[None]:
    """Turn what a decoder raises inside the block into a `UserError`: "what (why); remedy".

    On damaged bytes decoders fail in more ways than they name, so whatever
    they raise means that the file cannot be read. The block therefore holds the decoder's call
    only: a mistake of ours has to show itself. Its warnings are not for people; of its errors
    those of the kinds `quoted` are.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} ({_why(error, quoted)}); {remedy}") from None


def _why(error: Exception, quoted: tuple[type[Exception], ...]) -> str:
    if isinstance(error, MemoryError):
        return "it is larger than the memory"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    words = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
    if words and isinstance(error, quoted):
        return words
    return "it is damaged, or of a kind that is not supported"
