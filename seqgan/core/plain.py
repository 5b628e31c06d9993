"""Names for dictionaries whose keys are known to those who write and read them."""

from typing import Any

JsonObject = dict[str, Any]
"""An object of JSON or YAML: plain values, lists and further objects."""

StateDict = dict[str, Any]
"""What an object has to be given to go on as before: tensors, plain values and further states."""
