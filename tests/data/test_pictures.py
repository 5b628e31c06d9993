"""Pictures: disjoint splits, exact conversions, an honest account, errors that say what to do."""

import gzip
import hashlib
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from load_script import load_script
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"  # read when `datasets` is first imported

from seqgan.core.errors import UserError
from seqgan.data.idx_files import parse_idx
from seqgan.data.picture_config import FolderSourceConfig, PictureSetConfig, UnpairedPicturesConfig
from seqgan.data.picture_source_config import PictureSourceConfig
from seqgan.data.picture_sources import RawPictures, RawSplit, read_folder
from seqgan.data.pictures import Pictures, PictureSet
from seqgan.tasks.faces.anatomy import ATTRIBUTES, LABEL_SIZES
from seqgan.tasks.faces.drawing import draw_faces

SPLITS = ("extractor", "train", "valid", "test")
IMAGES = Path(__file__).parents[2].parent / "shared" / "data" / "images"
N, H, W, K = 100, 5, 4, 4


def numbered(count: int = N, offset: int = 0, shape: tuple[int, ...] = (H, W)) -> np.ndarray:
    """Picture i holds i everywhere, and differs from all others in its first pixel only by that."""
    x = np.empty((count, *shape), dtype=np.uint8)
    x[:] = (np.arange(count) + offset).reshape(-1, *[1] * len(shape))
    return x


def write_npz(path: Path, **changes: Any) -> Path:
    """Ordered by class, as Fashion-MNIST is; a change to None leaves an array out."""
    arrays = {
        "x_train": numbered(),
        "y_train": (np.arange(N) * K // N).astype(np.uint8),
        "x_test": numbered(10, offset=200),
        "y_test": np.arange(10, dtype=np.uint8) % K,
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def npz(path: Path, **fields: Any) -> dict[str, Any]:
    return {"name": "npz", "path": str(path), **fields}


def load(source: dict[str, Any], **fields: Any) -> Pictures:
    return PictureSetConfig(source=source, **fields).build_pictures()


def splits(pictures: Pictures) -> dict[str, PictureSet]:
    return {name: getattr(pictures, name) for name in SPLITS}


def firsts(pictures: PictureSet) -> list[int]:
    """The number of each picture, by its first pixel."""
    return pictures.x_NCHW[:, 0, 0, 0].tolist()


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    return write_npz(tmp_path / "digits.npz")


# ── Splits ────────────────────────────────────────────────────────────────────────────────────


def test_splits_are_disjoint_complete_and_keep_their_labels(digits: Path) -> None:
    pictures = load(npz(digits))
    assert pictures.shape == (1, H, W)
    assert (pictures.label_names, pictures.label_sizes) == (("class",), (K,))
    counts = {name: len(split.x_NCHW) for name, split in splits(pictures).items()}
    assert counts == {"extractor": 50, "train": 45, "valid": 5, "test": 10}
    seen = [i for name in ("extractor", "train", "valid") for i in firsts(getattr(pictures, name))]
    assert sorted(seen) == list(range(N))
    assert firsts(pictures.test) == list(range(200, 210))
    for name, split in splits(pictures).items():
        assert split.x_NCHW.dtype == torch.uint8
        assert split.labels_NA.dtype == torch.long
        numbers = torch.tensor(firsts(split))
        expected = (numbers - 200) % K if name == "test" else numbers * K // N
        assert torch.equal(split.labels_NA, expected[:, None])


def test_the_order_is_the_documented_one(digits: Path) -> None:
    order = np.random.Generator(np.random.PCG64(3)).permutation(N).tolist()
    pictures = load(npz(digits), split_seed=3)
    assert firsts(pictures.extractor) == order[:50]
    assert firsts(pictures.valid) == order[50:55]
    assert firsts(pictures.train) == order[55:]
    assert set(pictures.extractor.labels_NA[:, 0].tolist()) == set(range(K))


def test_test_pictures_are_held_out_where_none_are_given(digits: Path) -> None:
    pictures = load(npz(digits, test=None), extractor_fraction=0.3, test_fraction=0.2, max_train=7)
    assert [len(split.x_NCHW) for split in splits(pictures).values()] == [30, 7, 5, 20]
    uncut = load(npz(digits, test=None), extractor_fraction=0.3, test_fraction=0.2)
    assert firsts(pictures.train) == firsts(uncut.train)[:7]
    seen = [i for split in splits(uncut).values() for i in firsts(split)]
    assert sorted(seen) == list(range(N))


def test_splits_repeat_and_depend_on_the_seed(digits: Path) -> None:
    assert load(npz(digits)).report == load(npz(digits)).report
    assert load(npz(digits)).report != load(npz(digits), split_seed=1).report


def test_shares_are_disjoint_and_have_all_classes(digits: Path) -> None:
    seen: dict[str, list[int]] = {}
    for key, share in (("a", [0.0, 0.45]), ("b", [0.45, 1.0])):
        pictures = load(npz(digits), share=share, extractor_fraction=0.2)
        parts = (pictures.extractor, pictures.train, pictures.valid)
        seen[key] = [i for part in parts for i in firsts(part)]
        for part in parts:
            assert torch.equal(part.labels_NA[:, 0], torch.tensor(firsts(part)) * K // N)
        assert set(pictures.train.labels_NA[:, 0].tolist()) == set(range(K))
        assert firsts(pictures.test) == list(range(200, 210))
    assert [len(numbers) for numbers in seen.values()] == [45, 55]
    assert sorted(seen["a"] + seen["b"]) == list(range(N))


def test_pictures_without_labels(digits: Path) -> None:
    pictures = load(npz(digits, train_labels=None))
    assert (pictures.label_names, pictures.label_sizes) == ((), ())
    assert all(split.labels_NA is None for split in splits(pictures).values())


def test_the_account(tmp_path: Path) -> None:
    """Picture 0 stands three times in the source, picture 1 once more among the test pictures."""
    x = numbered()
    x[[98, 99]] = 0
    pictures = load(
        npz(
            write_npz(tmp_path / "a.npz", x_train=x, x_test=x[[1, 99, 1]], y_test=None),
            test_labels=None,
            train_labels=None,
        )
    )
    report = json.loads(json.dumps(pictures.report))
    assert report["shape"] == [1, H, W]
    assert report["labels"] == {}
    train = firsts(pictures.train)
    assert report["train"]["duplicates"] == len(train) - len(set(train))
    assert report["test"]["pictures"] == 3
    assert report["test"]["duplicates"] == 1
    assert report["test"]["in_train"] == sum(i in set(train) for i in firsts(pictures.test))
    all_train = load(
        npz(tmp_path / "a.npz", test_labels=None, train_labels=None),
        extractor_fraction=0.02,
        valid_fraction=0.02,
    )
    assert all_train.report["train"]["duplicates"] >= 1
    assert all_train.report["test"]["in_train"] == 3


def test_the_hash_covers_pictures_and_labels(tmp_path: Path, digits: Path) -> None:
    pictures = load(npz(digits))
    bytes_ = pictures.test.x_NCHW.numpy().tobytes() + pictures.test.labels_NA.numpy().tobytes()
    assert pictures.report["test"]["sha256"] == hashlib.sha256(bytes_).hexdigest()
    other = write_npz(tmp_path / "b.npz", y_test=np.arange(10, dtype=np.uint8)[::-1] % K)
    changed = load(npz(other))
    differing = [s for s in SPLITS if changed.report[s] != pictures.report[s]]
    assert differing == ["test"]


# ── Conversion ────────────────────────────────────────────────────────────────────────────────


def converted(tmp_path: Path, picture: np.ndarray, **fields: Any) -> torch.Tensor:
    """One picture after its conversion, [C, H, W]."""
    path = tmp_path / "one.npz"
    np.savez(path, x=np.stack([picture] * 20))
    source = npz(path, train="x", train_labels=None, test=None)
    return load(source, extractor_fraction=0.3, valid_fraction=0.2, **fields).train.x_NCHW[0]


PICTURE = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)


def test_nothing_is_changed_that_need_not_be(tmp_path: Path) -> None:
    x_CHW = torch.from_numpy(PICTURE).permute(2, 0, 1)
    assert torch.equal(converted(tmp_path, PICTURE), x_CHW)
    assert torch.equal(converted(tmp_path, PICTURE[..., 0]), x_CHW[:1])
    assert torch.equal(converted(tmp_path, PICTURE[..., :1]), x_CHW[:1])
    assert torch.equal(converted(tmp_path, PICTURE, invert=True), 255 - x_CHW)


def test_colours(tmp_path: Path) -> None:
    grey = converted(tmp_path, PICTURE, colours="grey")
    weights = torch.tensor([0.299, 0.587, 0.114])
    expected = torch.from_numpy(PICTURE).float() @ weights
    assert grey.shape == (1, 8, 12)
    torch.testing.assert_close(grey[0].float(), expected, atol=1, rtol=0)
    rgb = converted(tmp_path, PICTURE[..., 0], colours="rgb")
    assert torch.equal(rgb, torch.from_numpy(PICTURE[..., 0]).expand(3, 8, 12))


def test_whole_blocks_are_averaged(tmp_path: Path) -> None:
    """8 × 12 to 4 × 4: blocks of 2 × 3."""
    found = converted(tmp_path, PICTURE, size=4)
    blocks = PICTURE.reshape(4, 2, 4, 3, 3).mean((1, 3)).transpose(2, 0, 1)
    np.testing.assert_allclose(found.numpy(), blocks, atol=0.51)


def test_other_scales_are_antialiased(tmp_path: Path) -> None:
    """A fine checkerboard becomes grey; picking pixels would keep it black and white."""
    board = ((np.indices((64, 64)).sum(0) % 2) * 255).astype(np.uint8)
    found = converted(tmp_path, board, size=27).float()
    assert found.shape == (1, 27, 27)
    torch.testing.assert_close(found, torch.full_like(found, 127.5), atol=12, rtol=0)


def test_shrunk_pictures_are_centred_on_black_and_inverted_last(tmp_path: Path) -> None:
    white = np.full((8, 8), 255, dtype=np.uint8)
    expected = torch.zeros(1, 16, 16, dtype=torch.uint8)
    expected[:, 4:12, 4:12] = 255
    assert torch.equal(converted(tmp_path, white, size=16, shrink=0.5), expected)
    found = converted(tmp_path, white, size=16, shrink=0.5, invert=True, colours="rgb")
    assert torch.equal(found, (255 - expected).expand(3, 16, 16))
    whole = converted(tmp_path, np.pad(white, 4), shrink=0.5)
    assert torch.equal(whole, torch.nn.functional.pad(expected[:, 6:10, 6:10], (6,) * 4))


# ── Faces ─────────────────────────────────────────────────────────────────────────────────────

FACES = {"name": "faces", "train": 40, "extractor": 30, "valid": 20, "test": 10}


def test_faces_have_exact_attributes_and_a_seed_for_each_split() -> None:
    pictures = load(FACES)
    assert pictures.shape == (3, 32, 32)
    assert pictures.label_names == tuple(a.name for a in ATTRIBUTES)
    assert pictures.label_sizes == LABEL_SIZES
    assert [len(split.x_NCHW) for split in splits(pictures).values()] == [30, 40, 20, 10]
    seed = np.random.SeedSequence([0, 2]).generate_state(2).tolist()[1]
    redrawn = draw_faces(pictures.valid.labels_NA, 32, "day", seed)
    assert torch.equal(pictures.valid.x_NCHW, redrawn)
    rows = {row.numpy().tobytes() for s in splits(pictures).values() for row in s.x_NCHW}
    assert len(rows) == 100
    assert load(FACES).report == pictures.report
    assert load({**FACES, "seed": 1}).report["train"] != pictures.report["train"]


def test_faces_are_drawn_at_their_size_and_converted() -> None:
    plain, changed = load(FACES, size=16), load(FACES, size=16, colours="grey", invert=True)
    assert (plain.shape, changed.shape) == ((3, 16, 16), (1, 16, 16))
    weights = torch.tensor([0.299, 0.587, 0.114])
    grey = torch.einsum("nchw,c->nhw", plain.test.x_NCHW.float(), weights)
    torch.testing.assert_close(255 - changed.test.x_NCHW[:, 0].float(), grey, atol=1, rtol=0)
    assert len(load(FACES, max_train=5).train.x_NCHW) == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 7}, r"data: size = 7: faces have an even size"),
        ({"share": [0.0, 0.5]}, r"data\.share=.*faces are drawn.*data\.source\.seed"),
        ({"source": {**FACES, "valid": 1}}, r"the valid split has 1 .* raise data\.source\.valid"),
    ],
)
def test_faces_that_cannot_be_drawn(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        PictureSetConfig(**{"source": FACES, **fields}).build_pictures()


# ── Two kinds ─────────────────────────────────────────────────────────────────────────────────


def unpaired(a: dict[str, Any], b: dict[str, Any]) -> UnpairedPicturesConfig:
    return UnpairedPicturesConfig(name="unpaired", a=a, b=b)


def test_two_kinds_of_pictures(digits: Path) -> None:
    source = npz(digits)
    a = {"source": source, "share": [0.0, 0.5]}
    b = {"source": source, "share": [0.5, 1.0], "invert": True}
    first, second = unpaired(a, b).build_pictures()
    assert firsts(first.train) == firsts(load(source, share=[0.0, 0.5]).train)
    assert firsts(second.train) == [255 - i for i in firsts(load(source, share=[0.5, 1.0]).train)]
    day, night = {"source": FACES}, {"source": {**FACES, "palette": "night", "seed": 1}}
    assert [p.shape for p in unpaired(day, night).build_pictures()] == [(3, 32, 32)] * 2


def test_two_kinds_that_do_not_fit_together(digits: Path) -> None:
    a = {"source": npz(digits), "share": [0.0, 0.5]}
    for b, message in (
        ({"source": FACES}, r"data\.b: .*\(3, 32, 32\).*\(1, 5, 4\).*data\.a\.size"),
        ({**a, "share": [0.4, 1.0]}, r"data\.b\.share=\[0\.4, 1\.0\]: overlaps data\.a\.share"),
        ({**a, "share": [0.5, 1.0], "split_seed": 1}, r"data\.b\.split_seed=1: .*set both alike"),
        ({**a, "share": [0.5, 0.5]}, r"data\.b\.share=\[0\.5, 0\.5\]: is empty"),
        ({"source": npz(digits, train="y")}, r"data\.b\.source\.train='y'"),
    ):
        with pytest.raises(UserError, match=message):
            unpaired(a, b).build_pictures()


# ── .npz ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "fields", "message"),
    [
        ({"x_train": numbered() / 255}, {}, r"'x_train' holds float64; .*0–255: multiply by 255"),
        ({"x_train": numbered().astype(int)}, {}, r"'x_train' holds int64; .*store them as uint8"),
        ({"x_train": numbered(shape=(3, 5, 4))}, {}, r"shape \(100, 3, 5, 4\); expected \(N, hei"),
        ({"x_train": numbered(shape=(20,))}, {}, r"has shape \(100, 20\); expected \(N, height"),
        ({"x_test": numbered(10, shape=(0, 4))}, {}, r"'x_test' has shape \(10, 0, 4\); expected"),
        ({"y_train": np.arange(N - 1) % K}, {}, r"100 pictures but labels of shape \(99,\); give"),
        ({"y_train": np.zeros((N, 1), int)}, {}, r"100 pictures but labels of shape \(100, 1\)"),
        ({"y_train": np.arange(N) / K}, {}, r"labels are float64; expected whole numbers"),
        ({"y_train": np.arange(N) % K - 1}, {}, r"class -1 is negative; number the classes from 0"),
        (
            {"y_train": np.array([0, 1, 5, 7] * 25)},
            {},
            r"no picture has class 2, 3 but one has class 7; number the classes 0 … 3",
        ),
        ({"y_train": np.arange(N) % K + 1}, {}, r"no picture has class 0 but one has class 4"),
        ({"y_test": np.arange(10)}, {}, r"'y_test': a test picture has class 9, .* 0 … 3 only"),
        (
            {"x_test": numbered(10, shape=(6, 4))},
            {},
            r"row 0 is 4×5 pixels, but .*'x_test', row 0 is 4×6; .*data\.size=4",
        ),
        ({"x_test": numbered(10, shape=(5, 4, 3))}, {}, r"'x_test', row 0: is coloured, but"),
        ({}, {"train": "x_trian"}, r"source\.train='x_trian': .*did you mean 'x_train'\?; choose "
         r"from: x_train, y_train, x_test, y_test$"),
        ({"x_test": None}, {}, r"data\.source\.test='x_test': .* or set data\.source\.test=null"),
        ({"y_train": None}, {}, r"'y_train': .* or set data\.source\.train_labels=null"),
        ({}, {"test_labels": None}, r"test_labels=null: the training pictures .* have classes"),
        ({"y_train": np.array([None] * N)}, {}, "'y_train' cannot be read .*write the file again"),
        ({"x_train": numbered(0), "y_train": np.zeros(0, int)}, {}, "'x_train': holds no pictures"),
        ({"x_test": numbered(1), "y_test": np.zeros(1, int)}, {}, r"test split has 1 .*give more"),
    ],
)  # fmt: skip
def test_unusable_arrays_are_explained(
    tmp_path: Path, changes: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a.npz"
    write_npz(path, **changes)
    with pytest.raises(UserError, match=message) as caught:
        load(npz(path, **fields))
    assert str(path) in str(caught.value) or "data.source" in str(caught.value)
    assert "\n" not in str(caught.value)


def set_in_headers(path: Path, flags: int = 0, method: int = 0) -> None:
    """Say of every member of a zip file that it is encrypted, or compressed by an odd method."""
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = data.find(magic)
        while start >= 0:
            data[start + offset] |= flags
            data[start + offset + 2] |= method
            start = data.find(magic, start + 1)
    path.write_bytes(data)


def test_files_that_are_no_npz(tmp_path: Path, digits: Path) -> None:
    np.save(tmp_path / "single.npy", numbered())
    (tmp_path / "text.npz").write_text("x_train")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name, "no array")
    data = bytearray(digits.read_bytes())
    data[400] ^= 255
    (tmp_path / "damaged.npz").write_bytes(data)
    write_npz(tmp_path / "encrypted.npz")
    set_in_headers(tmp_path / "encrypted.npz", flags=1)
    write_npz(tmp_path / "compressed.npz")
    set_in_headers(tmp_path / "compressed.npz", method=97)
    (tmp_path / "empty.npz").touch()
    os.mkfifo(tmp_path / "pipe.npz")
    for name, message in {
        "single.npy": r"is no \.npz file",
        "text.npz": r"is no \.npz file, or a damaged one; write it with numpy\.savez",
        "damaged.npz": "'x_train' cannot be read .*; write the file again with numpy",
        "missing.npz": "no such file; check the path",
        "other.npz": "'x_train' holds bytes without a header, not numbers; write the file again",
        "encrypted.npz": "'x_train' cannot be read .*; write the file again",
        "compressed.npz": "'x_train' cannot be read .*; write the file again",
        "empty.npz": r"is no \.npz file",
        "pipe.npz": "is a pipe or a device",
        ".": "is a folder; name a file",
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            load(npz(tmp_path / name))
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)


def test_npz_is_known_by_its_content(tmp_path: Path, digits: Path) -> None:
    path = tmp_path / "digits.data"
    path.write_bytes(digits.read_bytes())
    assert load(npz(path)).report == load(npz(digits)).report


# ── IDX ───────────────────────────────────────────────────────────────────────────────────────


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, packed: bool) -> dict[str, Any]:
    folder.mkdir()
    arrays = {
        "train-images-idx3-ubyte": numbered(),
        "train-labels-idx1-ubyte": (np.arange(N) * K // N).astype(np.uint8),
        "t10k-images-idx3-ubyte": numbered(10, offset=200),
        "t10k-labels-idx1-ubyte": np.arange(10, dtype=np.uint8) % K,
    }
    for name, array in arrays.items():
        data = idx(array)
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return {"name": "idx", "path": str(folder)}


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_the_same_pictures(tmp_path: Path, digits: Path, packed: bool) -> None:
    pictures = load(write_idx(tmp_path / "idx", packed))
    assert pictures.report == load(npz(digits)).report


def test_idx_files_are_known_by_their_content(tmp_path: Path, digits: Path) -> None:
    """Gzip without its ending, the dots that some archives have, and names of our own."""
    source = write_idx(tmp_path / "idx", packed=False)
    place = tmp_path / "idx"
    images, labels = place / "train-images-idx3-ubyte", place / "train-labels-idx1-ubyte"
    images.write_bytes(gzip.compress(images.read_bytes()))
    labels.rename(place / "train-labels.idx1-ubyte")
    (place / "t10k-images-idx3-ubyte").rename(place / "digits-test-a.bin")
    packed = gzip.compress((place / "t10k-labels-idx1-ubyte").read_bytes())
    (place / "t10k-labels-idx1-ubyte").unlink()
    (place / "digits-TEST-b").write_bytes(packed)
    (place / "training notes.txt").write_text("not IDX")
    (place / "train").mkdir()
    assert load(source).report == load(npz(digits)).report
    (place / "train-more.gz").write_bytes(
        gzip.compress((place / "train-labels.idx1-ubyte").read_bytes())
    )
    with pytest.raises(
        UserError, match=r"train-labels\.idx1-ubyte and train-more\.gz both hold labels"
    ):
        load(source)


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_in_another_place_is_called_one(tmp_path: Path, packed: bool) -> None:
    source = write_idx(tmp_path / "idx", packed)
    for path in (tmp_path / "idx").iterdir():
        with pytest.raises(
            UserError, match=r"is an IDX file and no \.npz; use data\.source="
        ) as caught:
            load(npz(path))
        assert f"{{name: idx, path: {tmp_path / 'idx'}}}" in str(caught.value)
        with pytest.raises(UserError, match="is one IDX file; name the folder"):
            load({**source, "path": str(path)})
    (tmp_path / "text").write_text("no IDX")
    with pytest.raises(UserError, match="text: is a file; name the folder"):
        load({**source, "path": str(tmp_path / "text")})


def test_damaged_idx_files_are_named(tmp_path: Path) -> None:
    source = write_idx(tmp_path / "idx", packed=False)
    images = tmp_path / "idx" / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    for data, message in (
        (whole[:-1], r"has 2015 bytes where its header promises 2016; fetch"),
        (whole + b"0", r"has 2017 bytes where its header promises 2016"),
        (whole[:10], r"has 10 bytes where its header promises"),
        (b"", r"is no IDX file of pictures: its magic number is 0x00000000"),
        (idx(np.zeros(N, np.uint8)), r"magic number is 0x00000801, expected 0x00000803"),
        (gzip.compress(b"no picture"), r"magic number is 0x6e6f2070, expected"),
    ):
        images.write_bytes(data)
        with pytest.raises(UserError, match=message) as caught:
            load(source)
        assert str(caught.value).startswith(f"{images}: ")
    images.unlink()
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: no such file, nor another IDX"):
        load(source)
    images.with_name(f"{images.name}.gz").write_bytes(gzip.compress(whole)[:-9])
    with pytest.raises(UserError, match=r"ubyte\.gz: not a complete gzip file"):
        load(source)
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        load({"name": "idx", "path": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match="is a folder; name a file"):
        parse_idx(tmp_path, 0x0803)


# ── Sixteen bits ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("largest", "bits"), [(0xFFF, 12), (0x7D0, 12), (0xFFFF, 16), (0xFF, 8)])
def test_all_pictures_of_a_folder_are_scaled_by_the_bits_in_use(
    tmp_path: Path, largest: int, bits: int
) -> None:
    """Twelve bits in a file of sixteen were black; and the darkest picture sets no scale."""
    deep = np.linspace(0, largest, 16).astype(np.uint16).reshape(4, 4)
    for name, picture in enumerate([deep // 8, deep, deep // 2, deep // 4]):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    source = read_folder(tmp_path, labels=False, field="data.source")
    found = [picture for _, picture in source.splits["train"].pictures]
    for picture, divisor in zip(found, (8, 1, 2, 4), strict=True):
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, deep // divisor >> (bits - 8))


def test_the_report_says_which_bits_count_where_files_have_sixteen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind, largest in (("deep", 0xFFF), ("plain", 0xFF)):
        for number in range(20):
            picture = rng.integers(0, largest, (4, 4)).astype(np.uint16 if largest > 255 else "u1")
            save(picture, tmp_path / kind / f"{number}.png")
    reports = {
        kind: PictureSetConfig(
            source=FolderSourceConfig(name="folder", path=str(tmp_path / kind)),
            extractor_fraction=0.2,
            valid_fraction=0.2,
            test_fraction=0.2,
        )
        .build_pictures()
        .report
        for kind in ("deep", "plain")
    }
    assert reports["deep"]["bits"] == 12
    assert "bits" not in reports["plain"]


def test_files_of_eight_and_of_sixteen_bits_stand_side_by_side(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 200, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((2, 2), 0xC80, np.uint16)).save(tmp_path / "b.png")
    source = read_folder(tmp_path, labels=False, field="data.source")
    assert [int(picture[0, 0]) for _, picture in source.splits["train"].pictures] == [200, 200]


# ── Folders ───────────────────────────────────────────────────────────────────────────────────


def save(picture: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def folder(path: Path, **fields: Any) -> dict[str, Any]:
    return {"name": "folder", "path": str(path), **fields}


def write_folder(path: Path, count: int = 40) -> Path:
    for i, picture in enumerate(numbered(count)):
        save(picture, path / f"class{i % 2}" / f"{i:03d}.png")
    return path


def test_a_folder_of_pictures_with_the_folders_as_classes(tmp_path: Path) -> None:
    (write_folder(tmp_path / "set") / ".DS_Store").write_text("none")
    pictures = load(folder(tmp_path / "set", labels=True))
    assert pictures.label_sizes == (2,)
    assert [len(split.x_NCHW) for split in splits(pictures).values()] == [20, 14, 2, 4]
    assert sorted(i for split in splits(pictures).values() for i in firsts(split)) == [*range(40)]
    for split in splits(pictures).values():
        assert split.labels_NA[:, 0].tolist() == [i % 2 for i in firsts(split)]
    plain = load(folder(tmp_path / "set"))
    assert plain.train.labels_NA is None
    assert torch.equal(plain.train.x_NCHW, pictures.train.x_NCHW)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "set")
    added = path / "x.png"

    def refused(message: str, **fields: Any) -> None:
        with pytest.raises(UserError, match=message) as caught:
            load(folder(path, **fields))
        assert "\n" not in str(caught.value)

    save(np.zeros((7, 6), np.uint8), added)
    refused(r"class0/000\.png is 4×5 pixels, but .*/x\.png is 6×7; scale all with data\.size=4")
    assert load(folder(path), size=8).shape == (1, 8, 8)
    save(np.zeros((H, W, 3), np.uint8), added)
    refused(r"/x\.png: is coloured, but .*class0/000\.png is grey; .*data\.colours=rgb")
    assert load(folder(path), colours="rgb").shape == (3, H, W)
    refused(r"/x\.png: lies in no folder of its class; .*data\.source\.labels=false", labels=True)
    added.write_text("notes on the data")
    refused(r"/x\.png: is no picture that Pillow can read; remove it")
    added.write_bytes((path / "class0" / "000.png").read_bytes()[:-20])
    refused(r"/x\.png: the picture cannot be read .*remove or replace")


@pytest.mark.parametrize(
    ("count", "fields", "message"),
    [
        (1, {}, r"/set: the train split has 1 pictures and needs at least 2; give more pictures"),
        (1, {"share": [0.0, 0.3]}, r"the train split has 0 pictures"),
        (
            3,
            {"extractor_fraction": 0.2},
            r"the extractor split has 1 .*raise data\.extractor_fraction",
        ),
        (40, {"extractor_fraction": 0.99}, r"train split has 0 .*lower data\.extractor_fraction"),
        (20, {}, r"the valid split has 1 pictures .*raise data\.valid_fraction to 0\.1$"),
        (
            40,
            {"extractor_fraction": 0.9},
            r"train split has 0 .*lower data\.extractor_fraction, data\.va",
        ),
        (40, {"max_train": 1}, r"the train split has 1 .*raise data\.max_train"),
        (40, {"share": [0.6, 0.4]}, r"data\.share=\[0\.6, 0\.4\]: is empty"),
    ],
)
def test_too_few_pictures(tmp_path: Path, count: int, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(folder(write_folder(tmp_path / "set", count)), **fields)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, message in {
        "empty": "holds no files",
        "missing": "no such folder",
        "file": "is a file; name the folder",
    }.items():
        with pytest.raises(UserError, match=message):
            load(folder(tmp_path / name))


# ── The datasets library ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library, with its cache in the test's folder."""
    library = pytest.importorskip("datasets", reason="pip install 'seqgan[corpora]'")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(library.config, "HF_HUB_OFFLINE", True)
    return library


def hub(path: Path, **fields: Any) -> dict[str, Any]:
    return {"name": "huggingface", "dataset": str(path), "label_column": "label", **fields}


def save_dataset(library: Any, path: Path, pictures: list[Any], labels: list[Any]) -> None:
    """A training split, and a test split that is the same as that of `write_npz`."""

    def part(images: list[Any], classes: list[Any]) -> Any:
        features = library.Features({"image": library.Image(), "label": library.Value("int64")})
        return library.Dataset.from_dict({"image": images, "label": classes}, features=features)

    test = [Image.fromarray(x) for x in numbered(10, offset=200)]
    parts = {"train": part(pictures, labels), "test": part(test, [i % K for i in range(10)])}
    library.DatasetDict(parts).save_to_disk(str(path))


def test_a_dataset_is_the_same_pictures(datasets: Any, tmp_path: Path, digits: Path) -> None:
    labels = (np.arange(N) * K // N).tolist()
    save_dataset(datasets, tmp_path / "saved", [Image.fromarray(x) for x in numbered()], labels)
    pictures = load(hub(tmp_path / "saved"))
    assert pictures.report == load(npz(digits)).report
    alone = load(hub(tmp_path / "saved", label_column=None, test_split=None))
    assert alone.label_names == ()
    assert alone.report["test"]["pictures"] == 10


def test_a_dataset_of_arrays(datasets: Any, tmp_path: Path, digits: Path) -> None:
    features = datasets.Features({"x": datasets.Array3D((H, W, 3), "uint8")})
    rows = {"x": list(numbered(shape=(H, W, 3)))}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "saved"))
    source = hub(tmp_path / "saved", column="x", label_column=None, test_split=None)
    same = npz(digits, train_labels=None, test=None)
    assert load(source).report == load(same, colours="rgb").report


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"column": "imgae"}, r"data\.source\.column='imgae': .*did you mean 'image'\?"),
        ({"label_column": "class"}, r"data\.source\.label_column='class': .*choose from: image, l"),
        ({"test_split": "tset"}, r"data\.source\.test_split='tset': .*source\.test_split=null"),
        ({"column": "label"}, r"data\.source\.column='label': .*row 0 holds int, not a picture"),
        ({"label_column": "image"}, r"label_column='image' \(train\): .*labels"),
        ({"label_column": "label"}, r"label_column='label' \(train\): class -1 is negative"),
    ],
)
def test_unusable_columns_are_explained(
    datasets: Any, tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    images = [Image.fromarray(x) for x in numbered(20)]
    save_dataset(datasets, tmp_path / "saved", images, [-1, *range(19)])
    with pytest.raises(UserError, match=message):
        load(hub(tmp_path / "saved", **{"label_column": None, **fields}))


def test_a_damaged_row_is_named(datasets: Any, tmp_path: Path) -> None:
    whole = save(numbered(1)[0], tmp_path / "a.png").read_bytes()
    rows = [{"bytes": whole, "path": None}] * 20
    rows[7] = {"bytes": whole[:-20], "path": None}
    save_dataset(datasets, tmp_path / "saved", rows, [0] * 20)
    with pytest.raises(UserError, match=r"saved \(train\), row 7: the picture cannot be read"):
        load(hub(tmp_path / "saved", label_column=None))


# ── Packed files ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def script() -> Any:
    return load_script("unpack_pictures")


def test_packed_files_are_unpacked(script: Any, tmp_path: Path) -> None:
    files = [save(x, tmp_path / f"{i}.jpg").read_bytes() for i, x in enumerate(numbered(3))]
    jpeg = np.frombuffer(b"".join(files), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, files)])
    np.savez(tmp_path / "packed.npz", jpeg=jpeg, offsets=offsets)
    assert script.unpack(tmp_path / "packed.npz", tmp_path / "new" / "out") == 3
    written = sorted((tmp_path / "new" / "out").iterdir())
    assert [path.name for path in written] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert [path.read_bytes() for path in written] == files
    with pytest.raises(UserError, match="exists and is not empty; name a new folder"):
        script.unpack(tmp_path / "packed.npz", tmp_path / "new" / "out")


def test_archives_that_cannot_be_unpacked(script: Any, tmp_path: Path) -> None:
    jpeg = np.zeros(9, dtype=np.uint8)
    np.savez(tmp_path / "short.npz", jpeg=jpeg, offsets=np.array([0, 4, 8]))
    np.savez(tmp_path / "back.npz", jpeg=jpeg, offsets=np.array([0, 5, 4, 9]))
    unsigned = np.array([0, 5, 4, 9], dtype=np.uint64)  # differences of these are never below 0
    np.savez(tmp_path / "unsigned.npz", jpeg=jpeg, offsets=unsigned)
    np.savez(tmp_path / "halves.npz", jpeg=jpeg, offsets=np.array([0, 4.5, 9]))
    np.savez(tmp_path / "table.npz", jpeg=jpeg.reshape(3, 3), offsets=np.array([0, 3]))
    np.savez(tmp_path / "pickled.npz", jpeg=jpeg, offsets=np.array([0, None, 9]))
    np.savez(tmp_path / "other.npz", x_train=jpeg)
    whole = (tmp_path / "short.npz").read_bytes()
    (tmp_path / "damaged.npz").write_bytes(whole.replace(b"NUMPY", b"NUMB!"))
    (tmp_path / "text.npz").write_text("text")
    for name, message in {
        "short.npz": "offsets do not cut jpeg into files",
        "back.npz": "offsets do not cut jpeg into files",
        "unsigned.npz": "offsets do not cut jpeg into files",
        "halves.npz": "is no row of bytes, or offsets is none of integers",
        "table.npz": "is no row of bytes, or offsets is none of integers",
        "pickled.npz": "the array 'offsets' cannot be read",
        "damaged.npz": "the array 'jpeg' cannot be read",
        "other.npz": "needs arrays jpeg and offsets, has x_train",
        "text.npz": r"is no \.npz file",
        "missing.npz": "no such file",
    }.items():
        with pytest.raises(UserError, match=message):
            script.unpack(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ── Public data ───────────────────────────────────────────────────────────────────────────────


def public(name: str) -> Path:
    path = IMAGES / name
    if not path.is_file():
        pytest.skip(f"no file {path}")
    return path


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_every_split_of_ten_classes_has_them_all_evenly(name: str) -> None:
    pictures = load(npz(public(f"{name}/{name}.npz")))
    assert pictures.shape == (1, 28, 28)
    assert pictures.label_sizes == (10,)
    counts = [len(split.x_NCHW) for split in splits(pictures).values()]
    assert counts == [30_000, 27_000, 3_000, 10_000]
    for split in splits(pictures).values():
        shares = torch.bincount(split.labels_NA[:, 0], minlength=10) / len(split.x_NCHW)
        assert (shares - 0.1).abs().max() < 0.02


def test_unlabelled_sets_of_one_archive_are_two_kinds() -> None:
    path = public("cyclegan64/cyclegan64.npz")
    only = {"train_labels": None, "test": None}
    a = {"source": npz(path, train="summer", **only), "size": 32}
    b = {"source": npz(path, train="winter", **only), "size": 32}
    for pictures, total in zip(unpaired(a, b).build_pictures(), (307, 308), strict=True):
        assert pictures.shape == (3, 32, 32)
        assert sum(len(split.x_NCHW) for split in splits(pictures).values()) == total


def test_packed_anime_faces_are_read(script: Any, tmp_path: Path) -> None:
    with np.load(public("anime_faces64/anime_faces64_jpeg.npz")) as archive:
        offsets = archive["offsets"][:61]
        jpeg = archive["jpeg"][: offsets[-1]]
    np.savez(tmp_path / "some.npz", jpeg=jpeg, offsets=offsets)
    assert script.unpack(tmp_path / "some.npz", tmp_path / "faces") == 60
    pictures = load(folder(tmp_path / "faces"))
    assert pictures.shape == (3, 64, 64)
    assert [len(split.x_NCHW) for split in splits(pictures).values()] == [30, 21, 3, 6]


class StripesConfig(PictureSourceConfig):
    """Pictures of a source of one's own: row i is grey level i."""

    name: str = "stripes"
    pictures: int = 40

    def build(self, size: int | None, field: str) -> RawPictures:
        named = ((f"stripe {i}", np.full((8, 8), i, np.uint8)) for i in range(self.pictures))
        return RawPictures("stripes", {"train": RawSplit(self.pictures, named, None)}, {})


def test_a_source_of_ones_own_is_cut_like_files() -> None:
    loaded = PictureSetConfig(source=StripesConfig(pictures=60)).build_pictures()
    splits = [getattr(loaded, name).x_NCHW for name in ("extractor", "valid", "test", "train")]
    assert sorted(int(x[0, 0, 0]) for split in splits for x in split) == [*range(60)]


class DrawnStripesConfig(StripesConfig):
    """The same for each split, a grey level higher in each."""

    name: str = "drawn_stripes"
    drawn: ClassVar[bool] = True

    def build(self, size: int | None, field: str) -> RawPictures:
        splits = {}
        for level, name in enumerate(SPLITS):
            x_HW = np.full((size or 8, size or 8), level, np.uint8)
            labels_NA = np.full((self.pictures, 1), level)
            splits[name] = RawSplit(self.pictures, [(name, x_HW)] * self.pictures, labels_NA)
        return RawPictures("stripes", splits, {"level": len(SPLITS)})


def test_drawn_pictures_of_ones_own_are_not_cut() -> None:
    loaded = PictureSetConfig(source=DrawnStripesConfig(pictures=6), size=4).build_pictures()
    assert (loaded.label_names, loaded.label_sizes, loaded.shape) == (("level",), (4,), (1, 4, 4))
    for level, name in enumerate(SPLITS):
        split = getattr(loaded, name)
        assert split.x_NCHW.tolist() == [[[[level] * 4] * 4]] * 6
        assert split.labels_NA.tolist() == [[level]] * 6
    with pytest.raises(UserError, match="are drawn, there is nothing to share"):
        PictureSetConfig(source=DrawnStripesConfig(pictures=6), share=[0.0, 0.5]).build_pictures()
