"""Open a dataset of the `datasets` library: a hub id, or a local folder or file. Torch-free.

`field` is where the configuration stands, such as `data`; messages begin with it.
"""

from pathlib import Path
from typing import Any

from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError, did_you_mean
from seqgan.data.corpus_config import HuggingFaceDataConfig
from seqgan.data.picture_config import HuggingFacePicturesConfig
from seqgan.data.prompted_config import HuggingFacePairsConfig

DatasetConfig = HuggingFaceDataConfig | HuggingFacePicturesConfig | HuggingFacePairsConfig

_LOADERS = {
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".txt": "text",
    ".parquet": "parquet",
}


def load_parts(config: DatasetConfig, field: str) -> dict[str, Any]:
    """Splits by name. A local path wins over a hub id of the same name."""
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{field}.name='huggingface': the package datasets is not installed; "
            "run: pip install 'seqgan[corpora]'"
        ) from error
    path = Path(config.dataset)
    with decoding(
        f"{field}.dataset={config.dataset!r}: cannot be loaded",
        f"check the path or hub id and {field}.subset",
        quoted=(OSError, ValueError, datasets.exceptions.DatasetsError),
    ):
        if path.is_file():
            return dict(datasets.load_dataset(_loader(path, field), data_files=str(path)))
        saved = (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()
        loaded: Any = (
            datasets.load_from_disk(str(path))
            if saved
            else datasets.load_dataset(config.dataset, config.subset)
        )
    if isinstance(loaded, datasets.Dataset):  # saved without a name for its only split
        return {str(loaded.split or config.train_split): loaded}
    return dict(loaded)


def pick_part(config: DatasetConfig, parts: dict[str, Any], field: str, key: str) -> Any:
    """The split that `config.<key>` names, or an error that says what there is instead."""
    split = getattr(config, key)
    if split in parts:
        return parts[split]
    remedy = "" if key == "train_split" else f", or {field}.{key}=null to hold out a share"
    raise UserError(
        f"{field}.{key}={split!r}: {config.dataset} has no such split"
        f"{did_you_mean(split, parts)}; choose from: {', '.join(parts)}{remedy}"
    )


def check_column(config: DatasetConfig, part: Any, field: str, key: str) -> str:
    """The column that `config.<key>` names, if the split has it."""
    column = getattr(config, key)
    if column not in part.column_names:
        raise UserError(
            f"{field}.{key}={column!r}: {config.dataset} has no such column"
            f"{did_you_mean(column, part.column_names)}; "
            f"choose from: {', '.join(part.column_names)}"
        )
    return str(column)


def _loader(path: Path, field: str) -> str:
    if path.suffix not in _LOADERS:
        raise UserError(
            f"{field}.dataset='{path}': cannot read files of type '{path.suffix}'; "
            f"choose from: {', '.join(_LOADERS)}"
        )
    return _LOADERS[path.suffix]
