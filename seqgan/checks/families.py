"""Features, mutations, demonstrations, leaked features, categories: each needs its counterpart."""

from typing import TYPE_CHECKING

from seqgan.checks.kinds import PROMPTED
from seqgan.estimators.baselines_config import LearnedBaselineConfig
from seqgan.estimators.config import RebarConfig, RelaxConfig
from seqgan.estimators.policy_gradient_config import PolicyGradientConfig
from seqgan.games.config import ConditionalGameConfig
from seqgan.objectives.config import DivergenceConfig, RankConfig

if TYPE_CHECKING:
    from seqgan.experiment import Experiment


def check_mutations(experiment: "Experiment") -> None:
    """Evolution and its phase go together, and it starts each child from the same state."""
    phases = {phase for stage in experiment.schedule for phase in stage.phases}
    evolution = getattr(experiment.game, "evolution", None)
    if (evolution is not None) != ("evolve" in phases):
        raise ValueError(
            "game.evolution and the schedule's phase 'evolve' go together; set both, or neither"
        )
    learned = isinstance(getattr(experiment.estimator, "baseline", None), LearnedBaselineConfig)
    if evolution is not None and learned:
        raise ValueError(
            "estimator.baseline.name=learned: a baseline cannot learn the rewards of several "
            "mutations; use leave_one_out"
        )
    estimator = experiment.estimator
    varies = isinstance(estimator, RelaxConfig) or getattr(estimator, "learn", False)
    if evolution is not None and estimator is not None and varies:
        raise ValueError(
            f"estimator.name={estimator.name}: a control variate cannot learn the rewards of "
            "several mutations; use rebar with learn=false, or another estimator"
        )


def check_demonstrations(experiment: "Experiment") -> None:
    """Real sentences can stand among hard samples that are compared with each other only."""
    estimator = experiment.estimator
    if getattr(experiment.game, "demonstrations", None) is None:
        return
    if not isinstance(estimator, PolicyGradientConfig) or estimator.samples > 1:
        raise ValueError(
            "game.demonstrations needs estimator score_function or ppo with samples=1; use one of "
            "them, or leave demonstrations out"
        )
    if estimator.baseline.name == "self_critical":
        raise ValueError(
            "estimator.baseline.name=self_critical: greedy sentences are no demonstrations; use "
            "leave_one_out, or leave game.demonstrations out"
        )


def check_leak(experiment: "Experiment") -> None:
    """LeakGAN's parts come together: one generator, one way to teach it, one kind of critic."""
    parts = {"generator": "leakgan", "estimator": "leakgan", "critic": "cnn"}
    names = {field: getattr(getattr(experiment, field), "name", None) for field in parts}
    if "leakgan" not in names.values():
        return
    for field, needed in parts.items():
        if names[field] != needed:
            raise ValueError(
                f"{field}.name={names[field]} does not fit generator or estimator leakgan, which "
                f"needs {field} {needed} (and game adversarial); change one of them"
            )
    if experiment.data.name in PROMPTED:
        raise ValueError(
            f"generator.name=leakgan sets goals for whole sequences, data.name="
            f"{experiment.data.name} has prompts; use another generator and estimator"
        )


def check_classes(experiment: "Experiment") -> None:
    """A critic of categories, its objective and labels go together."""
    objective, critic, game = experiment.objective, experiment.critic, experiment.game
    names = [part is not None and part.name == "classes" for part in (critic, objective)]
    if not any(names):
        return
    if not all(names):
        raise ValueError("critic.name=classes and objective.name=classes go together; set both")
    data = experiment.data
    prompt = getattr(data, "prompt", None) or getattr(data, "prompt_length", None)
    if prompt != 1:
        raise ValueError(
            f"critic.name=classes needs labels, prompts of one token; data.name={data.name} has "
            "none, or longer ones"
        )
    if isinstance(game, ConditionalGameConfig) and game.mismatched:
        raise ValueError(
            f"game.mismatched={game.mismatched}: to critic classes a real sample with a wrong "
            "label is no generated one; set it to 0"
        )


def check_features(experiment: "Experiment") -> None:
    """Objectives that compare features need a critic that has some, and samples to compare."""
    objective, critic, estimator = experiment.objective, experiment.critic, experiment.estimator
    if objective is None or critic is None or isinstance(objective, DivergenceConfig):
        return
    if critic.name in ("rnn", "action", "local", "co_occurrence") or getattr(
        critic, "causal", False
    ):
        causal = " with causal=true" if critic.name == "transformer" else ""
        raise ValueError(
            f"objective.name={objective.name} compares features of whole samples, "
            f"critic.name={critic.name}{causal} scores steps and has none; use critic cnn, relgan, "
            "pairwise, mlp, or transformer with causal=false"
        )
    if estimator is not None and estimator.name == "maligan":
        raise ValueError(
            f"objective.name={objective.name}: estimator maligan weights samples by exp of a "
            "critic's logit; use objective non_saturating with value logit"
        )
    if objective.name == "transport" and isinstance(estimator, RebarConfig):
        raise ValueError(
            "objective.name=transport: a sample's value is a potential with the slope of a cost, "
            "so that estimator rebar would be biased; use relax"
        )
    alone = getattr(estimator, "baseline", None), getattr(estimator, "term_baseline", None)
    if objective.name != "rank" and "self_critical" in [getattr(b, "name", None) for b in alone]:
        raise ValueError(
            f"objective.name={objective.name} compares the samples of a batch, and the greedy "
            "sentence of baseline self_critical is alone; use leave_one_out"
        )
    least = objective.references + 1 if isinstance(objective, RankConfig) else 2
    if experiment.train.batch_size < least:
        raise ValueError(
            f"train.batch_size={experiment.train.batch_size} leaves objective {objective.name} "
            f"nothing to compare with; use at least {least}"
        )
    scored = [p.name for p in experiment.penalties if p.name in ("gradient_penalty", "r1")]
    if objective.name != "mmd" and scored:
        raise ValueError(
            f"penalties has '{scored[0]}' on the critic's score, which objective.name="
            f"{objective.name} does not train; use spectral_norm or weight_clip"
        )
