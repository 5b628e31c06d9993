"""The conditional game on prompts: which network gets which condition, up to the command line."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_runs import (
    assert_same_run,
    last_checkpoint,
    metric_lines,
    tiny_experiment,
    train,
    write_config,
)
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.cli import run
from seqgan.core.enumeration import all_sequences
from seqgan.data.oracle_config import ConditionalOracleConfig
from seqgan.data.tokenizers import load_tokenizer
from seqgan.decoding import Greedy, sample
from seqgan.experiment import load_experiment, load_run
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.mismatched import wrong_prompts
from seqgan.metrics.divergence import exact_divergences
from seqgan.runs import sampling
from seqgan.runs.folder import read_prompts, read_space
from seqgan.runs.outcome import open_reported
from seqgan.runs.weights import load_generator
from seqgan.study import load_study, plan
from seqgan.training.trainer import Trainer

CPU = torch.device("cpu")
Capture = pytest.CaptureFixture[str]

ORACLE: dict[str, Any] = {
    "data": {
        "name": "conditional_oracle",
        "prompt": 2,
        "train": 64,
        "valid": 32,
        "test": 32,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
    },
    "game": {"name": "conditional", "mismatched": 0.25},
    "estimator": {"name": "score_function", "samples": 2},
}
"""Twelve steps on answers of an oracle."""
DISTILLATION: dict[str, Any] = {
    **ORACLE,
    "game": {"name": "conditional", "mismatched": 0.0},
    "critic": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    "objective": {"name": "rsgan", "paired": True},
    "estimator": {"name": "grpo", "samples": 4},
}


def write_pairs(folder: Path) -> dict[str, Any]:
    """Overrides that train on sixty short pairs, with prompts of which no response is known."""
    folder.mkdir(exist_ok=True)
    nouns, verbs = ("cat", "dog", "owl", "cow", "hen"), ("runs", "sings", "sits", "eats")
    pairs = [(f"the {noun} {verb}", f"why {verb} the {noun} ?") for noun in nouns for verb in verbs]
    rows = [{"prompt": prompt, "response": response} for prompt, response in pairs * 3]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "more.txt").write_text("".join(f"the {n} {v}\n" for n in nouns for v in nouns))
    source = {"name": "jsonl", "path": str(folder / "pairs.jsonl")}
    source |= {"valid_path": source["path"], "test_path": source["path"]}
    return {
        **ORACLE,
        "data": {
            "name": "prompted_text",
            "source": source,
            "prompt_length": 4,
            "length": 6,
            "prompts": str(folder / "more.txt"),
        },
    }


def make_game(tree: dict[str, Any], **overrides: Any) -> AdversarialGame:
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment(tree | changed)
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, AdversarialGame)
    return game


class Spy(nn.Module):
    """Stands before a critic and remembers what it is asked."""

    def __init__(self, critic: Any) -> None:
        super().__init__()
        self.critic = critic
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, mask: Tensor, cond: Tensor) -> Any:
        self.asked.append((x.detach(), cond))
        return self.critic(x, mask, cond)


def spy_on(game: AdversarialGame) -> Spy:
    spy = Spy(game.critic.module)
    game.critic.module = spy
    return spy


def coming(game: AdversarialGame) -> Any:
    """The batch that the stream will give next."""
    position = game.stream.state_dict()
    real = game.stream.next()
    game.stream.load_state_dict(position)
    return real


# ── Conditions ────────────────────────────────────────────────────────────────────────────────


def test_wrong_prompts_are_the_next_that_differ() -> None:
    a, b, c = [1, 2], [1, 3], [0, 2]
    cond = torch.tensor([a, a, b, c, a])
    assert wrong_prompts(cond).tolist() == [b, b, c, a, b]
    different = torch.arange(5)[:, None]
    assert wrong_prompts(different)[:, 0].tolist() == [1, 2, 3, 4, 0]
    assert wrong_prompts(torch.tensor([a, a])).tolist() == [a, a]


@pytest.mark.parametrize("samples", [1, 3])
def test_the_critic_sees_real_generated_and_mismatched_behind_the_right_prompts(samples) -> None:
    game = make_game(ORACLE, estimator={"name": "score_function", "samples": samples})
    spy, real = spy_on(game), coming(game)
    list(game.updates("critic"))
    (x_real, c_real), (x_fake, c_fake), (x_wrong, c_wrong) = spy.asked
    assert torch.equal(x_real, real.x)
    assert torch.equal(c_real, real.cond)
    assert torch.equal(c_fake, real.cond.repeat(samples, 1))
    assert len(x_fake) == samples * 8
    assert torch.equal(x_wrong, real.x)
    assert torch.equal(c_wrong, wrong_prompts(real.cond))
    assert (c_wrong != real.cond).any(1).all()


def test_the_critics_loss_is_the_documented_mixture() -> None:
    game = make_game(ORACLE)
    critic = game.critic.module
    spy = spy_on(game)
    ((_, loss, _),) = game.updates("critic")
    ones = torch.ones(1, 3, dtype=torch.bool)
    real, fake, wrong = (critic(x, ones.expand(len(x), -1), cond).score for x, cond in spy.asked)
    expected = (
        F.softplus(-real).mean() + 0.75 * F.softplus(fake).mean() + 0.25 * F.softplus(wrong).mean()
    )
    torch.testing.assert_close(loss, expected)
    assert abs(float((fake.mean() - wrong.mean()).detach())) > 1e-4, "the test says nothing"


def test_the_generator_is_rewarded_behind_the_prompts_it_was_told() -> None:
    game = make_game(ORACLE)
    spy, real = spy_on(game), coming(game)
    conds: list[Tensor] = []
    generator = game.players["generator"].module
    start = generator.start
    generator.start = lambda batch, cond=None: conds.append(cond) or start(batch, cond)
    list(game.updates("generator"))
    ((_, measured),) = spy.asked
    assert torch.equal(conds[0], real.cond.repeat(2, 1))
    assert torch.equal(measured, conds[0])


def test_a_student_is_compared_with_the_teachers_answer_to_the_same_prompt() -> None:
    """log σ(d_f − d_r) pair by pair; and the mean advantage of each prompt's group is 0."""
    game = make_game(DISTILLATION)
    critic = game.critic.module
    spy, real = spy_on(game), coming(game)
    ((_, _, stats),) = game.updates("generator")
    (x_real, c_real), (x_fake, c_fake) = spy.asked
    assert torch.equal(x_real, real.x)
    assert torch.equal(c_real, real.cond)
    assert torch.equal(c_fake, real.cond.repeat(4, 1))
    critic.eval()
    d_real = critic(x_real, torch.ones_like(x_real, dtype=torch.bool), c_real).score
    d_fake = critic(x_fake, torch.ones_like(x_fake, dtype=torch.bool), c_fake).score
    values = [F.logsigmoid(d_fake[row] - d_real[row % 8]) for row in range(32)]
    torch.testing.assert_close(stats["return"], torch.stack(values).mean())


def test_the_critic_of_a_distillation_tells_pairs_apart() -> None:
    game = make_game(DISTILLATION)
    critic = game.critic.module
    spy = spy_on(game)
    ((_, loss, _),) = game.updates("critic")
    (x_real, c_real), (x_fake, c_fake) = spy.asked
    d_real = critic(x_real, torch.ones_like(x_real, dtype=torch.bool), c_real).score
    d_fake = critic(x_fake, torch.ones_like(x_fake, dtype=torch.bool), c_fake).score
    pairs = [-F.logsigmoid(d_real[row % 8] - d_fake[row]) for row in range(32)]
    torch.testing.assert_close(loss, torch.stack(pairs).mean())


def test_likelihood_is_that_of_the_answer_behind_its_prompt() -> None:
    game = make_game(ORACLE)
    real = coming(game)
    ((player, loss, _),) = game.updates("mle")
    inner = player.module.inner
    logits = inner(torch.cat([real.cond, real.x], 1))[:, 2:]
    expected = F.cross_entropy(logits.flatten(0, 1), real.x.flatten())
    torch.testing.assert_close(loss, expected)


def test_the_likelihood_enters_the_generators_loss_with_its_weight() -> None:
    game = make_game(ORACLE, game={"name": "conditional", "mle_weight": 0.5})
    plain = make_game(ORACLE)
    losses = []
    for one in (game, plain):
        torch.manual_seed(3)
        ((_, loss, stats),) = one.updates("generator")
        losses.append(loss)
    likelihood = [value for name, value in stats.items() if name == "nll_train"]
    assert likelihood == []
    real = coming(make_game(ORACLE))
    logits = plain.players["generator"].module(real.x, real.cond)
    nll = F.cross_entropy(logits.flatten(0, 1), real.x.flatten())
    torch.testing.assert_close(losses[0], losses[1] + 0.5 * nll)


# ── Prompts without responses ─────────────────────────────────────────────────────────────────


def test_prompts_without_responses_are_told_to_the_generator_alone(tmp_path: Path) -> None:
    game = make_game(write_pairs(tmp_path))
    spy, real = spy_on(game), coming(game)
    position = game._prompts.state_dict()
    further = game._prompts.next().x
    game._prompts.load_state_dict(position)
    list(game.updates("generator"))
    ((_, measured),) = spy.asked
    assert torch.equal(measured, further.repeat(2, 1))
    assert torch.equal(coming(game).x, real.x), "nobody needed a real pair"
    assert game._prompts.state_dict() != position
    list(game.updates("critic"))
    assert torch.equal(spy.asked[1][1], real.cond)
    assert torch.equal(spy.asked[2][1], real.cond.repeat(2, 1))


def test_every_child_is_asked_the_same_further_prompts(tmp_path: Path) -> None:
    evolution = {"name": "conditional", "evolution": {"mutations": ["minimax", "lsgan"]}}
    schedule = [{"repeat": 1, "phases": {"critic": 1, "evolve": 1}}]
    experiment = tiny_experiment(write_pairs(tmp_path) | {"game": evolution, "schedule": schedule})
    game: Any = build_game(experiment, build_task(experiment, CPU, None), CPU)
    further = copy.deepcopy(game._game._prompts).next().x
    game._fitness = lambda real: torch.zeros(())
    spy = spy_on(game._game)
    list(game.updates("evolve"))
    assert [cond.tolist() for _, cond in spy.asked] == [further.repeat(2, 1).tolist()] * 2


def test_a_relative_value_still_meets_real_pairs(tmp_path: Path) -> None:
    game = make_game(write_pairs(tmp_path), objective={"name": "rsgan"})
    spy, real = spy_on(game), coming(game)
    list(game.updates("generator"))
    (x_real, c_real), (_, c_fake) = spy.asked
    assert torch.equal(x_real, real.x)
    assert torch.equal(c_real, real.cond)
    assert not torch.equal(c_fake, real.cond.repeat(2, 1))


def test_the_prompts_place_is_in_checkpoints(tmp_path: Path) -> None:
    game = make_game(write_pairs(tmp_path))
    assert set(game.stateful()) == {"stream", "estimator", "prompts"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"objective": {"name": "rsgan", "paired": True}}, ["objective.paired", "data.prompts"]),
        (
            {
                "game": {"name": "mle"},
                "critic": None,
                "objective": None,
                "estimator": None,
                "schedule": [{"repeat": 1, "phases": {"mle": 1}}],
            },
            ["data.prompts", "game.name=mle", "leave it out"],
        ),
        (
            {"game": {"name": "adversarial"}},
            ["game.name=adversarial", "mle, residual, conditional"],
        ),
    ],
    ids=["paired", "mle", "adversarial"],
)
def test_who_has_no_use_for_them(overrides: dict, words: list, tmp_path: Path, capsys) -> None:
    config = write_config(tmp_path / "c.yaml", write_pairs(tmp_path) | overrides)
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for word in words:
        assert word in line
    assert not (tmp_path / "run").exists()


FAULTS: dict[str, tuple[list[str], list[str]]] = {
    "no such file": (["data.source.path=nowhere.jsonl"], ["data.source.path", "no such file"]),
    "no path": (["data.source={name: jsonl}"], ["data.source.path", "missing"]),
    "no such source": (["data.source={name: json}"], ["data.source.name='json'", "'jsonl'"]),
    "no such field": (["data.source.prompt=question"], ["line 1 has no field 'question'"]),
    "too short": (["data.prompt_length=2"], ["data.prompt_length=2", "data.overlong=drop"]),
    "window": (
        ["critic={name: cnn, embed: 4, widths: [7], filters: [4]}"],
        ["critic.widths has 7", "6 tokens"],
    ),
    "label": (["data.prompt_length=1"], ["line 1: the label 'the cat runs' is 3 tokens"]),
    "metric": (
        ["evaluation.select.metric=bleu_4"],
        ["evaluation.select.metric='bleu_4'", "choose from: nll_valid"],
    ),
}


@pytest.mark.parametrize(("words", "parts"), FAULTS.values(), ids=FAULTS)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str], parts: list[str], tmp_path: Path, capsys: Capture
) -> None:
    config = write_config(tmp_path / "c.yaml", write_pairs(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}", *words]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    for part in parts:
        assert part in line
    assert sorted(tmp_path.rglob("*")) == before


CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted((CONFIGS / "conditional").glob("*.yaml")), ids=str)
def test_configurations_are_valid(path: Path) -> None:
    words = ["data.source.path=teacher.jsonl"] if "hf_gpu" in path.name else []
    assert load_experiment(path, words).game.name == "conditional"


def test_every_arm_of_the_study_is_valid(tmp_path: Path) -> None:
    path = CONFIGS / "studies" / "distillation.yaml"
    arms = plan(load_study(path), path, tmp_path, [])
    assert {run.arm for run in arms} >= {"seqkd", "gad", "gad_without_warm_up", "null"}


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """Ends a run in-process as SIGKILL would."""


@pytest.mark.parametrize("name", ["oracle", "distillation", "text"])
def test_a_killed_run_goes_on_bit_for_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = {"oracle": ORACLE, "distillation": DISTILLATION, "text": write_pairs(tmp_path)}
    whole = train(tmp_path / "whole", trees[name])
    take = Trainer._step

    def step_or_die(trainer: Trainer, phase: str) -> None:
        if trainer.step == 8:
            raise Killed
        take(trainer, phase)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", step_or_die)
        train(tmp_path / "broken", trees[name])
    assert run(["train", "--resume", str(tmp_path / "broken")]) == 0
    assert_same_run(whole, tmp_path / "broken")
    assert last_checkpoint(whole)["step"] == 12


@pytest.fixture(scope="module")
def answering_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on pairs whose files are gone since."""
    folder = tmp_path_factory.mktemp("pairs")
    finished = train(folder / "run", write_pairs(folder))
    for path in (folder / "pairs.jsonl", folder / "more.txt"):
        path.unlink()
    return finished


def test_a_run_reports_what_it_measures(answering_run: Path) -> None:
    result = json.loads((answering_run / "evaluation.json").read_text())
    labels = {row["label"]: row["metrics"] for row in result["rows"]}
    assert set(labels) == {
        "generator, T = 1",
        "the prompt",
        "response to another",
        "real data",
    }
    made, real = labels["generator, T = 1"], labels["real data"]
    for name in ("nll_test", "nll_shuffled", "entropy", "bleu", "rougeL", "distinct_2", "copied"):
        assert name in made
    assert real["length"] == 5
    assert real["copied"] == pytest.approx(3 / 5)
    assert "bleu" not in real
    assert labels["the prompt"]["rouge1"] > labels["response to another"]["rouge1"]
    assert result["notes"]["bleu"].startswith("nrefs:1")
    assert all("  →  " in line for line in result["samples"])
    assert any(line["kind"] == "eval" for line in metric_lines(answering_run))


def test_samples_show_prompt_and_response(answering_run: Path, capsys: Capture) -> None:
    assert run(["sample", str(answering_run), "-n", "70"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 70
    prompts = [line.split("  →  ")[0] for line in lines]
    assert prompts[:3] == ["the cat runs", "the cat sings", "the cat sits"]
    assert prompts[60:63] == prompts[:3]
    assert run(["sample", str(answering_run), "-n", "2", "--format", "jsonl"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[1])
    assert row["prompt"] == "the cat sings"
    assert len(row["prompt_ids"]) == 3
    assert run(["sample", str(answering_run), "-n", "1", "--format", "ids"]) == 0
    asked, _ = capsys.readouterr().out.split("  →  ")
    assert len(asked.split()) == 3


def test_samples_of_an_oracles_student(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", ORACLE)
    capsys.readouterr()
    assert run(["sample", str(folder), "-n", "3"]) == 0
    for line in capsys.readouterr().out.splitlines():
        asked, answer = line.split("  →  ")
        assert len(asked.split()) == 2
        assert len(answer.split()) == 3
    assert run(["transform", str(folder), "--input", "-"]) == 2
    assert "prompted_text" in capsys.readouterr().err


def test_samples_of_any_block_go_through_the_prompts_in_turn(
    answering_run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of two: the second goes on where the first one stopped."""
    prompts = read_prompts(answering_run)
    rows = len(prompts) + 3
    monkeypatch.setattr(sampling, "AT_ONCE", 2)
    capsys.readouterr()
    assert run(["sample", str(answering_run), "-n", str(rows), "--format", "jsonl"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    end = read_space(answering_run).end_id
    asked = [[i for i in prompts[row % len(prompts)].tolist() if i != end] for row in range(rows)]
    assert [line["prompt_ids"] for line in lines] == asked


def test_transform_answers_line_by_line(
    answering_run: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "the cat runs\n\nthe cow sits and the dog sits\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run(["transform", str(answering_run), "--input", "-"]) == 0
    captured = capsys.readouterr()
    first, blank, third = captured.out.split("\n")[:3]
    assert first
    assert blank == ""
    assert third
    assert captured.err == "2 lines answered, 1 empty, 1 cut (the first is line 3)\n"
    (tmp_path / "in.txt").write_text(text)
    output = tmp_path / "out.txt"
    words = ["transform", str(answering_run), "--input", str(tmp_path / "in.txt")]
    assert run([*words, "--output", str(output)]) == 0
    assert output.read_text() == captured.out
    assert run([*words, "--beam", "3"]) == 0
    capsys.readouterr()
    assert run([*words, "--length", "2"]) == 0
    assert [len(line.split()) for line in capsys.readouterr().out.splitlines()] == [2, 0, 2]


def test_transform_reads_the_prompt_as_training_did(answering_run: Path, capsys: Capture) -> None:
    """The greedy answer of the command is that of the network to the row which training made."""
    experiment, space = load_run(answering_run), read_space(answering_run)
    generator = load_generator(experiment, space, open_reported(experiment, answering_run)[0], CPU)
    cond = read_prompts(answering_run)[:5]
    rollout = sample(generator, space, 5, Greedy(), cond)
    tokenizer = load_tokenizer(answering_run)
    expected = [tokenizer.decode(row) for row in rollout.ids_BT.tolist()]
    prompts = [tokenizer.decode([i for i in row if i != space.end_id]) for row in cond.tolist()]
    path = answering_run.parent / "asked.txt"
    path.write_text("".join(prompt + "\n" for prompt in prompts))
    capsys.readouterr()
    assert run(["transform", str(answering_run), "--input", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("way", ["a2b", "b2a"])
def test_answers_have_no_direction(way: str, answering_run: Path, capsys: Capture) -> None:
    assert run(["transform", str(answering_run), "--input", "-", "--direction", way]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: direction={way}")
    assert "leave it out" in line


# ── Learning ──────────────────────────────────────────────────────────────────────────────────


CATEGORIES: dict[str, Any] = {
    "name": "conditional_oracle",
    "prompt": 1,
    "labels": 3,
    "train": 2000,
    "valid": 300,
    "test": 300,
    "oracle": {
        "name": "random_gru",
        "vocab_size": 3,
        "length": 2,
        "embed": 8,
        "hidden": 32,
        "seed": 2,
    },
}


def distance_of_the_mixture() -> float:
    """Mean divergence of one distribution for all three labels, their mixture, to the truth."""
    oracle = ConditionalOracleConfig.model_validate(CATEGORIES).build_oracle(CPU)
    ids_RT = all_sequences(3, 2)
    logp_CR = torch.stack(
        [oracle.log_prob(ids_RT, torch.full((9, 1), label)) for label in range(3)]
    )
    mixture_R = logp_CR.exp().mean(0).log()
    return sum(exact_divergences(logp_R, mixture_R)["jsd"] for logp_R in logp_CR) / 3


def test_labels_are_learned_from_the_critic_alone(tmp_path: Path) -> None:
    """Without likelihood, and far below what a generator reaches that ignores its label."""
    tree = {
        **ORACLE,
        "data": CATEGORIES,
        "generator": {"name": "gru", "embed": 8, "hidden": 16},
        "critic": {"name": "mlp", "hidden": 64, "layers": 2},
        "objective": {"name": "non_saturating"},
        "players": {
            "generator": {"lr": 1e-2, "betas": [0.5, 0.9], "ema": 0.95},
            "critic": {"lr": 1e-2, "betas": [0.5, 0.9]},
        },
        "schedule": [{"repeat": 150, "phases": {"critic": 1, "generator": 1}}],
        "train.batch_size": 64,
        "train.eval_every": 300,
        "train.checkpoint_every": 300,
    }
    folder = train(tmp_path / "run", tree)
    reached = metric_lines(folder)[-1]["metrics"]["jsd"]
    assert reached < 0.2 * distance_of_the_mixture()
