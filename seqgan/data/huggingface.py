"""Open a dataset of the `datasets` library: a hub id, or a local folder or file. Torch-free."""

from pathlib import Path
from typing import Any

from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError, did_you_mean

_LOADERS = {
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".txt": "text",
    ".parquet": "parquet",
}


class Dataset:
    """The splits of the dataset `name`. A local path wins over a hub id of the same name.

    `unnamed` is what its only split is called that was saved without a name; `field` is where the
    configuration stands, such as `data`.
    """

    def __init__(self, name: str, subset: str | None, unnamed: str, field: str) -> None:
        self.name, self.field = name, field
        self._parts = _load_parts(name, subset, unnamed, field)

    def part(self, key: str, split: str) -> Any:
        """The split that option `key` names, or an error that says what there is instead."""
        if split in self._parts:
            return self._parts[split]
        remedy = "" if key == "train_split" else f", or {self.field}.{key}=null to hold out a share"
        raise UserError(
            f"{self.field}.{key}={split!r}: {self.name} has no such split"
            f"{did_you_mean(split, self._parts)}; choose from: {', '.join(self._parts)}{remedy}"
        )

    def check_column(self, part: Any, key: str, column: str) -> None:
        """Refuse a column, named by option `key`, that the split lacks."""
        if column not in part.column_names:
            raise UserError(
                f"{self.field}.{key}={column!r}: {self.name} has no such column"
                f"{did_you_mean(column, part.column_names)}; "
                f"choose from: {', '.join(part.column_names)}"
            )


def _load_parts(name: str, subset: str | None, unnamed: str, field: str) -> dict[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{field}.name='huggingface': the package datasets is not installed; "
            "run: pip install 'seqgan[corpora]'"
        ) from error
    path = Path(name)
    with decoding(
        f"{field}.dataset={name!r}: cannot be loaded",
        f"check the path or hub id and {field}.subset",
        quoted=(OSError, ValueError, datasets.exceptions.DatasetsError),
    ):
        if path.is_file():
            return dict(datasets.load_dataset(_loader(path, field), data_files=str(path)))
        saved = (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()
        loaded: Any = (
            datasets.load_from_disk(str(path)) if saved else datasets.load_dataset(name, subset)
        )
    if isinstance(loaded, datasets.Dataset):  # saved without a name for its only split
        return {str(loaded.split or unnamed): loaded}
    return dict(loaded)


def _loader(path: Path, field: str) -> str:
    if path.suffix not in _LOADERS:
        raise UserError(
            f"{field}.dataset='{path}': cannot read files of type '{path.suffix}'; "
            f"choose from: {', '.join(_LOADERS)}"
        )
    return _LOADERS[path.suffix]
