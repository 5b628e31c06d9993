"""Alarms: a player that has stopped, by the statistics that are logged anyway.

If either player stops, so does the other: a critic that tells all samples apart hardly says which
one is better, and one that stands still is soon pleased by anything. A training goes on in either
case, and its losses do not say so. Four signs, each over at least LONG updates and LINES log lines
one after the other:

    critic_wins       accuracy of the critic at least ALWAYS, while the generator learns from it
    generator_stands  gradient norm of the generator at most NOTHING, while it should learn from it
    critic_stands     gradient norm of the critic at most NOTHING
    critic_left       no update of the critic, while the generator learns from it

Each is said once in a run. Nothing is said of a player that is told to stand still: one of lr 0, or
a generator whose rewards are a control without information.
"""

from collections.abc import Collection
from dataclasses import dataclass

from seqgan.core.plain import JsonObject, StateDict
from seqgan.training.phase_schedule import PhaseSchedule

LONG = 500
"""Updates of the player that an alarm is about (critic_left: of the generator)."""
LINES = 5
ALWAYS = 0.995
NOTHING = 1e-7


@dataclass(frozen=True, slots=True)
class Alarm:
    """What seems to have stopped, and what can be done."""

    name: str
    sentence: str


class Alarms:
    """Reads the training lines of a log, one after the other.

    `adversarial`: the phases in which the generator learns from the critic. `critic_can_win`:
    whether real samples are to score above 0 and generated ones below. `frozen`: players that are
    told to stand still.
    """

    def __init__(
        self,
        schedule: PhaseSchedule,
        adversarial: Collection[str],
        critic_can_win: bool,
        frozen: Collection[str] = (),
    ) -> None:
        self._schedule = schedule
        self._adversarial = adversarial
        self._critic_can_win = critic_can_win
        self._frozen = frozen
        self._streaks: dict[str, tuple[int, int]] = {}
        """Name → updates and lines for which its sign has been seen."""
        self._said: list[str] = []
        self._last: dict[str, int] = {}
        """Counts of the line before."""
        self._learned = False
        """Whether the generator learned from the critic in the steps of the line before."""

    def read(self, line: JsonObject) -> list[Alarm]:
        """The alarms that this line raises."""
        counts = {key: line.get(key, 0) for key in ("step", "generator_updates", "critic_updates")}
        grown = {key: count - self._last.get(key, 0) for key, count in counts.items()}
        learns = self._learns(counts["step"] - grown["step"], counts["step"])
        taught = learns or self._learned  # a line may be too short for both phases
        self._last, self._learned = counts, learns
        signs = {
            "critic_wins": (self._critic_wins(line, taught), grown["critic_updates"]),
            "generator_stands": (
                _is_nothing(line, "generator") if learns else None,
                grown["generator_updates"],
            ),
            "critic_stands": (_is_nothing(line, "critic"), grown["critic_updates"]),
            "critic_left": (
                _critic_left(line, grown["critic_updates"], learns),
                grown["generator_updates"],
            ),
        }
        return [
            Alarm(name, _SAYINGS[name].format(updates=self._streaks[name][0]))
            for name, (seen, updates) in signs.items()
            if self._goes_on(name, seen, updates)
        ]

    def _learns(self, start: int, stop: int) -> bool:
        """Whether the generator learns from the critic in one of these steps."""
        return any(self._schedule.phase(step) in self._adversarial for step in range(start, stop))

    def _critic_wins(self, line: JsonObject, taught: bool) -> bool | None:
        accuracies = [v for key, v in line.items() if key.startswith("critic/accuracy")]
        if not accuracies or not taught or not self._critic_can_win:
            return None
        return all(accuracy >= ALWAYS for accuracy in accuracies)

    def _goes_on(self, name: str, seen: bool | None, updates: int) -> bool:
        """Whether a sign has been there for so long that it is to be said now. None: the line has
        nothing to say of it."""
        if seen is None or name in self._said or name.split("_")[0] in self._frozen:
            return False
        before, lines = self._streaks.get(name, (0, 0))
        self._streaks[name] = (before + updates, lines + 1) if seen else (0, 0)
        long_enough = before + updates >= LONG and lines + 1 >= LINES
        if seen and long_enough:
            self._said.append(name)
        return seen and long_enough

    def state_dict(self) -> StateDict:
        streaks = {name: list(streak) for name, streak in self._streaks.items()}
        return {
            "streaks": streaks,
            "said": list(self._said),
            "last": dict(self._last),
            "learned": self._learned,
        }

    def load_state_dict(self, state: StateDict) -> None:
        self._streaks = {name: (n, lines) for name, (n, lines) in state["streaks"].items()}
        self._said, self._last = list(state["said"]), dict(state["last"])
        self._learned = state["learned"]


_SAYINGS = {
    "critic_wins": (
        "the critic has told all samples apart for {updates} of its updates, so that it hardly "
        "says which is better; give it fewer visits or a lower players.critic.lr, or smooth it by "
        "penalties such as r1 or spectral_norm"
    ),
    "generator_stands": (
        "the generator's gradient has been 0 for {updates} of its updates, so that it learns "
        "nothing; its samples may all be alike, or the critic too sure: try objective "
        "non_saturating, an entropy bonus, or a lower rate"
    ),
    "critic_stands": (
        "the critic's gradient has been 0 for {updates} of its updates, so that it learns nothing; "
        "start again with a lower players.critic.lr, or with another objective"
    ),
    "critic_left": (
        "the critic has not been updated during {updates} updates of the generator, which learns "
        "to please a critic that stands still; let the schedule visit phase critic as well"
    ),
}


def _critic_left(line: JsonObject, critic_updates: int, learns: bool) -> bool | None:
    if critic_updates > 0:
        return False
    return True if learns and "critic_updates" in line else None


def _is_nothing(line: JsonObject, player: str) -> bool | None:
    norm = line.get(f"{player}/gradient_norm")
    return None if norm is None else bool(norm <= NOTHING)
