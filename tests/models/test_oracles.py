"""Oracles: densities sum to one, samples follow them, parameters are what they should be."""

import re
from itertools import product
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
import torch
from enumeration import chi_square_is_plausible, index_of
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.rng import isolated
from seqgan.data.oracle_config import (
    BracketsOracleConfig,
    CopyOracleConfig,
    OracleConfig,
    PalindromeOracleConfig,
    PaperOracleConfig,
    RandomOracleConfig,
)
from seqgan.models.oracles import is_balanced, parameter_hash

CPU = torch.device("cpu")
PAPER = Path(__file__).parents[2].parent / "shared/data/seqgan_oracle/target_params.npz"

CONFIGS: dict[str, OracleConfig] = {
    "random_lstm": RandomOracleConfig(name="random_lstm", vocab_size=4, length=3),
    "random_gru": RandomOracleConfig(name="random_gru", vocab_size=3, length=4, seed=2),
    "palindrome": PalindromeOracleConfig(name="palindrome", vocab_size=3, length=6),
    "palindrome of two": PalindromeOracleConfig(name="palindrome", vocab_size=3, length=2),
    "copy": CopyOracleConfig(name="copy", vocab_size=3, length=6, seed=1),
    "brackets": BracketsOracleConfig(name="brackets", pairs=2, length=6),
    "one kind of brackets": BracketsOracleConfig(name="brackets", pairs=1, length=8),
}


def everything(vocab_size: int, length: int) -> Tensor:
    return torch.tensor(list(product(range(vocab_size), repeat=length)))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_density_sums_to_one_over_all_sequences(name) -> None:
    oracle = CONFIGS[name].build(CPU)
    logp_R = oracle.log_prob(everything(oracle.space.vocab_size, oracle.space.length))
    assert float(logp_R.double().exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_samples_follow_the_density(name) -> None:
    oracle = CONFIGS[name].build(CPU)
    vocab_size, length = oracle.space.vocab_size, oracle.space.length
    with isolated(0):
        ids_BT = oracle.sample(30_000)
    assert ids_BT.shape == (30_000, length)
    counts = index_of(ids_BT, vocab_size).bincount(minlength=vocab_size**length)
    prob_R = oracle.log_prob(everything(vocab_size, length)).exp()
    assert chi_square_is_plausible(counts, prob_R)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_configuration_is_the_same_oracle_whatever_the_global_seed(name) -> None:
    """Others draw theirs unseeded on each machine."""
    densities = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        oracle = CONFIGS[name].build(CPU)
        ids_RT = everything(oracle.space.vocab_size, oracle.space.length)
        densities.append(oracle.log_prob(ids_RT))
    assert torch.equal(densities[0], densities[1])
    assert torch.equal(oracle.log_prob(ids_RT), densities[0])


@pytest.mark.parametrize("name", ["random_lstm", "random_gru", "palindrome", "copy"])
def test_another_seed_is_another_oracle(name) -> None:
    config = CONFIGS[name]
    other = config.model_copy(update={"seed": 77})
    ids_RT = everything(config.vocab_size, config.length)
    one, two = (c.build(CPU).log_prob(ids_RT).exp() for c in (config, other))
    assert (one - two).abs().sum() > 0.1


# ── Random networks ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("std", [1.0, 0.3])
def test_every_trainable_parameter_is_drawn_from_the_normal_distribution(std) -> None:
    config = RandomOracleConfig(name="random_lstm", vocab_size=200, length=4, std=std)
    network = config.build_network()
    values = torch.cat([p.flatten() for p in network.parameters() if p.requires_grad])
    assert abs(float(values.detach().mean())) < 5 * std / len(values) ** 0.5
    assert float(values.detach().std()) == pytest.approx(std, rel=0.03)
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.numel() > 30:
            assert float(parameter.detach().std()) == pytest.approx(std, rel=0.5)


def test_gates_have_one_bias() -> None:
    """Two N(0, 1) biases would add up to N(0, 2): another distribution of oracles."""
    for name in ("random_lstm", "random_gru"):
        network = RandomOracleConfig(name=name).build_network()
        fixed = {n: p for n, p in network.named_parameters() if not p.requires_grad}
        assert len(fixed) == 1
        assert all("bias_hh" in n and (p == 0).all() for n, p in fixed.items())


def test_the_hash_pins_the_parameters() -> None:
    config = RandomOracleConfig(name="random_lstm")
    found = parameter_hash(config.build_network())
    pinned = config.model_copy(update={"sha256": found[:12]})
    assert parameter_hash(pinned.build_network()) == found
    wrong = config.model_copy(update={"sha256": "00ff", "seed": 3})
    with pytest.raises(UserError) as error:
        wrong.build_network()
    message = str(error.value)
    assert "data.oracle.sha256='00ff'" in message
    assert parameter_hash(wrong.model_copy(update={"sha256": None}).build_network())[:16] in message
    assert "correct the field, or remove it" in message
    assert "\n" not in message


# ── Constraints ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["palindrome", "copy"])
def test_only_sequences_that_obey_have_a_density_and_it_is_that_of_a_markov_chain(name) -> None:
    """All obeying sequences and no others; p(abc) p(b) = p(ab·) p(bc|b)… checked by rebuilding
    the chain from the density itself."""
    oracle = CONFIGS[name].build(CPU)
    ids_RT = everything(3, 6)
    first, second = ids_RT[:, :3], ids_RT[:, 3:]
    obeys_R = (first == (second.flip(1) if name == "palindrome" else second)).all(1)
    logp_R = oracle.log_prob(ids_RT)
    assert torch.equal(logp_R > -torch.inf, obeys_R)
    prob_VVV = logp_R[obeys_R].double().exp().view(3, 3, 3)
    # first[:, 0] is the slowest index of the sequences in order, first[:, 2] the fastest.
    third_given_second = prob_VVV / prob_VVV.sum(2, keepdim=True)
    second_given_first = prob_VVV.sum(2) / prob_VVV.sum((1, 2))[:, None]
    for a in range(3):
        torch.testing.assert_close(third_given_second[a], second_given_first, rtol=1e-4, atol=1e-6)


def test_balanced_strings_are_equally_likely_and_all_there() -> None:
    """Catalan(3) · 2³ = 40 strings."""
    oracle = CONFIGS["brackets"].build(CPU)
    ids_RT = everything(4, 6)

    def shrinks_to_nothing(row: list[int]) -> bool:
        text = "".join("([)]"[token] for token in row)
        while "()" in text or "[]" in text:
            text = text.replace("()", "").replace("[]", "")
        return not text

    obeys_R = torch.tensor([shrinks_to_nothing(row) for row in ids_RT.tolist()])
    assert obeys_R.tolist() == [is_balanced(row, 2) for row in ids_RT.tolist()]
    assert int(obeys_R.sum()) == comb(6, 3) // 4 * 8
    logp_R = oracle.log_prob(ids_RT)
    assert torch.equal(logp_R > -torch.inf, obeys_R)
    assert torch.allclose(logp_R[obeys_R], torch.tensor(-log(40.0)))


# ── The SeqGAN paper's oracle ─────────────────────────────────────────────────────────────────

needs_paper = pytest.mark.skipif(
    not PAPER.is_file(), reason=f"the paper's parameters are not at {PAPER}"
)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@needs_paper
def test_the_paper_oracle_is_its_published_equations_from_word_0() -> None:
    """The official TensorFlow cell in NumPy: x W + h U + b a gate, one bias, start at word 0."""
    with np.load(PAPER) as archive:
        a = {name: archive[name].astype(np.float64) for name in archive.files}
    ids_BT = torch.randint(5000, (5, 7), generator=torch.Generator().manual_seed(0))
    h, c, x = np.zeros((5, 32)), np.zeros((5, 32)), a["embeddings"][[0] * 5]
    expected = np.zeros(5)
    for ids_B in ids_BT.T.numpy():
        i, f, o = (sigmoid(x @ a[f"W{g}"] + h @ a[f"U{g}"] + a[f"b{g}"]) for g in ("i", "f", "og"))
        c = f * c + i * np.tanh(x @ a["Wc"] + h @ a["Uc"] + a["bc"])
        h = o * np.tanh(c)
        logits = h @ a["Wo"] + a["bo"]
        logits -= logits.max(1, keepdims=True)
        logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        expected += logp[np.arange(5), ids_B]
        x = a["embeddings"][ids_B]
    oracle = PaperOracleConfig(name="seqgan_paper", path=str(PAPER), length=7).build(CPU)
    np.testing.assert_allclose(oracle.log_prob(ids_BT).numpy(), expected, rtol=1e-4)


@needs_paper
def test_the_paper_oracle_has_its_published_entropy() -> None:
    """5.745 ± 0.02 nats per token at T = 20."""
    oracle = PaperOracleConfig(name="seqgan_paper", path=str(PAPER)).build(CPU)
    with isolated(0):
        nll_B = -oracle.log_prob(oracle.sample(4000)) / 20
    assert float(nll_B.std()) / 4000**0.5 < 0.02 / 2
    assert float(nll_B.mean()) == pytest.approx(5.745, abs=0.02)


def paper_arrays(**changes) -> dict[str, np.ndarray]:
    shapes = {"W": (2, 4), "U": (4, 4), "b": (4,)}
    arrays = {f"{kind}{gate}": np.ones(shape) for kind, shape in shapes.items() for gate in GATES}
    arrays |= {"embeddings": np.ones((3, 2)), "Wo": np.ones((4, 3)), "bo": np.ones(3)}
    return arrays | changes


GATES = ("i", "f", "c", "og")


def complaint_of_paper_oracle(path: Path) -> str:
    with pytest.raises(UserError, match=r"^data\.oracle\.path: ") as caught:
        PaperOracleConfig(name="seqgan_paper", path=str(path)).build(CPU)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parameters_of_any_size_make_a_paper_oracle(tmp_path: Path) -> None:
    np.savez(tmp_path / "a", **paper_arrays())
    PaperOracleConfig(name="seqgan_paper", path=str(tmp_path / "a.npz")).build(CPU)


@pytest.mark.parametrize("kind", [np.longdouble, ">f4", "<i2"])
def test_parameters_of_any_type_make_a_paper_oracle(tmp_path: Path, kind: object) -> None:
    np.savez(tmp_path / "a", **{name: np.asarray(a, kind) for name, a in paper_arrays().items()})
    PaperOracleConfig(name="seqgan_paper", path=str(tmp_path / "a.npz")).build(CPU)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": np.array([{"a": 1}], dtype=object)}, "'embeddings' cannot be read"),
        ({"embeddings": np.array([["a"]])}, "'embeddings' holds <U1, not numbers"),
        ({"embeddings": np.ones(3)}, r"'embeddings' has shape \(3,\), not \(N, M\)"),
        ({"Ui": np.ones(())}, r"'Ui' has shape \(\), not \(N, M\)"),
        ({"embeddings": np.ones((0, 2))}, r"'embeddings' has shape \(0, 2\)"),
        ({"Wf": np.ones((1, 4))}, r"'Wf' has shape \(1, 4\) where the others call for \(2, 4\)"),
        ({"bo": np.ones(())}, r"'bo' has shape \(\) where the others call for \(3,\)"),
        ({"Wo": np.full((4, 3), np.nan)}, "'Wo' holds numbers that are not finite"),
        ({"bi": np.full(4, 1e300)}, "'bi' holds numbers that are not finite"),
    ],
)
def test_paper_parameters_that_do_not_fit_are_named(
    tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "a", **paper_arrays(**changes))
    assert re.search(message, complaint_of_paper_oracle(tmp_path / "a.npz"))


def test_files_without_paper_parameters_are_named(tmp_path: Path) -> None:
    assert "no such file; check the path" in complaint_of_paper_oracle(tmp_path / "none.npz")
    np.savez(tmp_path / "partial", embeddings=np.zeros((3, 2)))
    assert "lacks the array 'Wo'" in complaint_of_paper_oracle(tmp_path / "partial.npz")
    (tmp_path / "empty.npz").touch()
    assert "is no .npz file" in complaint_of_paper_oracle(tmp_path / "empty.npz")
