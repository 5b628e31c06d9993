"""Captions of faces: what they say, what a person may write, and that both players read them."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from test_picture_games import make_game
from tiny_runs import CONDITIONAL, train

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.models.conditions import SentenceEncoder
from seqgan.runs.saved import open_run
from seqgan.tasks.faces.captions import CAPTIONS, WORDS, draw, parse, read, write, wrong
from seqgan.tasks.faces.drawing import sample_labels

CAPTIONED: dict[str, Any] = {**CONDITIONAL, "data.captions": True}


def all_asked() -> torch.Tensor:
    """Everything that a caption can ask for."""
    rows = torch.tensor(list(product(*(range(-1, size) for size in (2, 4, 3, 2, 2)))))
    return rows[(rows >= 0).any(1)]


def test_captions_say_what_is_asked_for_and_nothing_else() -> None:
    asked = all_asked()
    ids = write(asked)
    assert torch.equal(read(ids), asked)
    assert len(ids.unique(dim=0)) == len(asked) == 539
    for row in range(0, 539, 7):
        assert torch.equal(parse(CAPTIONS.text(ids[row])), asked[row])


def test_drawn_captions_are_true_and_mention_most_things() -> None:
    labels = sample_labels(2000, 0)
    asked = read(draw(labels, 1))
    mentioned = asked >= 0
    assert torch.equal(asked[mentioned], labels[mentioned])
    assert bool(mentioned.any(1).all())
    assert float((mentioned.float().mean(0) - 0.6).abs().max()) < 0.05


def test_a_wrong_caption_says_one_thing_that_is_not_so() -> None:
    torch.manual_seed(0)
    labels = sample_labels(1000, 0)
    ids = draw(labels, 1)
    right, other = read(ids), read(wrong(ids))
    assert torch.equal(right >= 0, other >= 0)
    assert bool(((right != other).sum(1) == 1).all())
    false = (other >= 0) & (other != labels)
    assert bool((false.sum(1) == 1).all())


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        ("long blue hair, glasses", "long blue hair, glasses"),
        ("Glasses blue long HAIR", "long blue hair, glasses"),
        ("no glasses, open mouth, green eyes", "green eyes, open mouth, no glasses"),
    ],
)
def test_a_person_may_write_phrases_in_any_order(words: str, caption: str) -> None:
    assert CAPTIONS.text(CAPTIONS.encode(words)) == caption


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("long purple hair", "captions have no word 'purple'; they are made of: hair, eyes"),
        ("long bleu hair", "'bleu'; did you mean 'blue'"),
        ("long", "'long' is said of nothing; write for example 'long hair'"),
        ("no", "write for example 'no glasses'"),
        ("", "says nothing; write for example 'long blue hair'"),
        ("blue mouth", "mouth cannot be 'blue'"),
        ("long short hair", "hair twice says"),
    ],
)
def test_what_no_caption_says_is_refused(words: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        CAPTIONS.encode(words)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_encoder_reads_words_in_their_order_and_nothing_behind_the_end() -> None:
    torch.manual_seed(0)
    encoder = SentenceEncoder(len(WORDS))
    captions = ("long blue hair", "blue eyes", "long hair, blue eyes", "blue hair, brown eyes")
    vectors = encoder(torch.stack([CAPTIONS.encode(text) for text in captions]))
    assert len(vectors.round(decimals=5).unique(dim=0)) == 4
    short = CAPTIONS.encode("blue eyes")[None]
    torch.testing.assert_close(encoder(short), encoder(short[:, :2]))


@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet"])
def test_both_players_read_the_caption_and_its_encoder_learns(network: str) -> None:
    small = {"hidden": 8, "layers": 1} if network == "mlp" else {"width": 4}
    game = make_game(
        CAPTIONED,
        generator={"name": network, "latent": 3, **small},
        critic={"name": network, **small},
    )
    for phase, name in (("critic", "projection"), ("generator", "labels")):
        ((player, loss, _),) = game.updates(phase)
        player.update(loss)
        encoder = getattr(player.module, name).encoder
        gradients = [p.grad for p in encoder.parameters() if p.requires_grad]
        assert all(g is not None and g.abs().max() > 0 for g in gradients)


def test_the_critics_negatives_are_faces_under_captions_that_are_wrong() -> None:
    game = make_game(CAPTIONED)
    real = game.stream.next()
    torch.manual_seed(0)
    shown = game.criterion.mismatched.batch(real)
    assert torch.equal(shown.x, real.x)
    assert bool(((read(shown.cond) != read(real.cond)).sum(1) == 1).all())


def test_a_run_draws_faces_for_a_caption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(tmp_path / "run", CAPTIONED)
    saved = open_run(folder)
    prompt = "long blue hair, glasses"
    told, other = (saved.sample(4, prompt=text) for text in (prompt, "short red hair"))
    assert isinstance(told, torch.Tensor)
    assert not torch.equal(told, other)
    assert saved.sample(3).shape == (3, 3, 16, 16)
    capsys.readouterr()
    command = ["sample", str(folder), "-n", "4", "-o", str(tmp_path / "x.png"), "--prompt"]
    assert run([*command, prompt]) == 0
    assert run([*command, "long purple hair"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("error: prompt='long purple hair': captions have no word 'purple'")


def test_captions_belong_to_sources_that_have_them_and_prompts_to_captions(tmp_path: Path) -> None:
    digits = {"name": "digits", "train": 24, "extractor": 24, "valid": 16, "test": 16}
    with pytest.raises(UserError, match="the labels of source digits have no words"):
        make_game({**CAPTIONED, "data.source": digits})
    with pytest.raises(UserError, match="was not trained on captions"):
        open_run(train(tmp_path / "run", CONDITIONAL)).sample(2, prompt="glasses")
