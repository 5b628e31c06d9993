"""What stands behind a sentence is its tokenizer's end token, whatever number that has.

The tokenizers of words have it at 0, where filling with zeros looks right.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqgan.core.config import validate
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.data.unpaired_text import encode_lines

END, LENGTH = 3, 4


class EndLast:
    """a is 0, b is 1; then the unknown token, then the end."""

    vocab_size, unk_id, end_id = 4, 2, END

    def encode(self, line: str) -> list[int]:
        return [{"a": 0, "b": 1}.get(word, self.unk_id) for word in line.split()]

    def decode(self, ids: Iterable[int]) -> str:
        row = list(ids)
        return " ".join("ab?"[index] for index in row[: [*row, END].index(END)])

    def vocabulary(self) -> list[str]:
        return ["a", "b", "<unk>", "<eos>"]

    def save(self, folder: Path) -> None:
        pass


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def assert_padded(ids_NT: Tensor, mask_NT: Tensor, lines: list[str]) -> None:
    assert len(ids_NT) == len(lines)
    for ids, mask, line in zip(ids_NT.tolist(), mask_NT.tolist(), lines, strict=True):
        written = EndLast().encode(line)
        missing = LENGTH - len(written)
        assert ids == written + [END] * missing
        assert mask == [True] * (len(written) + 1) + [False] * (missing - 1)


def test_sentences(tmp_path: Path) -> None:
    lines = {"train": ["a", "b a", "a a b"], "valid": ["a a", "b"], "test": ["a"]}
    paths = {name: write(tmp_path / name, *part) for name, part in lines.items()}
    config = TextDataConfig(
        name="text",
        path=paths["train"],
        valid_path=paths["valid"],
        test_path=paths["test"],
        length=LENGTH,
    )
    tokenizer: Any = EndLast()
    corpus = config.build_corpus(tokenizer)
    assert corpus.space.end_id == END
    for name, part in lines.items():
        split = getattr(corpus, name)
        assert_padded(split.ids_NT, split.mask_NT, part)


def test_prompts_and_responses(tmp_path: Path) -> None:
    prompts = {"train": ["a b", "b", "b b"], "valid": ["a"], "test": ["b a"]}
    responses = {"train": ["a", "b a", "a a b"], "valid": ["a a"], "test": ["a"]}
    source: dict[str, Any] = {"name": "lines"}
    for name in prompts:
        source[name] = {
            "prompts": write(tmp_path / f"{name}.p", *prompts[name]),
            "responses": write(tmp_path / f"{name}.r", *responses[name]),
        }
    tree = {"name": "prompted_text", "source": source, "prompt_length": 3, "length": LENGTH}
    tokenizer: Any = EndLast()
    text = validate(PromptedTextConfig, tree, "data").build_text(tokenizer)
    for name in prompts:
        batch = getattr(text, name).batch
        assert_padded(batch.x, batch.mask, responses[name])
        told = [EndLast().encode(line) for line in prompts[name]]
        assert batch.cond.tolist() == [[END] * (3 - len(ids)) + ids for ids in told]


def test_two_kinds_of_text(tmp_path: Path) -> None:
    lines = {"a": ["a", "b a", "a a b"], "b": ["a a", "b", "b b a"]}
    held_out = {side: write(tmp_path / f"held.{side}", part[0]) for side, part in lines.items()}
    sides = {
        side: {"path": write(tmp_path / side, *part), "length": LENGTH}
        for side, part in lines.items()
    }
    tree = {"name": "unpaired_text", **sides, "valid": held_out, "test": held_out, "score": []}
    tokenizer: Any = EndLast()
    config = UnpairedTextConfig.model_validate(tree)
    text = config.build_text((tokenizer, tokenizer))
    for side, part in lines.items():
        split = getattr(text, side).train
        assert_padded(split.ids_NT, split.mask_NT, part)
        assert_padded(*encode_lines(part, getattr(text, side)), part)
    assert torch.equal(text.a.valid.ids_NT[0], torch.tensor([0, END, END, END]))
