"""The one training loop.

    phase = schedule.phase(step)
    for player, loss, stats in game.updates(phase):  player.update(loss)
    log, evaluate, save

Where training stops (by schedule, rule, time or signal) between two evaluations, it is evaluated
there too. That evaluation may select the reported checkpoint, and is forgotten when training is
resumed, so a run selects the same however often it was stopped.

Statistics stay on the device and are read every `log_every` steps; non-finite losses are looked for
then and before every evaluation and save, so a step never waits for the device.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from seqgan.core.budget import Budget, counting
from seqgan.core.device import autocast
from seqgan.core.errors import terminate, warn
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.progress import progress_bar
from seqgan.core.renamed import new_statistic
from seqgan.core.rng import rng_state, set_rng_state
from seqgan.core.types import Stats
from seqgan.training.alarms import Alarms
from seqgan.training.checkpoint import Checkpoints
from seqgan.training.config import TrainConfig
from seqgan.training.game import Game, Updates
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import raise_if_not_finite
from seqgan.training.runlog import RunLog
from seqgan.training.selection import Metrics, Selection


class Interrupted(Exception):
    """SIGINT or SIGTERM came; the run is saved."""

    def __init__(self, number: int, remedy: str) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.remedy = remedy


@dataclass
class Trainer:
    """See the module's docstring.

    `evaluate(step)` returns validation metrics; `show(step)` writes samples for people.
    """

    game: Game
    schedule: PhaseSchedule
    config: TrainConfig
    device: torch.device
    folder: Path
    evaluate: Callable[[int], Metrics]
    show: Callable[[int], None]
    selection: Selection = field(default_factory=Selection)
    probe: Callable[[], JsonObject] = dict
    """What `seqgan probe` measures, at the present parameters."""
    probe_every: int | None = None
    alarms: Alarms | None = None
    """What may say that a player has stopped; None: nothing does."""
    step: int = 0
    seconds: float = 0.0
    budget: Budget = field(default_factory=Budget)
    best: JsonObject | None = None
    """Step, metric, mode, value and generator updates of the checkpoint that the rule has selected
    so far; earlier versions kept no updates."""
    at_stop: JsonObject | None = None
    """The same of a better one, evaluated only because training stopped there."""
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _restored: int | None = None
    """The step that training goes on from; None: it starts."""
    _signal: int | None = None
    _clock: float = 0.0

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(self.folder / "checkpoints", self.config.keep)

    def run(self) -> bool:
        """Train to the end of the schedule, or until the rule, the time or a signal stops it.

        Returns whether training is finished: by schedule or by the rule. Raises `Interrupted`
        after saving.
        """
        log = RunLog(self.folder, self.config.tensorboard, self._restored, not self._over)
        try:
            with self._signals(), progress_bar() as bar:
                task = bar.add_task(
                    self.folder.name, total=self.schedule.steps, completed=self.step, note=""
                )

                def report(note: str, milestone: bool = False) -> None:
                    bar.update(task, completed=self.step, note=note, milestone=milestone)

                self._clock = time.perf_counter()
                if self._restored is None:
                    self._evaluate(log, report, due=True)
                    self._show()
                self._loop(log, report)
        finally:
            log.close()
        if self._signal is not None:
            raise Interrupted(self._signal, f"go on with: seqgan train --resume {self.folder}")
        return self._over

    def _loop(self, log: RunLog, report: Callable[..., None]) -> None:
        started = time.monotonic()
        while not self._over:
            phase = self.schedule.phase(self.step)
            assert phase is not None, "there are steps left"
            updates = self.game.players["generator"].updates
            self._step(phase)
            at_end = self.schedule.phase(self.step) is None
            if self.step % self.config.log_every == 0 or at_end:
                self._log(log)
                report("")
            due = self.step % self.config.eval_every == 0
            better = due and self._evaluate(log, report, due)
            if due or at_end or self._passes_a_milestone(updates):
                self._show()
            if self.probe_every is not None and self.step % self.probe_every == 0:
                self._probe(log)
            if self._over and not due:
                self._evaluate(log, report, due)
            broken_off = self._out_of_time(started) or self._signal is not None
            # Last, so that a resumed run has all that this step logs and shows.
            if better or broken_off or self._over or self.step % self.config.checkpoint_every == 0:
                self._save()
            if broken_off:
                if not self._over and not due:  # saved already: a second signal loses nothing
                    self._evaluate(log, report, due)
                    self.checkpoints.select(self._reported)
                return

    @property
    def _over(self) -> bool:
        """Whether training has ended, by schedule or by the rule."""
        waited = self.selection.waited_long_enough(self.best, self.step)
        return self.step >= self.schedule.steps or waited

    def _step(self, phase: str) -> None:
        for player, loss, stats in self._losses(phase):
            norm = player.update(loss)
            kept = {"loss": loss.detach(), "gradient_norm": norm, **stats}
            self._accumulate({f"{player.name}/{key}": value for key, value in kept.items()})
        self.step += 1

    def _losses(self, phase: str) -> Updates:
        """The game's losses, computed under autocast; backward passes stay outside of it."""
        updates = self.game.updates(phase)
        while True:
            with autocast(self.device, self.config.precision), counting(self.budget):
                update = next(updates, None)
            if update is None:
                return
            yield update

    def _passes_a_milestone(self, updates: int) -> bool:
        """Whether the last step brought the generator's updates to one of `train.show_at`."""
        reached = self.game.players["generator"].updates
        return any(updates < milestone <= reached for milestone in self.config.show_at)

    def _out_of_time(self, started: float) -> bool:
        limit = self.config.max_minutes
        return limit is not None and time.monotonic() - started > 60 * limit

    def _accumulate(self, stats: Stats) -> None:
        for name, value in stats.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().float()
            self._counts[name] = self._counts.get(name, 0) + 1

    def _position(self) -> JsonObject:
        updates = {f"{name}_updates": p.updates for name, p in self.game.players.items()}
        spent = self.budget.state_dict()
        return {"step": self.step, "seconds": round(self.seconds, 3), **updates, **spent}

    def _wait(self) -> None:
        """Wait for the device, look for non-finite values, and stop the clock there: `seconds` is
        time spent on training, without evaluations and saves."""
        raise_if_not_finite(self.game.players.values(), self.step)
        self.seconds += time.perf_counter() - self._clock
        self._clock = time.perf_counter()

    def _log(self, log: RunLog) -> None:
        self._wait()
        names = list(self._sums)
        means: list[float] = []
        if names:  # there are none after steps without an update (phase snapshot)
            means = torch.stack([self._sums[name] / self._counts[name] for name in names]).tolist()
        line = {"kind": "train", **self._position(), **dict(zip(names, means, strict=True))}
        log.write(line)
        self._sums, self._counts = {}, {}
        for alarm in () if self.alarms is None else self.alarms.read(line):
            warn(f"{alarm.sentence} (step {self.step})")
            log.write({"kind": "alarm", **self._position(), **asdict(alarm)})

    def _show(self) -> None:
        self._wait()
        self.show(self.step)
        self._clock = time.perf_counter()

    def _probe(self, log: RunLog) -> None:
        self._wait()
        log.write({"kind": "probe", **self._position(), **self.probe()})
        self._clock = time.perf_counter()

    def _evaluate(self, log: RunLog, report: Callable[..., None], due: bool) -> bool:
        """Whether this step is the best so far, by the rule."""
        self._wait()
        report("evaluating")
        metrics = self.evaluate(self.step)
        line = {"kind": "eval", "split": "valid", **self._position(), "metrics": metrics}
        log.write(line if due else {**line, "at_stop": True})
        value = self.selection.value(metrics)
        report("" if value is None else f"{self.selection.metric} {value:.4g}", milestone=True)
        self._clock = time.perf_counter()
        return self._select(value, due)

    def _select(self, value: float | None, due: bool) -> bool:
        """Whether this value is the best so far. The initial network is never selected, and what is
        selected only because training stops (not `due`) is forgotten when it is resumed.

        Where only the critic has learned since, the same value of the same generator selects the
        later checkpoint, which has the better critic."""
        rule, updates = self.selection, self.game.players["generator"].updates
        if value is None or updates == 0:
            return False
        if self.best is not None:
            as_good = (value, updates) == (self.best["value"], self.best.get("updates"))
            if not as_good and not rule.better(value, self.best["value"]):
                return False
        found = {"step": self.step, "metric": rule.metric, "mode": rule.mode, "value": value}
        found |= {"updates": updates}
        if due:
            self.best = found
        else:
            self.at_stop = found
        return True

    @property
    def _reported(self) -> JsonObject | None:
        return self.at_stop or self.best

    def _save(self) -> None:
        self._wait()
        # The checkpoint names the best one too: a kill in between loses nothing.
        self.checkpoints.save(self.step, self.state_dict())
        self.checkpoints.select(self._reported)
        self._clock = time.perf_counter()

    def state_dict(self) -> StateDict:
        """Everything that decides what comes next."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "budget": self.budget.state_dict(),
            "best": self.best,
            "at_stop": self.at_stop,
            "players": {name: p.state_dict() for name, p in self.game.players.items()},
            "game": {name: part.state_dict() for name, part in self.game.stateful().items()},
            "statistics": {"sums": self._sums, "counts": self._counts},
            "alarms": None if self.alarms is None else self.alarms.state_dict(),
            "rng": rng_state(),
        }

    def load_state_dict(self, state: StateDict) -> None:
        self.step = state["step"]
        self.seconds = float(state["seconds"])
        self.budget.load_state_dict(state["budget"])
        self.best = self.selection.renamed(state["best"])
        self.at_stop = self.selection.renamed(state.get("at_stop"))  # earlier versions had none
        # A schedule that was changed on resuming may bring players that nothing has taught yet.
        for name, player in self.game.players.items():
            if name in state["players"]:
                player.load_state_dict(state["players"][name])
        for name, part in self.game.stateful().items():
            if name in state["game"]:
                part.load_state_dict(state["game"][name])
        sums, counts = state["statistics"]["sums"], state["statistics"]["counts"]
        self._sums = {new_statistic(name): value.to(self.device) for name, value in sums.items()}
        self._counts = {new_statistic(name): count for name, count in counts.items()}
        if self.alarms is not None and state.get("alarms") is not None:
            self.alarms.load_state_dict(state["alarms"])
        set_rng_state(state["rng"])

    def restore(self) -> None:
        """Go back to the last intact checkpoint; without any, training starts from the beginning.

        Nothing is written before a checkpoint has been read. Raises `UserError` if all of them
        are damaged.
        """
        found = self.checkpoints.load_last(self.load_state_dict)
        if found is None:
            warn(f"{self.folder}: holds no checkpoint; training starts from the beginning")
            return
        self._restored, _ = found
        for best in (self.best, self.at_stop):
            self.selection.check_mode(best)
        for step in self.checkpoints.steps():
            if step > self.step:
                self.checkpoints.set_aside(step)
        self.best = self._if_valid(self.best)
        self.at_stop = self._if_valid(self.at_stop) if self._over else None
        self.checkpoints.select(self._reported)

    def _if_valid(self, best: JsonObject | None) -> JsonObject | None:
        """None where the run is resumed with another metric, whose values cannot be compared, for
        the initial network, which earlier versions selected, and for a damaged checkpoint."""
        if best is None or best["metric"] != self.selection.metric or best["step"] == 0:
            return None
        if not self.checkpoints.is_intact(best["step"]):
            warn(f"the selected checkpoint (step {best['step']}) is damaged and left out")
            return None
        return best

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask for a save after the current step; the same one again kills."""
        kills = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: terminate}

        def request_stop(number: int, frame: FrameType | None) -> None:
            self._signal = number
            signal.signal(number, kills[signal.Signals(number)])

        kept = {number: signal.signal(number, request_stop) for number in kills}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
