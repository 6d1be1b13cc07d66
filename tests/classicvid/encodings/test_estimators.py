"""Every encoder keeps scikit-learn's conventions, comes back from a folder, and loads late."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from classicvid.encodings import VLAD, Codebook, FisherVector

ENCODERS = [
    Codebook(5, restarts=1),
    Codebook(5, assignment="soft", restarts=1),
    FisherVector(3),
    FisherVector(3, pca=None),
    VLAD(4),
]
each_encoder = pytest.mark.parametrize("encoder", ENCODERS, ids=str)
ROOT = Path(__file__).resolve().parents[3]


# Checks that do not apply, and why.
LEFT_OUT = {
    # Both ask for equality to 1e-7, less than a float32 holds: a row's place in a product of
    # matrices moves its last bit. test_rows_do_not_depend_on_one_another asks for what we can keep.
    "check_methods_sample_order_invariance": "rows are computed in single precision",
    "check_methods_subset_invariance": "rows are computed in single precision",
    "check_array_api_input": "numpy in, numpy out",
}


@parametrize_with_checks(ENCODERS)
def test_conventions_of_scikit_learn(estimator, check):
    """A check raises what it finds wrong."""
    name = check.func.__name__
    if name in LEFT_OUT:
        pytest.skip(f"{name}: {LEFT_OUT[name]}")
    check(estimator)


@each_encoder
def test_rows_do_not_depend_on_one_another(encoder, rows, rng):
    fitted = clone(encoder).fit(rows)
    whole, order = fitted.transform(rows), rng.permutation(len(rows))
    np.testing.assert_allclose(fitted.transform(rows[order]), whole[order], rtol=1e-4, atol=1e-5)
    singly = np.concatenate([fitted.transform(row[None]) for row in rows])
    np.testing.assert_allclose(singly, whole, rtol=1e-4, atol=1e-5)


@pytest.fixture
def rows(rng):
    return rng.random((60, 6))


@each_encoder
def test_what_is_saved_comes_back(encoder, rows, tmp_path):
    fitted = clone(encoder).fit(rows)
    fitted.save(tmp_path / "new" / "folder")
    loaded = type(encoder).load(tmp_path / "new" / "folder")
    np.testing.assert_array_equal(loaded.encode(rows), fitted.encode(rows))
    np.testing.assert_array_equal(loaded.transform(rows), fitted.transform(rows))
    assert loaded.get_params() == encoder.get_params()
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    with pytest.raises(ValueError, match="expecting 6"):
        loaded.encode(rows[:, :5])


@each_encoder
def test_the_unit_of_descriptors_does_not_matter(encoder, rows):
    plain = clone(encoder).fit(rows).encode(rows[:20])
    for unit in (2.0**-40, 2.0**30):
        scaled = clone(encoder).fit(unit * rows).encode(unit * rows[:20])
        np.testing.assert_allclose(scaled, plain, atol=1e-3)


@each_encoder
def test_descriptors_out_of_range_are_named(encoder, rows):
    fitted = clone(encoder).fit(rows)
    for value in (1e16, -1e16):
        with pytest.raises(ValueError, match="at most 1e\\+15 in size; divide them"):
            fitted.encode(np.full((2, 6), value))
    assert np.isfinite(fitted.encode(np.full((2, 6), 1e5))).all()


def test_memory_does_not_grow_with_words_times_descriptors(rng):
    """The tables of 100,000 descriptors by words or components would take 100 to 400 MB."""
    descriptors = rng.random((100_000, 8)).astype(np.float32)
    for encoder in (Codebook(1000), FisherVector(250), VLAD(1000)):
        encoder.fit(descriptors[:1000])
        tracemalloc.start()
        encoder.encode(descriptors)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40e6


def test_options_of_numpy_are_saved_as_numbers(rows, tmp_path):
    encoder = FisherVector(np.int64(2), pca=np.float64(0.5)).fit(rows)
    encoder.save(tmp_path)
    assert FisherVector.load(tmp_path).get_params() == encoder.get_params()


@each_encoder
def test_names_of_columns_and_pipelines(encoder, rows):
    chain = make_pipeline(clone(encoder))
    out = chain.fit_transform(rows)
    assert len(chain.get_feature_names_out()) == out.shape[1]


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_option(folder, **changes):
    options = json.loads((folder / "config.json").read_text())["options"]
    change_config(folder, options={**options, **changes})


def change_tensors(folder, **changes):
    path = folder / "model.safetensors"
    tensors = {**load_file(path), **changes}
    save_file({name: array for name, array in tensors.items() if array is not None}, path)


ZERO = np.zeros(1, np.float32)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: change_config(folder, encoder="Codebook"), "a 'Codebook' wrote it"),
        (lambda folder: change_config(folder, features=5), "centre must be"),
        (lambda folder: change_config(folder, features="6"), "features must be a whole number"),
        (lambda folder: change_config(folder, options=[]), "options by name"),
        (lambda folder: change_option(folder, power=7), "power must be at most 1"),
        (lambda folder: change_option(folder, power="x"), "power must be a number"),
        (lambda folder: change_option(folder, colour=1), "unexpected keyword"),
        (lambda folder: change_option(folder, pca=None), r"means must be \(3, 6\) without pca"),
        (lambda folder: change_tensors(folder, means=None), "no 'means'"),
        (lambda folder: change_tensors(folder, centre=None), "tensors must be"),
        (lambda folder: change_tensors(folder, more=ZERO), "tensors must be"),
        (lambda folder: change_tensors(folder, weights=ZERO), "must be"),
        (lambda folder: change_tensors(folder, weights=np.zeros(3, np.float32)), "above 0"),
        (lambda folder: change_tensors(folder, weights=np.zeros((), np.float32)), "one axis"),
        (lambda folder: change_tensors(folder, weights=np.ones(3)), "must be float32"),
        (lambda folder: change_tensors(folder, centre=np.full(6, np.nan, np.float32)), "finite"),
        (lambda folder: (folder / "config.json").write_text("{"), "no saved FisherVector"),
        (lambda folder: (folder / "config.json").write_text("[]"), "no saved FisherVector"),
        (lambda folder: (folder / "config.json").write_text("{}"), "no 'options'"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "no saved"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"0" * 50), "no saved"),
    ],
)
def test_a_damaged_encoder_is_refused(damage, words, rows, tmp_path):
    FisherVector(3).fit(rows).save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=words) as refusal:
        FisherVector.load(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("encoder", "changes"),
    [
        (Codebook(5, restarts=1), {"words": np.zeros((0, 6), np.float32)}),
        (Codebook(5, restarts=1), {"words": np.zeros((5, 7), np.float32)}),
        (Codebook(5, restarts=1), {"width": ZERO}),
        (VLAD(4), {"words": np.zeros((4, 7), np.float32)}),
        (VLAD(4), {"words": ZERO}),
    ],
)
def test_damaged_words_are_refused(encoder, changes, rows, tmp_path):
    clone(encoder).fit(rows).save(tmp_path)
    change_tensors(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"no saved {type(encoder).__name__}"):
        type(encoder).load(tmp_path)


def test_an_absent_encoder_is_named(rows, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        VLAD.load(tmp_path)
    with pytest.raises(ValueError, match="not fitted"):
        VLAD().save(tmp_path)
    VLAD(2).fit(rows).save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no model\.safetensors"):
        VLAD.load(tmp_path)


def test_the_library_alone_does_not_load_scikit_learn():
    code = "import sys, classicvid; print('sklearn' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "False"
