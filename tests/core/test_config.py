"""Configurations: one clear line for every mistake, exact overrides, and a faithful print-out."""

from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from omegaconf import OmegaConf
from tiny_runs import (
    AUTOENCODER,
    CYCLE,
    PICTURES,
    POINTS,
    tiny_experiment,
    tiny_tree,
    write_config,
)

from seqgan.cli import run
from seqgan.core.config import (
    Config,
    apply_overrides,
    describe,
    field_documentation,
    read_yaml,
    resolved,
    validate,
)
from seqgan.core.errors import UserError
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.experiment import Experiment, load_experiment
from seqgan.study import StudyConfig, load_study, plan

CONFIGS = Path(__file__).parents[2] / "configs"
STUDIES = sorted((CONFIGS / "studies").glob("*.yaml"))
EXPERIMENTS = sorted(set(CONFIGS.rglob("*.yaml")) - set(STUDIES))


def complaint(overrides: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        tiny_experiment(overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"generator.hiden": 3}, ["generator.hiden=3", "did you mean 'hidden'", "known keys"]),
        ({"sede": 3}, ["sede=3", "did you mean 'seed'"]),
        ({"evaluation.features": 3}, ["evaluation.features=3", "did you mean 'feature_extractor'"]),
        ({"estimator.temperature": 0.5}, ["temperature=0.5: unknown key; known keys: name, rew"]),
        ({"train.device": "cpu"}, ["train.device='cpu': unknown key; 'device' belongs to the top"]),
        ({"data.oracle.lenght": 3}, ["data.oracle.lenght=3", "did you mean 'length'"]),
        ({"generator.name": "lstn"}, ["generator.name='lstn'", "did you mean 'lstm'", "gru"]),
        ({"generator": {"embed": 4}}, ["generator", "needs a 'name'", "lstm"]),
        ({"estimator.name": "reinforce"}, ["estimator.name='reinforce'", "score_function"]),
        ({"data.oracle.name": "random_gro"}, ["data.oracle.name='random_gro'", "'random_gru'"]),
        (
            {"estimator.baseline.name": "leave_on_out"},
            ["estimator.baseline.name='leave_on_out'", "did you mean 'leave_one_out'"],
        ),
        ({"game.name": "adverserial"}, ["game.name='adverserial'", "did you mean 'adversarial'"]),
        (
            {"players.generator": {"optimizer": "adma"}},
            ["players.generator.optimizer='adma'", "did you mean 'adam'", "sgd"],
        ),
        (
            {"penalties": [{"name": "r1"}, {"name": "gradient_penalti"}]},
            ["penalties.1.name='gradient_penalti'", "did you mean 'gradient_penalty'"],
        ),
        (
            {"estimator": {"name": "soft_gumbel", "temperature": -1}},
            ["estimator.temperature=-1", "greater than or equal to 0.000001"],
        ),
        (
            {"estimator": {"name": "soft_gumbel", "reward": "shufled"}},
            ["estimator.reward='shufled'", "did you mean 'shuffled'"],
        ),
        (
            {"estimator": {"name": "detached", "reward": "constant"}},
            ["estimator: reward='constant'", "detached asks no critic", "players.critic.lr to 0"],
        ),
        ({"penalties": [{"name": "r1", "wieght": 1}]}, ["penalties.0.wieght=1", "'weight'"]),
        (
            {"schedule": [{"repeat": 1, "phases": {"critik": 1}}]},
            ["schedule[0].phases", "critik", "did you mean 'critic'"],
        ),
        (
            {"schedule": [{"repeats": 1, "phases": {"mle": 1}}]},
            ["schedule.0.repeat", "missing"],
        ),
        (
            {"schedule": [{"repeat": 1, "phases": {"mle": 1}, "repeats": 1}]},
            ["schedule.0.repeats=1", "did you mean 'repeat'", "known keys: repeat, phases"],
        ),
        (
            {"players": 0.5},
            ["players=0.5: is no section; give its keys, as in players.generator=…"],
        ),
        ({"players.critic": None}, ["players.critic=null: is no section", "known keys: optimizer"]),
        (
            {"game": "mle"},
            ["game='mle': is no section; give its name, as in game.name=mle; choose"],
        ),
        ({"schedule": [3]}, ["schedule.0=3: is no section", "schedule.0.repeat=…"]),
        ({"schedule": [{"repeat": 1, "phases": 2}]}, ["schedule.0.phases={key: value}"]),
        ({**CYCLE, "game.cycle_weight": "w"}, ["game.cycle_weight='w': ", "valid number"]),
        ({**CYCLE, "game.cycle_weight": {"from": 1}}, ["game.cycle_weight.start: missing"]),
        ({"schedule": []}, ["schedule=[]", "at least 1"]),
        ({"schedule": [{"repeat": 0, "phases": {"mle": 1}}]}, ["schedule.0.repeat=0", "greater"]),
        ({"schedule": [{"phases": {"mle": 1}}]}, ["schedule.0.repeat", "missing", "add it"]),
        ({"train.batch_size": "eight"}, ["train.batch_size='eight'", "integer"]),
        ({"train.batch_size": 0}, ["train.batch_size=0", "greater than 0"]),
        ({"train.batch_size": 2.5}, ["train.batch_size=2.5", "integer"]),
        ({"train.tensorboard": "perhaps"}, ["train.tensorboard='perhaps'", "boolean"]),
        ({"generator.dropout": 1.0}, ["generator.dropout=1.0", "less than 1"]),
        ({"seed": -1}, ["seed=-1", "greater than or equal to 0"]),
        ({"device": "gpu"}, ["device='gpu': is no device", "cuda"]),
        ({"name": "a/b"}, ["name='a/b': names no folder"]),
        ({"critic": None}, ["game.name=adversarial", "needs critic", "add it"]),
        ({"objective": None}, ["needs objective"]),
        ({"game.name": "mle"}, ["game.name=mle", "no use for critic", "remove it"]),
        ({"game": {"name": "cycle"}}, ["game.name=cycle", "data.name=oracle", "mle, reward"]),
        ({"estimator": {"name": "pathwise"}}, ["estimator.name=pathwise", "score_function"]),
        ({"generator": {"name": "dcgan"}}, ["generator.name=dcgan", "data.name=oracle", "gru"]),
        ({"critic": {"name": "patch"}}, ["critic.name=patch", "data.name=oracle", "cnn"]),
        (
            {**POINTS, "generator": {"name": "dcgan"}},
            ["generator.name=dcgan", "data.name=points", "mlp"],
        ),
        (
            {**POINTS, "estimator": {"name": "soft_gumbel"}},
            ["estimator.name=soft_gumbel", "data.name=points", "choose from: pathwise"],
        ),
        (
            {**POINTS, "schedule": [{"repeat": 1, "phases": {"mle": 1}}]},
            ["schedule[0].phases", "'mle'", "no likelihood", "autoencode"],
        ),
        (
            {**POINTS, "game.mle_weight": 1.0},
            ["game.mle_weight=1.0", "tokens", "set it to 0"],
        ),
        (
            {**POINTS, "game.reference_kl": 1.0},
            ["game.reference_kl=1.0", "tokens", "set it to 0"],
        ),
        ({**POINTS, "game": {"name": "conditional"}}, ["conditional", "points", "adversarial"]),
        ({**AUTOENCODER, "encoder": None}, ["game.name=autoencode", "needs encoder"]),
        ({**PICTURES, "encoder": {"name": "mlp"}}, ["no use for encoder", "remove it"]),
        ({**PICTURES, "evaluation.samples": 5}, ["evaluation.samples=5", "raise it to 6"]),
        (
            {**POINTS, "evaluation.samples_during_training": 2},
            ["evaluation.samples_during_training=2", "fifth nearest neighbour"],
        ),
        ({**CYCLE, "generator": {"name": "mlp"}}, ["generator.name=mlp", "translator"]),
        (
            {**PICTURES, "evaluation.select": {"metric": "fidd"}},
            ["evaluation.select.metric='fidd'", "did you mean 'fid'"],
        ),
        (
            {"players.generator.decay": [5, 9]},
            ["players.generator.decay: has another name now", "write lr_decay: {start: 1"],
        ),
        (
            {"estimator.credit": {"name": "per_step"}},
            ["estimator.credit.name=per_step", "critic.name=mlp", "use critic rnn"],
        ),
        ({"train.batch_size": 1}, ["train.batch_size=1", "leave-one-out", "at least 2"]),
        (
            {"critic": {"name": "cnn", "widths": [1, 4], "filters": [2, 2]}},
            ["critic.widths", "4", "3 tokens", "drop"],
        ),
        (
            {"critic": {"name": "cnn", "widths": [1, 2], "filters": [2]}},
            ["critic", "2 entries", "filters 1", "one filter count"],
        ),
        (
            {"generator": {"name": "transformer", "width": 6, "heads": 4}},
            ["generator", "heads=4", "width=6"],
        ),
    ],
    ids=str,
)
def test_every_mistake_names_field_value_and_remedy(
    overrides: dict[str, Any], parts: list[str]
) -> None:
    message = complaint(overrides)
    assert message.startswith("tiny: ")
    for part in parts:
        assert part in message
    for internal in ("instance of", "dictionary", "Config", "constrained", "validation", "pattern"):
        assert internal not in message


def test_an_mle_game_refuses_phases_that_it_does_not_know() -> None:
    alone = {"game.name": "mle", "critic": None, "objective": None, "estimator": None}
    assert "schedule[0].phases has 'critic'" in complaint(alone)
    tiny_experiment({**alone, "schedule": [{"repeat": 1, "phases": {"mle": 1}}]})


def test_further_mistakes_are_counted() -> None:
    assert complaint({"seed": -1, "train.batch_size": 0}).endswith("(and 1 more)")


# ── Reading and overriding ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a: [1,\n", "not readable as YAML"),
        (b"- a\n- b\n", "at the top level"),
        (b"\xff\xfe\x00bad", "line 1: byte 0xff is not UTF-8"),
        (b"just words\n", "at the top level, found text"),
        (b"", "missing"),
        (b"name: ${nothing}\n", "nothing"),
    ],
    ids=["broken", "a list", "binary", "a word", "empty", "interpolation"],
)
def test_a_file_that_is_no_configuration(content: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=part) as caught:
        load_experiment(path, [])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def overridden(*overrides: str) -> Experiment:
    tree = apply_overrides(tiny_tree(), list(overrides))
    return validate(Experiment, tree, "tiny")


@pytest.mark.parametrize(
    "override",
    ["x." * 2_000 + "=1", "schedule.0.phases.critic=99999999999999999999", "schedule.repeat=9"],
)
def test_an_override_without_end_is_one_line(override: str) -> None:
    with pytest.raises(UserError) as caught:
        overridden(override)
    assert "\n" not in str(caught.value)
    assert "literal" not in str(caught.value)


def test_an_override_sets_one_leaf_and_leaves_the_rest() -> None:
    experiment = overridden("players.generator.lr=1e-4", "seed=7")
    assert experiment.players.generator.lr == 1e-4  # a number, not the string that PyYAML makes
    assert experiment.seed == 7
    assert experiment.generator == tiny_experiment().generator


def test_a_mapping_replaces_the_node() -> None:
    tree = apply_overrides(tiny_tree(), ["estimator={name: soft_gumbel}", "generator.embed=5"])
    assert resolved(tree)["estimator"] == {"name": "soft_gumbel"}
    assert validate(Experiment, tree, "tiny").generator.embed == 5


def test_the_tree_that_is_overridden_stays_as_it_was() -> None:
    for tree in (tiny_tree(), OmegaConf.create(tiny_tree())):
        apply_overrides(tree, ["seed=3", "schedule.0.repeat=9"])
        assert resolved(tree) == tiny_tree()


@pytest.mark.parametrize("key", ["schedule.0.repeat", "schedule[0].repeat"])
def test_items_of_lists_are_named_by_index(key: str) -> None:
    experiment = overridden(f"{key}=9")
    assert experiment.schedule[0].repeat == 9
    assert experiment.schedule[0].phases == tiny_experiment().schedule[0].phases


def test_null_and_lists_are_values() -> None:
    experiment = overridden("players.critic.clip_norm=null", "players.critic.betas=[0.5, 0.9]")
    assert experiment.players.critic.clip_norm is None
    assert [beta.at(0) for beta in experiment.players.critic.betas] == [0.5, 0.9]


TYPED = {
    "run.dir": ["1e3", "no", "0x10", "5", "1_000", "2020-01-01", "a: b", "a #1", "!!int 5", "*.d"],
    "name": ["on", "1e3", "007", "true"],
}


@pytest.mark.parametrize(
    ("key", "text"), [(key, text) for key, texts in TYPED.items() for text in texts]
)
def test_a_field_of_text_takes_what_was_typed(key: str, text: str) -> None:
    experiment = overridden(f"{key}={text}")
    assert (experiment.run.dir if key == "run.dir" else experiment.name) == text


@pytest.mark.parametrize("text", ["on", "1e3", "0x10", "2020-01-01", "no"])
def test_plain_scalars_of_a_file_are_text_where_text_is_due(text: str, tmp_path: Path) -> None:
    path = write_config(tmp_path / "c.yaml", {"name": "NAME", "run.dir": "DIR", "seed": 77})
    written = path.read_text().replace("NAME", text).replace("DIR", text).replace("77", "0x4D")
    path.write_text(written)
    experiment = load_experiment(path, [])
    assert (experiment.name, experiment.run.dir, experiment.seed) == (text, text, 77)


def test_lists_of_text_and_of_numbers() -> None:
    text = {"name": "unpaired_text", "a": {"path": "a"}, "b": {"path": ["no", "1e3"]}}
    side = validate(UnpairedTextConfig, text, "tiny").b
    assert side.path == ["no", "1e3"]
    study = {"name": "1e3", "base": "on", "seeds": ["1", "2"], "metrics": ["no", "5"]}
    found = validate(StudyConfig, {**study, "arms": [{"name": "off", "null_arm": "yes"}]}, "tiny")
    assert (found.name, found.base, found.metrics) == ("1e3", "on", ["no", "5"])
    assert (found.seeds, found.arms[0].name, found.arms[0].null_arm) == ([1, 2], "off", True)


def test_quotation_marks_of_an_override_are_none_of_its_text() -> None:
    assert overridden("run.dir='a: #b'").run.dir == "a: #b"
    assert overridden('run.dir="1e3"').run.dir == "1e3"
    assert overridden("run.dir=").run.dir is overridden("run.dir=null").run.dir is None


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_no_file_can_hold_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"run\.dir=.*holds a character that is no text"):
        overridden(f"run.dir={text}")


@pytest.mark.parametrize("key", ["seed", "players.generator.lr", "name", "train.tensorboard"])
def test_numbers_of_five_thousand_digits_make_a_short_line(key: str) -> None:
    with pytest.raises(UserError, match=f"^tiny: {key}(=|: )'?111") as caught:
        overridden(f"{key}={'1' * 5_000} ?")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "override", ["[=1", "seed", "=3", "seed=[1,", "schedule.7.repeat=1", "schedule.x=1"]
)
def test_an_override_that_cannot_be_applied_is_named(override: str) -> None:
    with pytest.raises(UserError) as caught:
        overridden(override)
    assert override.split("=")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["a[b]c=1", "[].x=1", "schedule[0=1", "seed.a=1", "..=1"])
def test_keys_that_are_none_make_one_line(override: str) -> None:
    with pytest.raises(UserError) as caught:
        overridden(override)
    assert "\n" not in str(caught.value)


# ── The configurations that we ship, and how they are shown ───────────────────────────────────


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_shipped_experiment_is_valid(path: Path) -> None:
    load_experiment(path, _data_path(path))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_is_valid(path: Path, tmp_path: Path) -> None:
    study = load_study(path)
    overrides = _data_path((path.parent / study.base).resolve())
    runs = plan(study, path, tmp_path, overrides)
    trained = [arm for arm in study.arms if arm.runs_of is None]
    assert len(runs) == len(trained) * len(study.seeds)
    assert list(tmp_path.iterdir()) == []


def _data_path(path: Path) -> list[str]:
    """What a user has to name: the corpus, or the oracle's parameters."""
    data = resolved(read_yaml(path))["data"]
    name = data["name"]
    if name == "text" and "path" not in data:
        return ["data.path=corpus.txt"]
    sides = {"pictures": {"": data}, "unpaired": {"a.": data.get("a"), "b.": data.get("b")}}
    sources = {side: part["source"] for side, part in sides.get(name, {}).items()}
    missing = {side: source for side, source in sources.items() if "path" not in source}
    if any(source["name"] not in ("faces", "digits", "corner") for source in missing.values()):
        return [f"data.{side}source.path=pictures" for side in missing]
    if name == "prompted_text" and data["source"]["name"] == "jsonl":
        return [] if "path" in data["source"] else ["data.source.path=pairs.jsonl"]
    if name == "oracle" and data["oracle"]["name"] == "seqgan_paper":
        return [] if "path" in data["oracle"] else ["data.oracle.path=oracle.npz"]
    return []


RICH = {
    "penalties": [{"name": "r1", "weight": 2.0}, {"name": "gradient_penalty"}],
    "players.generator": {"ema": 0.99},
    "players.critic": {"betas": [0.5, 0.9], "clip_norm": None},
    "schedule": [
        {"repeat": 2, "phases": {"mle": 1}},
        {"repeat": 3, "phases": {"critic": 2, "generator": 1}},
    ],
    "estimator": {
        "name": "soft_gumbel",
        "temperature": {"start": 1.0, "end": 1e-5, "steps": 3},
    },
    "critic": {"name": "cnn", "widths": [1, 2], "filters": [4, 4]},
    "run.dir": "a folder: with #signs",
}


@pytest.mark.parametrize("overrides", [{}, RICH], ids=["tiny", "rich"])
def test_the_printed_tree_is_yaml_of_the_same_experiment(
    overrides: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path / "c.yaml", overrides)
    before = sorted(tmp_path.rglob("*"))
    assert run(["config", str(path), "seed=5"]) == 0
    printed = capsys.readouterr().out
    tree = OmegaConf.create(printed)
    assert validate(Experiment, tree, "printed") == tiny_experiment({**overrides, "seed": 5})
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_shipped_experiments_print_faithfully(path: Path) -> None:
    experiment = load_experiment(path, _data_path(path))
    printed = OmegaConf.create("\n".join(describe(experiment)))
    assert validate(Experiment, printed, "printed") == experiment


def test_the_print_out_documents_fields_above_their_lines() -> None:
    lines = describe(tiny_experiment({"penalties": [{"name": "spectral_norm"}]}))
    clip = lines.index("    clip_norm: 5.0")
    assert lines[clip - 1].startswith("    # Largest norm of the gradient")
    iterations = next(i for i, line in enumerate(lines) if "iterations: 1" in line)
    assert "# Power iterations in each forward pass" in lines[iterations - 1]


def classes_below(annotation: Any) -> set[type[Config]]:
    """The configuration classes that a value of this type can hold, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        fields = annotation.model_fields.values()
        return {annotation}.union(*(classes_below(field.annotation) for field in fields))
    return set().union(*map(classes_below, get_args(annotation)))


CLASSES = sorted(classes_below(Experiment | StudyConfig), key=lambda model: model.__name__)


def test_the_walk_reaches_unions_lists_and_nested_classes() -> None:
    names = {model.__name__ for model in CLASSES}
    assert names >= {"ArmConfig", "RolloutCreditConfig", "R1Config", "SentencePieceConfig"}


@pytest.mark.parametrize("model", CLASSES, ids=lambda model: model.__name__)
def test_every_field_is_documented(model: type[Config]) -> None:
    """But `name`: the documentation of its value is the class's."""
    documented = field_documentation(model)
    bare = [name for name in model.model_fields if not documented.get(name)]
    assert set(bare) <= {"name"}


def test_every_field_is_in_the_print_out() -> None:
    experiment = tiny_experiment()
    printed = OmegaConf.to_container(OmegaConf.create("\n".join(describe(experiment))))
    assert printed == experiment.model_dump()


def test_a_list_of_numbers_and_schedules_is_printed_as_it_is_read() -> None:
    experiment = overridden("players.critic.betas=[0, {start: 0.9, end: 0.99, steps: 5}]")
    printed = OmegaConf.create("\n".join(describe(experiment)))
    again = validate(Experiment, OmegaConf.create(printed), "again")
    assert again == experiment
    assert again.players.critic.betas[1].at(5) == 0.99


def test_the_documentation_of_a_field_is_the_string_under_it() -> None:
    class Base(Config):
        kept: int = 0
        """Of the base,
        on two lines."""
        again: int = 0
        """Of the base."""

    class Own(Base):
        again: int = 1
        added: Annotated[int, "of"] = 2
        """Own."""

    assert field_documentation(Base) == {
        "kept": "Of the base,\non two lines.",
        "again": "Of the base.",
    }
    assert field_documentation(Own) == {
        "kept": "Of the base,\non two lines.",
        "again": "",
        "added": "Own.",
    }
