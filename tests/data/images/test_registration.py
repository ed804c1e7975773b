import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from segstudy.data.checks.transformed_copies import movements
from segstudy.data.images.registration import aligned, correlation, sampled, sampling_matrix, turned_and_scaled


def picture(seed, side=64):
    return gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 3).astype(np.float32)


def test_sampling_is_that_of_scipy_about_the_centre():
    """Places are half sides from the centre: a shift of 4 pixels in 64 is 0.125."""
    image = picture(0)
    shifted, inside = sampled(image, turned_and_scaled(0, 1, row=0.125, column=-0.25))
    assert np.allclose(shifted[:-4, 8:], image[4:, :-8])
    assert inside.sum() == 60 * 56
    turned, _ = sampled(image, turned_and_scaled(90, 1))
    assert np.allclose(turned, np.rot90(image, -1), atol=1e-5) or np.allclose(turned, np.rot90(image), atol=1e-5)


@pytest.mark.parametrize("movement", [(3, 1, 0, 0), (0, 0.95, 0, 0), (0, 1, 0.05, -0.04), (-2, 1.03, 0.02, 0.03)])
def test_a_movement_is_found_again(movement):
    image, place = picture(1), turned_and_scaled(*movement)
    side = len(image)
    offset = side / 2 * place[:2, 2] + (np.eye(2) - place[:2, :2]) @ np.full(2, (side - 1) / 2)
    moved = affine_transform(image, place[:2, :2], offset, order=3, mode="nearest")
    found = aligned(moved, image, np.eye(3), steps=20)
    assert found == pytest.approx(place, abs=0.01)  # a third of a pixel at the edges
    assert correlation(moved, image, found) > 0.99
    assert correlation(moved, image, np.eye(3)) < 0.98


def test_correlation_is_that_of_the_pixels_in_the_disc():
    first, second = picture(2), picture(3)
    rows, columns = (np.mgrid[:64, :64] - 31.5) / 32
    disc = rows**2 + columns**2 <= 0.95**2
    expected = np.corrcoef(first[disc], second[disc])[0, 1]
    assert correlation(first, second, np.eye(3)) == pytest.approx(expected, abs=1e-5)
    assert correlation(first, 3 * first + 2, np.eye(3)) == pytest.approx(1, abs=1e-5)


def test_pictures_that_hardly_overlap_or_hold_nothing_are_not_alike():
    image = picture(4)
    assert correlation(image, image, turned_and_scaled(0, 1, row=1.2)) == 0
    flat = np.zeros_like(image)
    assert correlation(image, flat, aligned(image, flat, np.eye(3), 5)) == 0
    assert np.isfinite(aligned(flat, image, np.eye(3), 5)).all()


def test_the_sampling_matrix_is_what_sampling_does():
    generator = np.random.default_rng(3)
    picture = generator.standard_normal((32, 32)).astype(np.float32)
    for place in (*movements(), np.eye(3)):
        matrix, inside = sampling_matrix(32, place)
        moved, expected = sampled(picture, place)
        assert np.array_equal(inside, expected)
        np.testing.assert_allclose(matrix @ picture.ravel(), (moved * expected).ravel(), atol=1e-5)
