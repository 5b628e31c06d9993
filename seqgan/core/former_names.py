"""Names that earlier versions wrote into run folders."""


def present_name(data: str, metric: str) -> str:
    """`in_train` was `copied` in runs on text; elsewhere `copied` is the share of words taken from
    the source. `data` is the configuration's data.name."""
    is_former = metric == "copied" and data in ("text", "huggingface")
    return "in_train" if is_former else metric
