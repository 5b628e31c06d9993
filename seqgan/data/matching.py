"""Words of two texts matched one to one, so that their relations agree: max_P tr(AᵀPBPᵀ).

A and B say how words of a text are related, the most frequent word first. Solved by FAQ
(Vogelstein et al. 2015, Fast approximate quadratic programming for graph matching) from a start
where words of like rank are likely partners; O(V³), a second for 300 words.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import quadratic_assignment

Floats = NDArray[np.float64]


def match(a_VV: Floats, b_VV: Floats) -> NDArray[np.int64]:
    """The partner of every word. Both matrices have the same size."""
    options = {"maximize": True, "P0": _like_ranks(len(a_VV)), "maxiter": 100}
    partner_V: NDArray[np.int64] = quadratic_assignment(a_VV, b_VV, options=options).col_ind
    return partner_V


def _like_ranks(size: int) -> Floats:
    """A doubly stochastic matrix, large near the diagonal."""
    rank = np.arange(size)
    like_VV = np.exp(-20 / size * np.abs(rank[:, None] - rank))
    while not np.allclose(like_VV.sum(1), 1, rtol=1e-6):  # Sinkhorn
        like_VV /= like_VV.sum(1, keepdims=True)
        like_VV /= like_VV.sum(0, keepdims=True)
    return like_VV
