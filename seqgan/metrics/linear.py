"""Linear fits: what a code says about a quantity, and the best linear code.

    probe    y ≈ wᵀz + b by least squares,   R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²  on rows not fitted
    PCA      x̂ = m + Vᵀ V (x − m),   V: the k leading eigenvectors of the covariance, as rows

w is the direction in which y rises fastest. R² is 1 where z says everything, 0 where it says no
more than the mean, and below 0 where the fit does not carry over. No linear encoder and decoder
with k numbers between them have a smaller mean squared error on the fitted rows than PCA.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.errors import UserError


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """A quantity read off codes; double precision."""

    weights_L: Tensor
    offset: float
    r2: float
    """On the rows that were not fitted; NaN where the quantity is the same in all of them."""

    def unit_direction(self) -> Tensor:
        """The direction of length 1, `[L]` in single precision, in which the quantity rises."""
        direction_L: Tensor = self.weights_L / self.weights_L.norm()
        return direction_L.float()


def linear_probe(z_NL: Tensor, y_N: Tensor) -> LinearProbe:
    """Fit the first half of the rows, measure the others. Raises `UserError` for too few rows."""
    rows, columns = z_NL.shape
    fitted = rows // 2
    if fitted <= columns:
        raise UserError(
            f"{rows} codes of {columns} numbers: a linear fit needs more than {2 * columns + 1}"
        )
    with_one = torch.cat([z_NL.double(), z_NL.new_ones(rows, 1).double()], 1)
    y_N = y_N.double()
    solution = torch.linalg.lstsq(with_one[:fitted], y_N[:fitted, None]).solution[:, 0]
    others_N = y_N[fitted:]
    left = (others_N - with_one[fitted:] @ solution).square().sum()
    around_mean = (others_N - others_N.mean()).square().sum()
    return LinearProbe(solution[:-1], float(solution[-1]), float(1 - left / around_mean))


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """The mean of some rows and their k leading directions."""

    mean_D: Tensor
    basis_KD: Tensor

    def encode(self, x_ND: Tensor) -> Tensor:
        """`code_NK`."""
        code_NK: Tensor = (x_ND.double() - self.mean_D) @ self.basis_KD.T
        return code_NK

    def decode(self, code_NK: Tensor) -> Tensor:
        """`x_ND`, double precision."""
        return self.mean_D + code_NK.double() @ self.basis_KD


def principal_components(x_ND: Tensor, k: int) -> PrincipalComponents:
    """Of flat rows, the direction of the largest variance first."""
    x_ND = x_ND.double()
    mean_D = x_ND.mean(0)
    centred_ND = x_ND - mean_D
    vectors_DD = torch.linalg.eigh(centred_ND.T @ centred_ND).eigenvectors  # rising eigenvalues
    return PrincipalComponents(mean_D, vectors_DD.flip(1)[:, :k].T)
