"""Fréchet distance between two sets of features, each taken for a Gaussian.

    d² = ‖μ₁ − μ₂‖² + tr(S₁ + S₂ − 2 (S₁^½ S₂ S₁^½)^½)

Dowson & Landau 1982; Heusel et al. 2017, who apply it to Inception features and call it FID. Equal
means and covariances give 0 whatever else differs.

Computed in float64 from symmetric eigenvalues (negative ones, by rounding, are taken for 0): a
general matrix root gets imaginary parts where there are fewer samples than features.
"""

import torch
from torch import Tensor


def frechet_distance(real_NF: Tensor, fake_NF: Tensor) -> float:
    """d² of two sets of features [N, F] and [M, F]. Raises `ValueError` below two rows."""
    for features in (real_NF, fake_NF):
        if len(features) < 2:
            raise ValueError(f"{len(features)} samples have no covariance; give at least 2")
    return frechet_from_moments(*_moments(real_NF), *_moments(fake_NF))


def frechet_from_moments(
    mean_1F: Tensor, covariance_1FF: Tensor, mean_2F: Tensor, covariance_2FF: Tensor
) -> float:
    """d² of two Gaussians, in float64."""
    root_FF = _square_root(covariance_1FF.double())
    second_FF = covariance_2FF.double()
    eigenvalues = torch.linalg.eigvalsh(root_FF @ second_FF @ root_FF).clamp(min=0)
    shift = (mean_1F.double() - mean_2F.double()).square().sum()
    traces = covariance_1FF.double().trace() + second_FF.trace()
    return max(0.0, float(shift + traces - 2 * eigenvalues.sqrt().sum()))


def _moments(features_NF: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance."""
    features_NF = features_NF.cpu().double()
    mean_F = features_NF.mean(0)
    centred_NF = features_NF - mean_F
    return mean_F, centred_NF.T @ centred_NF / (len(features_NF) - 1)


def _square_root(symmetric_FF: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric_FF)
    root_FF: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root_FF
