"""Cartoon faces drawn in code, each with exact attributes.

A face is a stack of shapes, from the glasses down to the background. Shape k covers the share
α_k ∈ [0, 1] of a pixel (from its distance to the shape's edge, so that edges are smooth), and

    picture = Σ_k w_k colour_k,   w_k = α_k Π_{j above k} (1 − α_j).

What varies besides the attributes, uniformly: the place (±1 of 32 units), the scale (±4 %), the
tone of the skin and the shade of the background. The same labels and seed give the same faces at
every size and in both palettes.

A face is not its mirror image (fringe, lights in the eyes): do not flip faces to have more of them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.data.picture_sources import Drawn, RawPictures, draw_splits
from seqgan.tasks.faces import anatomy
from seqgan.tasks.faces.anatomy import ATTRIBUTES, LABEL_SIZES, PALETTES, UNITS, Blob, Palette, both

_CHUNK_PIXELS = 2**18
"""Pixels drawn at once: few enough for the processor's cache."""

_SHIRT = (122, 108, 168)

DEFAULT_SIZE = 32
"""Height and width of faces where the configuration leaves it open."""


def draw_pictures(
    counts: dict[str, int], size: int, palette: str, seed: int, field: str
) -> RawPictures:
    """So many faces of each split; see `draw_splits`. Raises what `draw_faces` does."""

    def draw(count: int, labels_seed: int, faces_seed: int) -> Drawn:
        labels_NA = sample_labels(count, labels_seed)
        x_NCHW = draw_faces(labels_NA, size, palette, faces_seed)
        return x_NCHW.permute(0, 2, 3, 1).numpy(), labels_NA.numpy()

    labels = {attribute.name: size for attribute, size in zip(ATTRIBUTES, LABEL_SIZES, strict=True)}
    return draw_splits("face", counts, seed, draw, labels, field)


def sample_labels(count: int, seed: int) -> Tensor:
    """`labels_NA` (long): attributes drawn independently with their probabilities."""
    stream = torch.Generator().manual_seed(seed)
    columns = [
        torch.multinomial(torch.tensor(a.probabilities), count, True, generator=stream)
        for a in ATTRIBUTES
    ]
    return torch.stack(columns, 1)


def draw_faces(labels_NA: Tensor, size: int, palette: str, seed: int) -> Tensor:
    """`uint8` pictures [N, 3, size, size] of faces with these attributes.

    `size` is even and at least 16; `palette` is day or night. Raises `UserError` on anything else.
    """
    if size < 16 or size % 2:
        raise UserError(f"size = {size}: faces have an even size of at least 16; 32 is usual")
    if palette not in PALETTES:
        raise UserError(f"palette = {palette!r}: choose one of {', '.join(PALETTES)}")
    sizes_A = torch.tensor(LABEL_SIZES)
    if labels_NA.shape[1:] != sizes_A.shape or ((labels_NA < 0) | (labels_NA >= sizes_A)).any():
        raise UserError(f"labels of faces: give one row a face, with classes below {LABEL_SIZES}")
    stream = torch.Generator().manual_seed(seed)
    nuisance_NK = torch.rand(len(labels_NA), 5, generator=stream)
    pictures = torch.empty(len(labels_NA), 3, size, size, dtype=torch.uint8)
    rows = max(1, _CHUNK_PIXELS // size**2)
    chunks = zip(labels_NA.split(rows), nuisance_NK.split(rows), pictures.split(rows), strict=True)
    for labels, nuisance, out in chunks:
        out.copy_(_draw(labels, nuisance, size, PALETTES[palette]))
    return pictures


# ── One chunk ─────────────────────────────────────────────────────────────────────────────────


def _draw(labels_NA: Tensor, nuisance_NK: Tensor, size: int, palette: Palette) -> Tensor:
    covers, colours = [], []
    pen = _Pen(nuisance_NK, size)
    for cover, colour in _layers(labels_NA, nuisance_NK, palette, pen):
        covers.append(cover.expand(len(labels_NA), size, size))
        colours.append(colour.expand(len(labels_NA), 3))
    weights_NKX = _visible(covers)
    colours_NCK = torch.stack(colours, 2)
    levels = torch.bmm(colours_NCK, weights_NKX).clamp_(0, 255).round_()
    return levels.to(torch.uint8).view(-1, 3, size, size)


def _visible(covers: list[Tensor]) -> Tensor:
    """`weights_NKX`: the share of each pixel in which layer k is seen; the first is on top."""
    left = torch.ones_like(covers[0])
    weights = covers[0].new_empty(len(left), len(covers), *left.shape[1:])
    for k, cover in enumerate(covers):
        torch.mul(left, cover, out=weights[:, k])
        left -= weights[:, k]
    return weights.flatten(2)


class _Pen:
    """Covers pixels of a chunk of faces, each with its place and scale."""

    def __init__(self, nuisance_NK: Tensor, size: int) -> None:
        shift_N2 = (2 * nuisance_NK[:, :2] - 1) * anatomy.MAX_SHIFT
        scale_N1 = 1 + (2 * nuisance_NK[:, 2:3] - 1) * anatomy.MAX_SCALE
        middles_W = (torch.arange(size) + 0.5) * UNITS / size - anatomy.CENTRE
        self.x_N1W = ((middles_W - shift_N2[:, :1]) / scale_N1 + anatomy.CENTRE)[:, None, :]
        self.y_NH1 = ((middles_W - shift_N2[:, 1:]) / scale_N1 + anatomy.CENTRE)[:, :, None]
        self.pixels = size / UNITS

    def soft(self, depth: Tensor) -> Tensor:
        """Cover of a pixel whose middle lies so many units inside an edge."""
        return (depth * self.pixels + 0.5).clamp_(0, 1)

    def fill(self, *blobs: Blob) -> Tensor:
        """The union of blobs, `cover_NHW`."""
        cover = self._blob(blobs[0])
        for blob in blobs[1:]:
            torch.maximum(cover, self._blob(blob), out=cover)
        return cover

    def _blob(self, blob: Blob) -> Tensor:
        # The constants go into the two short terms, so that a full picture costs two operations.
        slope = (blob.rx * blob.ry) ** 0.5 / blob.power * self.pixels
        x_N1W = 0.5 + slope * (1 - ((self.x_N1W - blob.x).abs() / blob.rx) ** blob.power)
        y_NH1 = slope * ((self.y_NH1 - blob.y).abs() / blob.ry) ** blob.power
        return (x_N1W - y_NH1).clamp_(0, 1)

    def above(self, y: float) -> Tensor:
        return self.soft(y - self.y_NH1)

    def ring(self, middle: Blob, width: float) -> Tensor:
        return self.fill(middle.grown(width / 2)) - self.fill(middle.grown(-width / 2))

    def smile(self) -> Tensor:
        across = self.soft(anatomy.SMILE_WIDTH - (self.x_N1W - anatomy.CENTRE).abs())
        return self.soft(anatomy.smile_depth(self.x_N1W, self.y_NH1)) * across


def _layers(
    labels_NA: Tensor, nuisance_NK: Tensor, palette: Palette, pen: _Pen
) -> Iterator[tuple[Tensor, Tensor]]:
    """(cover that broadcasts to [N, H, W], colour that broadcasts to [N, 3]) from the top down."""
    column = {a.name: labels_NA[:, i] for i, a in enumerate(ATTRIBUTES)}
    long, opened, glasses = (
        column[name].float()[:, None, None] for name in ("hair_length", "mouth", "glasses")
    )
    skin = _between(palette.skin, nuisance_NK[:, 3:4])
    background = _between(palette.background, nuisance_NK[:, 4:5])
    hair = torch.tensor(anatomy.HAIR_COLOURS)[column["hair_colour"]]
    eyes = torch.tensor(anatomy.EYE_COLOURS)[column["eye_colour"]]
    ink, white = torch.tensor(anatomy.INK), torch.tensor(anatomy.WHITE)

    rims = [pen.ring(rim, anatomy.RIM_WIDTH) for rim in both(anatomy.RIM)]
    yield torch.maximum(rims[0] + rims[1], pen.fill(anatomy.BRIDGE)).clamp_(max=1) * glasses, ink
    yield pen.fill(anatomy.LIGHT, anatomy.LIGHT.moved(anatomy.EYE_DISTANCE, 0)), white
    yield pen.fill(*both(anatomy.PUPIL)), ink
    yield pen.fill(*both(anatomy.IRIS)), eyes
    whites = pen.fill(*both(anatomy.EYE))
    yield whites, white
    yield pen.fill(*both(anatomy.LASHES)) * pen.above(anatomy.LASH_LINE), ink
    free = pen.fill(*anatomy.HAIRLINE)
    cap = pen.fill(anatomy.CAP) * pen.above(anatomy.CAP_END)
    yield pen.fill(anatomy.SHINE) * 0.55, 0.55 * hair + 0.45 * white
    yield cap * (1 - free), hair
    yield pen.fill(*both(anatomy.LOCK)) * (1 - free) * long, hair
    yield pen.fill(anatomy.MOUTH) * opened, torch.tensor(anatomy.OPEN)
    yield pen.smile() * (1 - opened), torch.tensor(anatomy.LINE)
    yield pen.fill(anatomy.NOSE) * 0.6, skin * 0.8
    yield pen.fill(*both(anatomy.BLUSH)) * 0.35, skin * torch.tensor((1.0, 0.72, 0.72))
    yield pen.fill(anatomy.HEAD), skin
    yield pen.fill(*both(anatomy.EAR)) * (1 - long), skin * 0.92
    yield pen.fill(anatomy.NECK), skin * 0.86
    yield pen.fill(anatomy.SHIRT), torch.tensor(_SHIRT)
    yield pen.fill(anatomy.LONG_BACK) * long, hair * 0.8
    yield cap, hair * 0.8
    yield torch.ones(1, 1, 1), background


def _between(colours: tuple[anatomy.Colour, anatomy.Colour], share_N1: Tensor) -> Tensor:
    first, last = torch.tensor(colours)
    return first + (last - first) * share_N1
