"""The earth mover's distance, exactly: what a Wasserstein critic estimates from below.

    W(P, Q) = min_γ Σ_ij γ_ij c_ij,   γ ≥ 0 with row sums p_i and column sums q_j

γ is a moving plan: how much of the earth at x_i is carried to y_j; W is what the cheapest of them
costs. With c_ij = ‖x_i − y_j‖ it is the 1-Wasserstein distance, by Kantorovich and Rubinstein the
largest E_P[D] − E_Q[D] of all D that are 1-Lipschitz.

By linear programme: n·m unknowns, seconds for two sets of 300. On the line, and with equally many
points, the cheapest plan pairs the sorted points.
"""

import numpy as np
import torch
from torch import Tensor


def earth_movers_plan(p_N: Tensor, q_M: Tensor, cost_NM: Tensor) -> tuple[float, Tensor]:
    """(W, γ_NM) of two histograms that sum to 1. Raises `ValueError` where they do not."""
    from scipy.optimize import linprog  # half a second that runs without it need not wait
    from scipy.sparse import eye_array, kron, vstack

    p, q = p_N.cpu().double().numpy(), q_M.cpu().double().numpy()
    for name, shares in (("first", p), ("second", q)):
        if (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
            raise ValueError(f"the {name} histogram sums to {shares.sum():.6g}, not to 1")
    rows, columns = len(p), len(q)
    row_sums = kron(eye_array(rows), np.ones((1, columns)))
    column_sums = kron(np.ones((1, rows)), eye_array(columns))
    # The last equation follows from the others, up to rounding, which would contradict it.
    equations = vstack([row_sums, column_sums]).tocsr()[:-1]
    shares = np.concatenate([p / p.sum(), q / q.sum()])[:-1]
    found = linprog(cost_NM.cpu().double().numpy().ravel(), A_eq=equations, b_eq=shares)
    if found.x is None:
        raise ValueError(f"no plan was found: {found.message}")
    return float(found.fun), torch.from_numpy(found.x.reshape(rows, columns))


def earth_movers_distance(x_ND: Tensor, y_MD: Tensor) -> float:
    """W of two sets of points, each point with an equal share: a linear programme."""
    cost_NM = torch.cdist(x_ND.cpu().double(), y_MD.cpu().double())
    return earth_movers_plan(_equal_shares(x_ND), _equal_shares(y_MD), cost_NM)[0]


def sorted_distance(x_N: Tensor, y_N: Tensor) -> float:
    """W of two equally large sets on the line: the mean distance of the sorted points."""
    if x_N.shape != y_N.shape or x_N.dim() != 1:
        raise ValueError(f"sets of shapes {tuple(x_N.shape)} and {tuple(y_N.shape)} on a line")
    apart_N = x_N.cpu().double().sort().values - y_N.cpu().double().sort().values
    return float(apart_N.abs().mean())


def _equal_shares(x_ND: Tensor) -> Tensor:
    return torch.full((len(x_ND),), 1 / len(x_ND), dtype=torch.float64)
