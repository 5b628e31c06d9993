"""What the quick form of an idea has less of: overrides for the runs of tests."""

FEW_POINTS = ("data.valid=64", "data.test=64")


def few_pictures(*kinds: str) -> tuple[str, ...]:
    """Few drawn pictures of each kind of data, such as `data.a` and `data.b`."""
    splits = ("train", "extractor", "valid", "test")
    return tuple(f"{kind}.source.{split}=64" for kind in kinds for split in splits)


FEW_PICTURES = few_pictures("data")
