"""Time the work that a text GAN consists of, beside naive implementations where a ratio is claimed.

    reward      one SeqGAN reward pass (64 sentences of 20 tokens, 16 continuations of every
                prefix, the published CNN critic), against re-decoding every prefix from the start,
                `torch.multinomial`, and 16 × 20 critic calls with `conv1d`
    sampling    10,000 sequences, against `nn.LSTM` and `torch.multinomial` one step at a time
    self_bleu   Self-BLEU-2..5 of 10,000 captions
    steps       one update of each player, the generator's for every estimator
    likelihood  likelihood and policy-gradient updates, against `nn.LSTM` and `nn.NLLLoss`
    picture     a DCGAN of 32 × 32 pixels through the trainer, against the same networks in a loop
                written by hand
    beside      rounds of that picture GAN in one process, and in two at once on the same cores
    prdc        precision, recall, density and coverage of 10,000 against 10,000 features
    translate   1,000 greedy translations by an encoder-decoder with its cache, against the same
                network reading the whole prefix again for every token
    kv_cache    64 samples of 50 tokens by transformers of 4 layers × 256, ours and a GPT-2 of the
                transformers library, with their caches, against the same networks reading the
                whole prefix again for every token
    estimators  one generator update by every estimator of configs/probe/enumerable.yaml, on 64
                sentences of 16 tokens out of 200, and its ratio to REINFORCE
    cycle       one generator step and one critic step of the cycle game on the summaries of
                configs/summarize/events.yaml, for every estimator, against `detached`

The two sides of a ratio run alternately in one process; all runs are recorded and medians
compared. What is compared must be the same computation: `checks` holds the evidence (equal scores
for equal sequences, equal distributions of tokens, equal rewards up to Monte-Carlo error).
JSON goes to stdout, progress to stderr.

    python scripts/bench.py [--device auto|cpu|cuda] [--quick] [--only PART] [--json FILE]
                            [--captions FILE]
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from benchmarks.beside import bench_beside
from benchmarks.cycle import bench_cycle
from benchmarks.pictures import bench_picture, bench_prdc
from benchmarks.sampling import bench_reward, bench_sampling, bench_self_bleu
from benchmarks.sizes import QUICK, Sizes
from benchmarks.steps import bench_estimators, bench_likelihood, bench_steps
from benchmarks.timing import Json, say
from benchmarks.translations import bench_kv_cache, bench_translate

from seqgan.core.device import describe, resolve_device
from seqgan.core.errors import UserError


def run_all(
    sizes: Sizes, device: torch.device, captions: Path | None = None, only: str | None = None
) -> Json:
    """Every measurement (or the one that `only` names), with what it was measured on."""
    parts: dict[str, Callable[[], Json]] = {
        "reward": lambda: bench_reward(sizes, device),
        "sampling": lambda: bench_sampling(sizes, device),
        "self_bleu": lambda: bench_self_bleu(sizes, captions),
        "steps": lambda: bench_steps(sizes, device),
        "likelihood": lambda: bench_likelihood(sizes, device),
        "picture": lambda: bench_picture(sizes, device),
        "beside": lambda: bench_beside(sizes),
        "prdc": lambda: bench_prdc(sizes),
        "translate": lambda: bench_translate(sizes, device),
        "kv_cache": lambda: bench_kv_cache(sizes, device),
        "estimators": lambda: bench_estimators(sizes, device),
        "cycle": lambda: bench_cycle(sizes, device),
    }
    if only is not None and only not in parts:
        raise UserError(f"--only={only!r}: choose from: {', '.join(parts)}")
    result: Json = {"machine": machine(device), "sizes": _sizes(sizes)}
    for name in parts if only is None else [only]:
        say(name)
        torch.manual_seed(0)
        result[name] = parts[name]()
    result["targets"] = targets(result)
    return result


def targets(result: Json) -> Json:
    """What the project promises for the default sizes on two CPU cores, and what was found."""
    found: dict[str, Callable[[], float]] = {
        "reward_seconds_at_most_7": lambda: result["reward"]["ours"]["median_s"],
        "reward_ratio_at_least_6": lambda: result["reward"]["ratio"],
        "sampling_ratio_at_least_4": lambda: result["sampling"]["ratio"],
        "self_bleu_seconds_below_1": lambda: result["self_bleu"]["median_s"],
        "likelihood_ratio_at_least_1.5": lambda: min(
            result["likelihood"][case]["ratio"] for case in ("full", "policy_gradient")
        ),
        "picture_overhead_at_most_0.1": lambda: result["picture"]["overhead"],
        "beside_ratio_at_most_2.2": lambda: result["beside"]["ratios"]["two"],
        "prdc_gib_below_2": lambda: result["prdc"]["bytes"] / 2**30,
        "translate_ratio_at_least_5": lambda: result["translate"]["ratio"],
        "kv_cache_ratio_at_least_3": lambda: min(r["ratio"] for r in result["kv_cache"].values()),
    }
    return {
        name: value()
        for name, value in found.items()
        if any(name.startswith(part) for part in result)
    }


def machine(device: torch.device) -> Json:
    return {
        "device": describe(device),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def _sizes(sizes: Sizes) -> Json:
    """As JSON, and whether this is less work than the targets are stated for."""
    return {**asdict(sizes), "critic": sizes.critic.model_dump(), "quick": sizes == QUICK}


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda[:i] or mps")] = "auto",
    quick: Annotated[bool, typer.Option(help="less work; not what the targets are for")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="also write the JSON to this file")
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="a text file for Self-BLEU, one caption a line")
    ] = None,
    only: Annotated[str | None, typer.Option(help="measure this part alone")] = None,
) -> None:
    """Time sampling, rewards, Self-BLEU and updates; print JSON."""
    try:
        result = run_all(QUICK if quick else Sizes(), resolve_device(device), captions, only)
    except UserError as error:
        say(str(error))
        raise typer.Exit(2) from None
    text = json.dumps(result, indent=2)
    print(text)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
