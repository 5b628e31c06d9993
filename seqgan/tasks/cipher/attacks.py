"""Classical attacks on ciphers from unpaired text, to compare learned ones with.

All return decoding tables [period, V]: the guess for cipher token c in column t of a window is
table[t mod period, c]. All read cipher text and *other* plain text, never a pair.

frequency_match   the k-th most frequent cipher token is the k-th most frequent plain one, in each
                  residue of the column. (The baseline of Gomez et al. 2018.)
hill_climb        raises the bigram log-likelihood Σ_r Σ_ij C_r[i, j] · L[k_r(i), k_{r+1}(j)] by the
                  best swap of two entries of a table k_r, until none helps (after Jakobsen 1995).
                  C_r counts the cipher bigrams that begin in residue r, L are the logarithms of
                  p(second | first) on the plain side.
solve_vigenere    tries the V shifts of each residue against the plain side's frequencies.

Method: with M = L permuted by the present tables, R = C M' and S = C' M give what all V² swaps of a
table would change, so that a step costs two products of V×V matrices.

Decisions
- Plain frequencies do not depend on the column, as windows begin anywhere in the text.
- The first climb starts at the frequency match, further ones (`restarts` in all) at random tables;
  the highest likelihood wins.
- Half an occurrence is added to counts on the plain side.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def frequency_match(
    cipher_ids_NT: NDArray, plain_ids_NT: NDArray, vocab: int, period: int = 1
) -> Ints:
    """The decoding table [period, V] by ranks of frequency; ties by id."""
    cipher_PV = _usage(np.asarray(cipher_ids_NT), vocab, period)
    plain_V = _usage(np.asarray(plain_ids_NT), vocab, 1)[0]
    table = np.empty((period, vocab), dtype=np.int64)
    rank = np.argsort(-cipher_PV, axis=1, kind="stable")
    np.put_along_axis(table, rank, np.argsort(-plain_V, kind="stable")[None], axis=1)
    return table


def hill_climb(
    cipher_ids_NT: NDArray,
    plain_ids_NT: NDArray,
    vocab: int,
    period: int = 1,
    restarts: int = 20,
    seed: int = 0,
) -> Ints:
    """The decoding table [period, V] with the best bigram likelihood of `restarts` climbs."""
    cipher, plain = np.asarray(cipher_ids_NT), np.asarray(plain_ids_NT)
    plain_VV = _bigrams(plain, vocab, 1)[0] + 0.5
    log_p_VV = np.log(plain_VV / plain_VV.sum(axis=1, keepdims=True))
    counts_PVV = _bigrams(cipher, vocab, period)
    stream = np.random.RandomState(seed)
    best = frequency_match(cipher, plain, vocab, period)
    best_score = _climb(best, counts_PVV, log_p_VV)
    for _ in range(restarts - 1):
        table = np.stack([stream.permutation(vocab) for _ in range(period)]).astype(np.int64)
        score = _climb(table, counts_PVV, log_p_VV)
        if score > best_score:
            best, best_score = table, score
    return best


def solve_vigenere(cipher_ids_NT: NDArray, plain_ids_NT: NDArray, vocab: int, period: int) -> Ints:
    """The decoding table [period, V] of shifts that fit best, each residue by itself.

    The fit is the likelihood of the tokens; chi-squared, the textbook's choice, gives most of its
    weight to the rarest ones.
    """
    cipher_PV = _usage(np.asarray(cipher_ids_NT), vocab, period)
    plain_V = _usage(np.asarray(plain_ids_NT), vocab, 1)[0] + 0.5
    # Row s decodes by shifting back s tokens.
    decoded_VV = (np.arange(vocab) - np.arange(vocab)[:, None]) % vocab
    fit_PV = cipher_PV @ np.log(plain_V)[decoded_VV].T
    return decoded_VV[fit_PV.argmax(axis=1)]


def coincidences(cipher_ids_NT: NDArray, max_period: int) -> Floats:
    """For each period from 1 the index of coincidence: how often two tokens of one residue agree.

    The mean over residues; [max_period]. About 1/V for uniform tokens; at the true period and its
    multiples as high as in the plain text.
    """
    cipher = np.asarray(cipher_ids_NT)
    vocab = int(cipher.max(initial=0)) + 1
    values = []
    for period in range(1, max_period + 1):
        count_PV = _usage(cipher, vocab, period)
        total_P = count_PV.sum(axis=1)
        pairs_P = np.maximum(total_P * (total_P - 1), 1)
        values.append(((count_PV * (count_PV - 1)).sum(axis=1) / pairs_P).mean())
    return np.array(values)


def index_of_coincidence(cipher_ids_NT: NDArray, max_period: int) -> int:
    """The period: the smallest whose index is within a tenth of the highest (multiples tie)."""
    values = coincidences(cipher_ids_NT, max_period)
    return 1 + int(np.argmax(values >= 0.9 * values.max()))


def _usage(ids_NT: NDArray, vocab: int, period: int) -> Ints:
    """How often each token stands in each residue of the column: [period, V]."""
    residue_T = np.arange(ids_NT.shape[1]) % period
    keys = (residue_T * vocab + ids_NT).ravel()
    return np.bincount(keys, minlength=period * vocab).reshape(period, vocab)


def _bigrams(ids_NT: NDArray, vocab: int, period: int) -> Floats:
    """Counts of pairs of neighbours in a window by residue of the first: [period, V, V]."""
    residue_T = np.arange(ids_NT.shape[1] - 1) % period
    keys = ((residue_T * vocab + ids_NT[:, :-1]) * vocab + ids_NT[:, 1:]).ravel()
    counts = np.bincount(keys, minlength=period * vocab * vocab)
    return counts.reshape(period, vocab, vocab).astype(np.float64)


def _climb(table: Ints, counts_PVV: Floats, log_p_VV: Floats) -> float:
    """Swap entries of the table, in place, while that helps; return the log-likelihood."""
    period = len(table)
    gain_PVV = np.stack([_gains(table, counts_PVV, log_p_VV, row) for row in range(period)])
    while gain_PVV.max() > 1e-6:
        row, first, second = map(int, np.unravel_index(gain_PVV.argmax(), gain_PVV.shape))
        table[row, [first, second]] = table[row, [second, first]]
        for touched in {(row - 1) % period, row, (row + 1) % period}:
            gain_PVV[touched] = _gains(table, counts_PVV, log_p_VV, touched)
    following = np.roll(table, -1, axis=0)
    return float((counts_PVV * log_p_VV[table[:, :, None], following[:, None, :]]).sum())


def _gains(table: Ints, counts_PVV: Floats, log_p_VV: Floats, row: int) -> Floats:
    """What each swap of two entries of one row of the table adds to the likelihood: [V, V].

    The row decodes the first tokens of pairs that begin in its residue, and the second ones of
    pairs that begin one before. With period 1 these are the same pairs, and the four pairs of the
    two swapped tokens are corrected for.
    """
    before = (row - 1) % len(table)
    after = (row + 1) % len(table)
    first_VV = log_p_VV[np.ix_(table[row], table[after])]
    second_VV = log_p_VV[np.ix_(table[before], table[row])]
    R = counts_PVV[row] @ first_VV.T
    S = counts_PVV[before].T @ second_VV
    both = R + S
    stay = both.diagonal()
    gains = both + both.T - stay[:, None] - stay
    if len(table) == 1:
        C = counts_PVV[0]
        C_diagonal, M_diagonal = C.diagonal(), first_VV.diagonal()
        crossed_C = C_diagonal[:, None] + C_diagonal - C - C.T
        crossed_M = M_diagonal[:, None] + M_diagonal - first_VV - first_VV.T
        gains = gains + crossed_C * crossed_M
    return gains
