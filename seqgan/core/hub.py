"""Loading from a Hugging Face hub id or a local folder, which never leads to a request to the hub.

The library is imported when it is needed, which takes two seconds.
"""

import logging
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError


def import_transformers(field: str) -> ModuleType:
    """The library. `field` is the setting that asks for it, for the message where it is missing."""
    try:
        import transformers
    except ImportError as error:
        raise UserError(
            f"{field}: the package transformers is not installed; run: pip install 'seqgan[hf]'"
        ) from error
    # What it has to say about loading is said here, in one line, where it matters.
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return transformers


def is_local(path: str) -> bool:
    """Whether `path` is a folder here, and no hub id."""
    return Path(path).is_dir()


def loading(setting: str, path: str, files: str) -> AbstractContextManager[None]:
    """Around the library's loading of what stands at `path`: its errors become a `UserError`.

    `files` should be there.
    """
    return decoding(
        f"{setting}={path!r}: cannot be loaded",
        f"give a folder with {files}, or a hub id that is in the local cache or can be reached",
        quoted=(OSError, ImportError),
    )
