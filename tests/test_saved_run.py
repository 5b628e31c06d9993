"""An opened run: samples, translations, scores and evaluations in Python are those of the command
line, and of the networks."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import CYCLE, EVENTS, PICTURES, POINTS, text_data, tiny_experiment, train

import seqgan
from seqgan.cli import run as command
from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.training.checkpoint import Checkpoints

Capture = pytest.CaptureFixture[str]
STEPS: dict[str, Any] = {
    "critic": {"name": "rnn", "embed": 4, "hidden": 4},
    "estimator": {"name": "score_function", "credit": {"name": "per_step"}},
}
"""A critic that scores every step."""
INFILL: dict[str, Any] = {"game": {"name": "infill", "mle_weight": 0.1}}
ANSWERS: dict[str, Any] = {
    "data": {
        "name": "conditional_oracle",
        "prompt": 2,
        "train": 64,
        "valid": 32,
        "test": 32,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
    },
    "game": {"name": "conditional"},
}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> seqgan.SavedRun:
    return seqgan.open_run(train(tmp_path_factory.mktemp("events") / "run", EVENTS))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> seqgan.SavedRun:
    return seqgan.open_run(train(tmp_path_factory.mktemp("answers") / "run", ANSWERS))


@pytest.fixture(scope="module")
def text(finished_text_run: Path) -> seqgan.SavedRun:
    return seqgan.open_run(finished_text_run)


def output(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert command(list(arguments)) == 0
    return capsys.readouterr().out


# ── What there is ─────────────────────────────────────────────────────────────────────────────


def test_training_returns_the_opened_run(tmp_path: Path) -> None:
    experiment = tiny_experiment({"run.dir": str(tmp_path / "run")})
    run = seqgan.train(experiment)
    assert run.folder == tmp_path / "run"
    assert run.experiment == experiment == seqgan.open_run(str(tmp_path / "run")).experiment
    assert (run.checkpoint.step, run.checkpoint.finished) == (12, True)
    assert run.device == torch.device("cpu")
    assert isinstance(run.space, seqgan.SequenceSpace)
    assert (run.tokenizer, run.tokenizers, run.prompts) == (None, {}, None)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"penalties": [{"name": "spectral_norm"}]},
        {"generator.name": "transformer", "generator": {"name": "transformer", "width": 8}},
        INFILL,
        ANSWERS,
    ],
    ids=["plain", "spectral norm", "transformer", "infill", "answers"],
)
def test_both_networks_have_the_weights_of_the_checkpoint(
    overrides: dict[str, Any], tmp_path: Path
) -> None:
    assert_weights_of_the_checkpoint(seqgan.open_run(train(tmp_path / "run", overrides)))


def assert_weights_of_the_checkpoint(run: seqgan.SavedRun) -> None:
    players = Checkpoints(run.folder / "checkpoints", keep=1).load(12)["players"]
    for name, network in (("generator", run.generator), ("critic", run.critic)):
        weights = network.state_dict()
        assert weights.keys() == players[name]["module"].keys()
        assert all(torch.equal(weights[key], x) for key, x in players[name]["module"].items())
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_games_without_a_critic_have_none(tmp_path: Path) -> None:
    alone: dict[str, Any] = dict.fromkeys(("critic", "objective", "estimator"))
    alone["game"] = {"name": "mle"}
    alone["schedule"] = [{"repeat": 2, "phases": {"mle": 1}}]
    run = seqgan.train(tiny_experiment(alone), str(tmp_path / "run"))
    assert run.folder == tmp_path / "run"
    assert run.critic is None
    (score,) = run.score([[0, 1, 2]])
    assert (score.critic_scores, score.critic_score) == ([], None)


# ── Samples ───────────────────────────────────────────────────────────────────────────────────


def test_samples_are_those_of_the_command_line(text: seqgan.SavedRun, capsys: Capture) -> None:
    asked = {"temperature": 0.7, "top_p": 0.8, "seed": 3}
    lines = output(
        capsys,
        *("sample", str(text.folder), "-n", "12"),
        *("--temperature", "0.7", "--top-p", "0.8", "--seed", "3"),
    ).splitlines()
    assert text.sample(12, **asked) == lines
    assert text.sample(12, **asked) == lines, "loading the networks draws, too"
    assert text.sample(12) != lines


def test_samples_of_an_oracle_are_ids(finished_run: Path, capsys: Capture) -> None:
    run = seqgan.open_run(finished_run)
    ids = run.sample(5, seed=1)
    lines = output(capsys, "sample", str(finished_run), "-n", "5", "--seed", "1").splitlines()
    assert [" ".join(map(str, row)) for row in ids] == lines
    assert len(ids[0]) == 3


def test_answers_are_to_the_prompts_of_the_run(answers: seqgan.SavedRun, capsys: Capture) -> None:
    assert answers.prompts is not None
    rows = answers.sample_sequences(40)  # more than there are prompts
    expected = (answers.prompts[torch.arange(40) % len(answers.prompts)]).tolist()
    assert [row.prompt_ids for row in rows] == expected
    out = output(capsys, "sample", str(answers.folder), "-n", "40", "--format", "jsonl")
    assert [json.loads(line)["ids"] for line in out.splitlines()] == answers.sample(40)


@pytest.mark.parametrize(
    ("overrides", "shape", "limit"), [(PICTURES, (3, 16, 16), 1.0), (POINTS, (2,), torch.inf)]
)
def test_samples_of_pictures_and_points_are_tensors(
    overrides: dict[str, Any], shape: tuple[int, ...], limit: float, tmp_path: Path
) -> None:
    run = seqgan.open_run(train(tmp_path / "run", overrides))
    x = run.sample(7, seed=2)
    assert isinstance(x, torch.Tensor)
    assert x.shape == (7, *shape)
    assert float(x.abs().max()) <= limit
    assert torch.equal(x, seqgan.open_run(run.folder).sample(7, seed=2))
    with pytest.raises(UserError, match=r"top_p=0\.5: is for sequences"):
        run.sample(7, top_p=0.5)
    with pytest.raises(UserError, match=r"only sequences have a likelihood; call run\.critic"):
        run.score([[0]])
    assert run.critic(x).score.shape == (7,)


# ── Translations ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
@pytest.mark.parametrize("beam", [1, 3])
def test_translations_are_those_of_the_command_line(
    events: seqgan.SavedRun, direction: str, beam: int, tmp_path: Path, capsys: Capture
) -> None:
    lines = ["nurses debated rents .", "", "miners blocked ports over wages ."]
    (tmp_path / "in.txt").write_text("".join(f"{line}\n" for line in lines))
    made = output(
        capsys,
        *("transform", str(events.folder), "--input", str(tmp_path / "in.txt")),
        *("--direction", direction, "--beam", str(beam)),
    )
    assert events.transform(lines, direction=direction, beam=beam) == made.splitlines()
    assert len(made.splitlines()) == 3


def test_lines_that_are_cut_are_warned_about(events: seqgan.SavedRun, capsys: Capture) -> None:
    capsys.readouterr()
    events.transform(["rents", "rents " * 100], direction="b2a")
    assert "1 cut (the first is line 2)" in capsys.readouterr().err
    translator = events.translator("a2b")
    assert list(translator.stream(["rents\n", "\n"], at_once=1))[1] == ""
    assert (translator.counts.translated, translator.counts.empty) == (1, 1)


def test_pictures_are_translated_as_tensors(tmp_path: Path) -> None:
    run = seqgan.open_run(train(tmp_path / "run", CYCLE))
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    made = run.transform(x, direction="b2a")
    assert torch.equal(made, run.generator["b2a"](x.new_zeros(3, 0), x))
    assert_weights_of_the_checkpoint(run)
    with pytest.raises(UserError, match="translates pictures; give a tensor"):
        run.transform(["a line"])
    with pytest.raises(UserError, match="so there is nothing to sample"):
        run.sample(3)


# ── Scores ────────────────────────────────────────────────────────────────────────────────────


def test_scores_are_those_of_the_networks(text: seqgan.SavedRun) -> None:
    assert text.tokenizer is not None
    space = text.space
    lines = ["a dog sees", "the moon hears a dog", "a dog sees"]
    scores = text.score(lines)
    for line, score in zip(lines, scores, strict=True):
        ids = [*text.tokenizer.encode(line), space.end_id]
        assert score.ids == ids
        assert score.tokens == len(ids)
        row = torch.full((1, space.length), space.end_id)
        row[0, : len(ids)] = torch.tensor(ids)
        logp = text.generator(row)[0].log_softmax(-1)
        expected = [float(logp[t, index]) for t, index in enumerate(ids)]
        assert score.log_likelihoods == pytest.approx(expected, abs=1e-5)
        assert score.log_likelihood == pytest.approx(sum(expected), abs=1e-5)
        assert score.log_likelihood_per_token == pytest.approx(sum(expected) / len(ids), abs=1e-5)
        critic = text.critic(row, mask_until_end(row, space.end_id)).score
        assert score.critic_scores == pytest.approx(critic.tolist(), abs=1e-5)
        assert score.critic_score == score.critic_scores[0]
    assert scores[0] == scores[2]


def test_ids_are_scored_with_and_without_their_end(text: seqgan.SavedRun) -> None:
    assert text.tokenizer is not None
    ids = text.tokenizer.encode("a dog sees")
    assert (
        text.score([ids]) == text.score([[*ids, text.space.end_id]]) == text.score(["a dog sees"])
    )
    assert text.score([]) == []


def test_samples_of_any_length_can_be_scored(text: seqgan.SavedRun) -> None:
    """Those that fill all columns have no end token; more than a block of them."""
    sampled = [row.ids for row in text.sample_sequences(130)]
    assert {len(ids) for ids in sampled} >= {2, text.space.length}
    scores = text.score(sampled)
    assert [score.ids for score in scores] == sampled
    assert scores[120].log_likelihood == pytest.approx(text.score([sampled[120]])[0].log_likelihood)


def test_the_probabilities_of_all_sequences_add_up(finished_run: Path) -> None:
    every = torch.cartesian_prod(*[torch.arange(4)] * 3).tolist()
    scores = seqgan.open_run(finished_run).score(every)
    total = torch.tensor([score.log_likelihood for score in scores]).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-5)


def test_a_critic_of_steps_scores_every_token(tmp_path: Path) -> None:
    run = seqgan.open_run(train(tmp_path / "run", {**STEPS, **text_data(tmp_path / "c.txt")}))
    short, long = run.score(["a dog", "a dog sees the moon"])
    assert len(short.critic_scores) == short.tokens == 3
    assert len(long.critic_scores) == long.tokens == 6
    assert short.critic_scores[:2] == pytest.approx(long.critic_scores[:2], abs=1e-6)
    assert long.critic_score == pytest.approx(sum(long.critic_scores) / 6)


def test_answers_are_scored_given_their_prompts(answers: seqgan.SavedRun) -> None:
    prompts, every = [[0, 1], [3, 2]], torch.cartesian_prod(*[torch.arange(4)] * 3).tolist()
    scores = answers.score(every * 2, [prompt for prompt in prompts for _ in every])
    logp = torch.tensor([score.log_likelihood for score in scores]).view(2, -1)
    assert logp.exp().sum(1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert not torch.allclose(*logp)
    ids, cond = torch.tensor(every[:1]), torch.tensor(prompts[:1])
    (score,) = answers.score(every[:1], prompts[:1])
    expected = answers.critic(ids, torch.ones_like(ids, dtype=torch.bool), cond).score
    assert score.critic_scores == pytest.approx(expected.tolist(), abs=1e-6)


def test_translations_are_scored_given_their_sources(events: seqgan.SavedRun) -> None:
    """By the network of the direction; the critic is that of the side that is written."""
    source, target = events.tokenizers["a"], events.tokenizers["b"]
    a, b = events.space.a, events.space.b
    line = "nurses debated rents"
    (score,) = events.score([line], ["miners blocked ports over wages ."], direction="a2b")
    cond, row = torch.full((1, a.length), a.end_id), torch.full((1, b.length), b.end_id)
    for tensor, ids in (
        (cond, source.encode("miners blocked ports over wages .")),
        (row, target.encode(line)),
    ):
        tensor[0, : len(ids)] = torch.tensor(ids)
    logp = events.generator["a2b"](row, cond)[0].log_softmax(-1)
    expected = [float(logp[t, index]) for t, index in enumerate(score.ids)]
    assert score.log_likelihoods == pytest.approx(expected, abs=1e-5)
    critic = events.critic["b"](row, mask_until_end(row, b.end_id))
    assert score.critic_scores == pytest.approx(critic.score[critic.mask_BT].tolist(), abs=1e-5)
    back = events.score([line], [line], direction="b2a")
    assert back[0].log_likelihood != score.log_likelihood


def test_infilling_scores_whole_sentences(tmp_path: Path) -> None:
    run = seqgan.open_run(train(tmp_path / "run", INFILL))
    every = torch.cartesian_prod(*[torch.arange(4)] * 3)
    scores = run.score(every.tolist())
    total = torch.tensor([score.log_likelihood for score in scores]).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-5)
    blank, mask = torch.full_like(every, 4), torch.ones_like(every, dtype=torch.bool)
    expected = run.critic(every, mask, blank).score.flatten()
    found = torch.tensor([score.critic_scores for score in scores]).flatten()
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("text", ([[1] * 9],), "sequence 1: has 9 tokens.*at most 6"),
        ("text", (["a dog", "a dog a dog a dog a dog"],), "sequence 2: has 8 tokens"),
        ("text", ([[5, 99]],), "sequence 1: 99 is no token; they go from 0 to"),
        ("text", ([[5, 0, 5]],), "sequence 1: goes on after its end token"),
        ("text", (["a"], ["a"]), "sources: this run writes without any"),
        ("oracle", (["0 1 2"],), "this run has no words; give lists of ids"),
        ("oracle", ([[0, 1]],), "has 2 tokens, but those of this run have exactly 3; give one"),
        ("oracle", ([1, 2, 3],), r"sequences: 1 is neither a line nor a list of ids; .* \[\[1, 2"),
        ("oracle", (5,), "sequences=5: give a list of lines, or of lists of ids"),
        ("oracle", ([[0.5, 1, 2]],), r"\[0\.5, 1, 2\] is neither a line nor a list of ids"),
        ("oracle", ([[0, 1, 2]], None, "a2b"), "direction='a2b': this run does not translate;"),
        ("answers", ([[0, 1, 2]], [[0, 1]], "b2a"), "direction='b2a': this run does not translate"),
        ("answers", ([[0, 1, 2]], [0, 1]), "sources: 0 is neither a line nor a list of ids"),
        ("events", (["rents"],), "sources: none for 1 sequences; give one for each"),
        ("events", (["rents"], ["rents"] * 2), "sources: 2 for 1 sequences"),
        ("events", (["rents"], ["rents " * 99]), "source 1: has 99 tokens.*at most"),
        ("events", (["rents"], ["rents"], "b2c"), "direction='b2c': choose from: a2b, b2a"),
        ("answers", ([[0, 1, 2]], [[0, 1, 2]]), "source 1: has 3 tokens, but those of this run"),
    ],
)
def test_what_cannot_be_scored_is_named(
    name: str, arguments: tuple[Any, ...], message: str, request: pytest.FixtureRequest
) -> None:
    if name == "oracle":
        run = seqgan.open_run(request.getfixturevalue("finished_run"))
    else:
        run = request.getfixturevalue(name)
    with pytest.raises(UserError, match=message):
        run.score(*arguments)


# ── Evaluations and errors ────────────────────────────────────────────────────────────────────


def test_evaluations_are_those_of_the_command_line(
    finished_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    written = json.loads((folder / "evaluation.json").read_text())
    run = seqgan.open_run(folder)
    assert run.evaluate() == written
    for asked, sweep in (["evaluation.samples=50"], False), ([], True):
        words = [*asked, *(["--sweep"] if sweep else [])]
        printed = json.loads(output(capsys, "evaluate", str(folder), "--json", *words))
        assert run.evaluate(asked, sweep=sweep) == printed
        assert json.loads((folder / "evaluation.json").read_text()) == printed
    with pytest.raises(UserError, match=r"data\.train: cannot change after training"):
        run.evaluate(["data.train=9"])


def test_a_resumed_run_keeps_its_past(finished_run: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    config = (folder / "config.yaml").read_bytes()
    capsys.readouterr()
    assert command(["train", "--resume", str(folder), "schedule.0.repeat=1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "steps are done, and step" in line
    assert (folder / "config.yaml").read_bytes() == config


def test_a_text_may_have_moved(tmp_path: Path, capsys: Capture) -> None:
    data = text_data(tmp_path / "text.txt")
    run = train(tmp_path / "run", data)
    before = json.loads((run / "evaluation.json").read_text())["rows"][0]["metrics"]
    moved = (tmp_path / "text.txt").rename(tmp_path / "moved.txt")
    there = f"data.path={moved}"
    metrics = seqgan.open_run(run).evaluate([there])["rows"][0]["metrics"]
    assert {name: metrics[name] for name in before} == before
    assert command(["train", "--resume", str(run), there, "schedule.0.repeat=5"]) == 0
    assert f"path: {moved}" in (run / "config.yaml").read_text()
    moved.write_text(moved.read_text().replace("a", "b"))
    with pytest.raises(UserError, match="the data files have changed"):
        seqgan.open_run(run).evaluate()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature=0: use a number from"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 1.5}, r"top_p=1\.5: must be above 0 and at most 1"),
        ({"temperature": "hot"}, "temperature='hot': use a number from"),
        ({"rows": "3"}, "rows='3': use a whole number from 1 to 2147483648"),
        ({"rows": 0}, "rows=0: use a whole number from 1 to"),
        ({"seed": "x"}, "seed='x': use a whole number from 0 to 4294967295"),
        ({"seed": -1}, "seed=-1: use a whole number from 0 to"),
    ],
)
def test_options_of_samples(text: seqgan.SavedRun, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        text.sample(**{"rows": 3, **options})


def test_what_is_no_experiment_no_study_and_no_line_is_named(
    events: seqgan.SavedRun, tmp_path: Path
) -> None:
    wrong: Any = str(tmp_path / "x.yaml")
    with pytest.raises(UserError, match=r"is no experiment; give seqgan\.load_experiment\('.*x\.y"):
        seqgan.train(wrong)
    wrong = tiny_experiment()
    with pytest.raises(UserError, match=r"is no path; give .* seqgan\.compare\('study\.yaml'\)"):
        seqgan.compare(wrong)
    with pytest.raises(
        UserError, match=r"is no path; give .* seqgan\.load_experiment\('x\.yaml'\)"
    ):
        seqgan.load_experiment(wrong)
    with pytest.raises(UserError, match="is no path; give a run folder"):
        seqgan.open_run(wrong)
    wrong = [1, 2]
    with pytest.raises(UserError, match="inputs: 1 is no line of text; give a list of strings"):
        events.transform(wrong)


def test_folders_that_hold_no_run(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder"):
        seqgan.open_run(tmp_path)
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    (folder / "space.json").write_text("{}")
    with pytest.raises(UserError, match="damaged"):
        seqgan.open_run(folder)
    with pytest.raises(UserError, match="this run translates nothing"):
        seqgan.open_run(finished_run).transform(["a line"])


def test_a_run_can_be_opened_on_another_device(finished_run: Path) -> None:
    assert seqgan.open_run(finished_run, device="cpu").device == torch.device("cpu")
    with pytest.raises(UserError, match="device"):
        seqgan.open_run(finished_run, device="abacus")


def test_one_line_in_place_of_a_list_is_refused(
    text: seqgan.SavedRun, events: seqgan.SavedRun
) -> None:
    """A string is a sequence of strings, too: its characters would be read as lines."""
    with pytest.raises(seqgan.UserError, match=r"sequences='a dog': is one string; give a list"):
        text.score("a dog")
    with pytest.raises(seqgan.UserError, match="sources='a dog': is one string"):
        events.score(["a dog"], "a dog")
    with pytest.raises(seqgan.UserError, match="inputs='a dog': is one string"):
        events.transform("a dog")
    with pytest.raises(seqgan.UserError, match=r"overrides='evaluation.samples=9': is one string"):
        text.evaluate("evaluation.samples=9")
