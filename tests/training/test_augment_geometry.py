import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from segstudy.config.recipes import Augmentation
from segstudy.core.errors import StudyError
from segstudy.training.augment_geometry import apply_plan, augment, draw_plan

IDENTITY = Augmentation()
EVERYTHING = Augmentation(
    flip_horizontal=0.5,
    flip_vertical=0.5,
    rotation=45,
    shift=0.1,
    scale=(0.8, 1.2),
    shear=10,
    brightness=(0.75, 1.25),
    contrast=(0.75, 1.25),
    saturation=(0.75, 1.25),
    blur=0.3,
    noise=0.02,
)
AFFINE = Augmentation(rotation=45, shift=0.1, scale=(0.8, 1.2), shear=10, flip_horizontal=0.5, flip_vertical=0.5)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(seed=0, samples=4, height=40, width=56):
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.integers(0, 256, (samples, 3, height, width), dtype=np.uint8))
    masks = torch.from_numpy(rng.integers(0, 3, (samples, height, width), dtype=np.uint8))
    rois = torch.from_numpy(rng.integers(0, 2, (samples, height, width), dtype=np.uint8))
    return images, masks, rois


def blobs(samples, height, width, seed=0):
    """Masks of a few discs each, and images that show exactly them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    masks = np.zeros((samples, height, width), np.uint8)
    for mask in masks:
        for _ in range(3):
            y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(12, 24)
            mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    masks = torch.from_numpy(masks)
    return (masks * 255)[:, None].repeat(1, 3, 1, 1), masks, torch.ones_like(masks)


def test_no_options_return_the_inputs_exactly():
    images, masks, rois = drawn()
    image, mask, roi = augment(images, masks, rois, IDENTITY, seeded())
    assert torch.equal(image, images.float() / 255)
    assert torch.equal(mask, masks)
    assert torch.equal(roi, rois)
    assert torch.equal(augment(image, masks, rois, IDENTITY, seeded())[0], image)


def test_the_inputs_are_left_as_they_were():
    images, masks, rois = drawn()
    for given_images in (images, images.float() / 255):
        before = given_images.clone()
        for options in (
            EVERYTHING,
            Augmentation(brightness=(0.5, 0.6)),
            Augmentation(blur=1),
            Augmentation(noise=0.1),
        ):
            augment(given_images, masks, rois, options, seeded())
            assert torch.equal(given_images, before)


@pytest.mark.parametrize(
    ("options", "dimensions"),
    [
        (Augmentation(flip_horizontal=1), [-1]),
        (Augmentation(flip_vertical=1), [-2]),
        (Augmentation(flip_horizontal=1, flip_vertical=1), [-2, -1]),
    ],
)
def test_flips_are_exact(options, dimensions):
    images, masks, rois = drawn()
    image, mask, roi = augment(images, masks, rois, options, seeded())
    assert torch.equal(image, (images.float() / 255).flip(dimensions))
    assert torch.equal(mask, masks.flip(dimensions))
    assert torch.equal(roi, rois.flip(dimensions))


def test_with_both_flips_a_transposition_gives_all_eight_positions_exactly():
    images, masks, rois = drawn(samples=200, height=24, width=24)
    options = Augmentation(flip_horizontal=0.5, flip_vertical=0.5, transpose=0.5)
    found = augment(images, masks, rois, options, seeded())
    counts = [0] * 8
    for i in range(200):
        eight = [torch.rot90(x, k, (-2, -1)) for x in (images[i], images[i].flip(-1)) for k in range(4)]
        (place,) = [k for k in range(8) if torch.equal(eight[k].float() / 255, found[0][i])]
        masks_of = [torch.rot90(x, k, (-2, -1)) for x in (masks[i], masks[i].flip(-1)) for k in range(4)]
        assert torch.equal(masks_of[place], found[1][i])
        counts[place] += 1
    assert min(counts) > 10
    turned = augment(images, masks, rois, options.model_copy(update={"rotation": 1e-9}), seeded())
    torch.testing.assert_close(turned[0], found[0], atol=1e-4, rtol=0)  # the affine path
    with pytest.raises(StudyError, match="square"):
        augment(*drawn(height=24, width=32), options, seeded())
    assert "transpose" not in Augmentation().model_dump()


def test_flips_come_at_their_probability():
    images = torch.zeros(4000, 1, 1, 2, dtype=torch.uint8)
    images[..., 1] = 255
    masks = torch.zeros(4000, 1, 2, dtype=torch.uint8)
    image, _, _ = augment(images, masks, masks, Augmentation(flip_horizontal=0.3), seeded())
    assert image[:, 0, 0, 0].mean() == pytest.approx(0.3, abs=0.03)  # four standard deviations


def test_crops_are_exact_pieces_and_reach_every_place():
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(14), indexing="ij")
    masks = (rows * 14 + columns).to(torch.uint8).repeat(600, 1, 1)
    images = masks[:, None].repeat(1, 3, 1, 1)
    image, mask, roi = augment(images, masks, torch.ones_like(masks), IDENTITY, seeded(), crop=(8, 9))
    assert image.shape == (600, 3, 8, 9)
    assert roi.all()
    corners = set()
    for i in range(600):
        top, left = divmod(int(mask[i, 0, 0]), 14)
        corners.add((top, left))
        piece = masks[i, top : top + 8, left : left + 9]
        assert torch.equal(mask[i], piece)
        assert torch.equal(image[i, 0], piece.float() / 255)
    assert corners == {(top, left) for top in range(5) for left in range(6)}


def test_a_crop_larger_than_the_image_is_padded_with_roi_zero():
    images, masks, _ = drawn(height=10, width=30)
    image, mask, roi = augment(images, masks, torch.ones_like(masks), IDENTITY, seeded(), crop=(16, 16))
    assert image.shape == (4, 3, 16, 16)
    assert roi[:, 3:13].all()
    assert not roi[:, :3].any() and not roi[:, 13:].any()
    assert not image[:, :, :3].any() and not mask[:, 13:].any()


@pytest.mark.parametrize("crop", [None, (32, 48)])
def test_the_same_seed_gives_the_same_batch_and_another_seed_another(crop):
    images, masks, rois = drawn(height=60, width=80)
    first = augment(images, masks, rois, EVERYTHING, seeded(5), crop)
    again = augment(images, masks, rois, EVERYTHING, seeded(5), crop)
    other = augment(images, masks, rois, EVERYTHING, seeded(6), crop)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@given(st.integers(0, 10_000), st.sampled_from([None, (64, 96)]))
@settings(max_examples=25, deadline=None)
def test_image_and_mask_move_together(seed, crop):
    images, masks, rois = blobs(3, 96, 128, seed)
    image, mask, roi = augment(images, masks, rois, AFFINE, seeded(seed), crop)
    painted, truth, inside = image[:, 0] >= 0.5, mask > 0, roi > 0
    union = ((painted | truth) & inside).sum()
    assert ((painted & truth & inside).sum() + 1) / (union + 1) > 0.95
    assert not (truth & ~inside).any()


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_what_comes_from_outside_is_zero_everywhere_and_what_does_not_counts(seed):
    masks = torch.full((4, 48, 64), 2, dtype=torch.uint8)
    images = torch.full((4, 3, 48, 64), 200, dtype=torch.uint8)
    image, mask, roi = augment(images, masks, torch.ones_like(masks), AFFINE, seeded(seed))
    outside = roi == 0
    assert torch.equal(mask == 0, outside)
    # Bilinear sampling fades over one pixel; nearest neighbour changes in its middle.
    assert image[:, 0][outside].numel() == 0 or image[:, 0][outside].max() <= 200 / 255 / 2 + 1e-3
    assert image[:, 0][~outside].min() >= 200 / 255 / 4 - 1e-3


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_turned_crops_stay_inside_the_image_where_they_fit(seed):
    images, masks, _ = blobs(4, 200, 180, seed)
    options = Augmentation(rotation=180, scale=(0.9, 1.1))
    _, _, roi = augment(images, masks, torch.ones_like(masks), options, seeded(seed), crop=(96, 96))
    assert roi.all()  # 96 * sqrt(2) / 0.9 = 151


def test_turned_crops_reach_the_corners_of_the_image():
    masks = torch.zeros(400, 60, 60, dtype=torch.uint8)
    for k, (y, x) in enumerate([(0, 0), (0, 55), (55, 0), (55, 55)], start=1):
        masks[:, y : y + 5, x : x + 5] = k
    images = torch.zeros(400, 1, 60, 60, dtype=torch.uint8)
    _, mask, _ = augment(images, masks, masks, Augmentation(rotation=2), seeded(), crop=(24, 24))
    assert set(mask.unique().tolist()) == {0, 1, 2, 3, 4}


@pytest.fixture
def upper_end(monkeypatch):
    """Draw the upper end of every range, instead of a number in it."""
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, 1.0 - 1e-9, dtype=torch.float64))


def test_rotation_turns_counter_clockwise_by_the_angle(upper_end):
    """Against Pillow, which turns counter-clockwise."""
    images, masks, rois = blobs(1, 96, 96, 3)
    image, _, _ = augment(images, masks, rois, Augmentation(rotation=30), seeded())
    expected = np.asarray(Image.fromarray(images[0, 0].numpy()).rotate(30, Image.Resampling.BILINEAR)) / 255
    assert np.abs(image[0, 0].numpy() - expected).mean() < 0.005


@pytest.mark.parametrize("angle", [90, 180])
def test_right_angles_are_exact_turns(upper_end, angle):
    images, masks, rois = drawn(height=32, width=32)
    image, mask, roi = augment(images, masks, rois, Augmentation(rotation=angle), seeded())
    turns = angle // 90
    assert torch.allclose(image, torch.rot90(images.float() / 255, turns, (2, 3)), atol=1e-3)
    assert torch.equal(mask, torch.rot90(masks, turns, (1, 2)))
    assert torch.equal(roi, torch.rot90(rois, turns, (1, 2)))


def test_shift_moves_by_a_share_of_the_side(upper_end):
    images, masks, _ = drawn(height=40, width=80)
    image, mask, roi = augment(images, masks, torch.ones_like(masks), Augmentation(shift=0.25), seeded())
    assert torch.equal(mask[:, 10:, 20:], masks[:, :-10, :-20])
    assert torch.allclose(image[:, :, 11:, 21:], images[:, :, 1:-10, 1:-20].float() / 255, atol=1e-3)
    assert not roi[:, :10].any() and not roi[:, :, :20].any() and roi[:, 10:, 20:].all()


def test_a_crop_is_shifted_by_a_share_of_its_own_side_from_where_it_lies(upper_end):
    """At the upper end a crop lies in the corner; shifted down and to the right, it shows what lies above and left."""
    images, masks, _ = drawn(height=80, width=100)
    options = Augmentation(shift=0.25)
    _, mask, roi = augment(images, masks, torch.ones_like(masks), options, seeded(), crop=(40, 60))
    assert torch.equal(mask, masks[:, 30:70, 25:85]) and roi.all()
    options = Augmentation(shift=0.25, flip_vertical=1.0, flip_horizontal=1.0)
    _, mask, roi = augment(images, masks, torch.ones_like(masks), options, seeded(), crop=(40, 60))
    assert torch.equal(mask[:, 10:, 15:], masks[:, 50:, 55:].flip(1, 2))
    assert not roi[:, :10].any() and not roi[:, :, :15].any(), "turned round, the same shift leads out of the image"


def test_scale_magnifies_about_the_centre(upper_end):
    masks = torch.zeros(1, 64, 64, dtype=torch.uint8)
    masks[0, 28:36, 28:36] = 1
    _, mask, _ = augment(masks[:, None], masks, masks, Augmentation(scale=(2, 2)), seeded())
    expected = torch.zeros_like(masks)
    expected[0, 24:40, 24:40] = 1
    assert torch.equal(mask, expected)


def test_shear_moves_lower_rows_to_the_right(upper_end):
    masks = torch.zeros(1, 65, 65, dtype=torch.uint8)
    masks[0, :, 32] = 1
    _, mask, _ = augment(masks[:, None], masks, masks, Augmentation(shear=45), seeded())
    assert torch.equal(mask[0, 16:49].argmax(1), torch.arange(16, 49))


def test_flips_in_the_affine_path_are_those_of_the_exact_path():
    images, masks, rois = drawn(samples=16)
    flips = {"flip_horizontal": 0.5, "flip_vertical": 0.5}
    exact = augment(images, masks, rois, Augmentation(**flips), seeded(3))
    resampled = augment(images, masks, rois, Augmentation(**flips, rotation=1e-7), seeded(3))
    assert torch.allclose(exact[0], resampled[0], atol=1e-3)
    assert torch.equal(exact[1], resampled[1])
    assert torch.equal(exact[2], resampled[2])


def test_intensities_change_in_the_image_alone():
    images, masks, rois = drawn()
    options = Augmentation(brightness=(0.5, 0.6), contrast=(0.5, 1.5), saturation=(0.5, 1.5), blur=0.5, noise=0.1)
    image, mask, roi = augment(images, masks, rois, options, seeded())
    assert torch.equal(mask, masks)
    assert torch.equal(roi, rois)
    assert not torch.allclose(image, images.float() / 255, atol=0.05)
    assert image.min() >= 0 and image.max() <= 1


def test_brightness_contrast_and_saturation_are_the_formulas_in_that_order():
    images = (drawn()[0].float() / 255) * 0.2 + 0.4  # far from 0 and 1, so that nothing is clamped
    masks = torch.zeros(4, 40, 56, dtype=torch.uint8)
    options = Augmentation(brightness=(0.9, 0.9), contrast=(1.2, 1.2), saturation=(0.7, 0.7))
    x = images * 0.9
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * 1.2 + mean
    luma = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    x = (x - luma) * 0.7 + luma
    assert torch.allclose(augment(images, masks, masks, options, seeded())[0], x, atol=1e-6)


def test_saturation_leaves_grey_images_alone():
    images, masks, rois = drawn()
    for grey in (images[:, :1], images[:, :1].repeat(1, 3, 1, 1)):
        image, _, _ = augment(grey, masks, rois, Augmentation(saturation=(0.2, 0.3)), seeded())
        assert torch.allclose(image, grey.float() / 255, atol=1e-6)


def test_gamma_is_the_exponent_after_the_others_and_drawn_for_each_image():
    images, masks, rois = drawn(samples=200, height=8, width=8)
    x = images.float() / 255
    twice = augment(images, masks, rois, Augmentation(brightness=(2, 2), gamma=(0.5, 0.5)), seeded())[0]
    assert torch.allclose(twice, (2 * x).clamp(0, 1).sqrt(), atol=1e-6)
    image = augment(images, masks, rois, Augmentation(gamma=(0.7, 1.5)), seeded())[0]
    middle = (x > 0.2) & (x < 0.8)
    exponents = [(i.log() / j.log())[m] for i, j, m in zip(image, x, middle, strict=True)]
    assert all(float(one.max() - one.min()) < 1e-3 for one in exponents)  # one for all pixels and channels
    means = torch.stack([one.mean() for one in exponents])
    assert 0.7 <= float(means.min()) < 0.75 and 1.45 < float(means.max()) <= 1.5
    assert float(means.mean()) == pytest.approx(1.1, abs=0.05)


def test_gamma_leaves_other_draws_and_settings_as_they_were():
    images, masks, rois = drawn(samples=16)
    others = {"flip_horizontal": 0.5, "rotation": 20, "noise": 0.0}
    plain = augment(images, masks, rois, Augmentation(**others), seeded(1))
    both = augment(images, masks, rois, Augmentation(**others, gamma=(0.5, 2)), seeded(1))
    assert torch.equal(plain[1], both[1]) and torch.equal(plain[2], both[2])
    assert not torch.equal(plain[0], both[0])
    assert "gamma" not in Augmentation().model_dump()


def test_blur_is_the_binomial_kernel_and_hits_its_share():
    from scipy.ndimage import convolve

    images, masks, rois = drawn()
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    image, _, _ = augment(images, masks, rois, Augmentation(blur=1), seeded())
    expected = convolve(images[1, 2].double().numpy() / 255, kernel, mode="nearest")
    assert np.allclose(image[1, 2].numpy(), expected, atol=1e-6)
    many = drawn(samples=2000, height=4, width=4)
    image, _, _ = augment(*many, Augmentation(blur=0.3), seeded())
    changed = (image != many[0].float() / 255).flatten(1).any(1).float().mean()
    assert changed == pytest.approx(0.3, abs=0.045)


def test_noise_has_the_standard_deviation_asked_for():
    images = torch.full((4, 3, 64, 64), 128, dtype=torch.uint8)
    masks = torch.zeros(4, 64, 64, dtype=torch.uint8)
    image, _, _ = augment(images, masks, masks, Augmentation(noise=0.05), seeded())
    assert float(image.std()) == pytest.approx(0.05, rel=0.03)
    assert float(image.mean()) == pytest.approx(128 / 255, abs=0.002)


def test_switching_one_change_on_leaves_the_other_draws_alone():
    images, masks, rois = drawn(samples=16)
    flips = Augmentation(flip_horizontal=0.5)
    both = Augmentation(flip_horizontal=0.5, brightness=(0.5, 1.5))
    assert torch.equal(
        augment(images, masks, rois, flips, seeded(1))[1], augment(images, masks, rois, both, seeded(1))[1]
    )


@pytest.mark.parametrize("options", [IDENTITY, AFFINE, EVERYTHING])
@pytest.mark.parametrize("crop", [None, (24, 32), (64, 30)])
def test_the_order_of_the_bytes_in_memory_does_not_matter(options, crop):
    images, masks, rois = drawn(height=50, width=70)
    channels_last = images.contiguous(memory_format=torch.channels_last)
    first = augment(images, masks, rois, options, seeded(2), crop)
    second = augment(channels_last, masks, rois, options, seeded(2), crop)
    assert torch.allclose(first[0], second[0], atol=1e-6)
    assert torch.equal(first[1], second[1])


@given(st.integers(0, 10_000))
@example(8)
@settings(max_examples=15, deadline=None)
def test_a_crop_needs_no_more_of_the_image_than_is_cut_out_for_it(seed):
    """Only a window of each image is converted and resampled; an image of ones must not show the window's edge."""
    masks = torch.ones(4, 180, 200, dtype=torch.uint8)
    options = Augmentation(rotation=180, scale=(0.5, 2), shear=20)
    image, mask, roi = augment((masks * 255)[:, None], masks, masks, options, seeded(seed), crop=(20, 26))
    assert mask.all() and roi.all()
    plan = draw_plan(4, (180, 200), options, seeded(seed), (20, 26))
    (height, width), corners = plan.window, plan.corners
    within = [0 < top < 180 - height and 0 < left < 200 - width for top, left in corners]
    assert torch.allclose(image[within], torch.ones_like(image[within]), atol=1e-5)
    assert image.min() >= 0.5  # at the image's own edge: half a pixel of what is outside


def test_types_of_mask_and_roi_are_kept_and_many_classes_survive():
    images, _, _ = drawn(height=64, width=64)
    masks = torch.arange(256).repeat(4, 64, 1)[..., :64].to(torch.uint8) + 190
    rois = torch.ones(4, 64, 64, dtype=torch.bool)
    image, mask, roi = augment(images, masks, rois, AFFINE, seeded())
    assert (image.dtype, mask.dtype, roi.dtype) == (torch.float32, torch.uint8, torch.bool)
    assert set(mask.unique().tolist()) <= {0, *masks.unique().tolist()}
    assert mask.max() == 253


def test_a_turned_crop_is_what_a_crop_of_the_whole_turned_image_is():
    """The crop's own grid is sampled, out of a window. scipy turns the whole image, and the crop is cut from that."""
    (_, masks, rois), size, around = blobs(4, 150, 170), (24, 30), 12
    images = torch.from_numpy(ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 1, (4, 1, 150, 170)), 2.0))
    options = Augmentation(rotation=180, scale=(0.7, 1.4), shear=15, flip_horizontal=0.5)
    plan = draw_plan(4, (150, 170), options, seeded(3), size)
    windows = [
        torch.stack(
            [batch[i, ..., y : y + plan.window[0], x : x + plan.window[1]] for i, (y, x) in enumerate(plan.corners)]
        )
        for batch in (images, masks, rois)
    ]
    image, mask, roi = apply_plan(plan, *windows, options, seeded(3))
    assert math.prod(plan.window) < 150 * 170 / 2
    assert torch.equal(mask, augment(images, masks, rois, options, seeded(3), size)[1])
    extent = np.array(plan.window) / 2
    for i, corner in enumerate(plan.corners):
        x_row, y_row = plan.affine[i].double().numpy()
        matrix = np.array([y_row[[1, 0]], x_row[[1, 0]]]) * extent[:, None]
        centre = (np.array([y_row[2], x_row[2]]) + 1) * extent + corner - 0.5
        turned = np.array(size) + 2 * around
        offset = centre - matrix @ ((turned - 1) / 2)
        whole = ndimage.affine_transform(images[i, 0].numpy(), matrix, offset, tuple(turned), order=1)
        assert np.abs(whole[around:-around, around:-around] - image[i, 0].numpy()).max() < 1e-4
        labels = ndimage.affine_transform(masks[i].numpy(), matrix, offset, tuple(turned), order=0)
        assert (labels[around:-around, around:-around] != mask[i].numpy()).mean() < 0.01  # halves round either way
    assert roi.all()


TURNED = {"rotation": 30.0, "scale": (0.9, 1.2), "flip_horizontal": 0.5, "shear": 5.0, "shift": 0.1}


def carried_out(plan, options, images, inside):
    """Carry a plan out by cutting its windows from images (B, C, H, W) and, as masks and rois, `inside` (B, H, W)."""
    (height, width), batches = plan.window, (images, inside, inside)
    parts = [
        torch.stack([one[..., y : y + height, x : x + width] for one, (y, x) in zip(batch, plan.corners, strict=True)])
        for batch in batches
    ]
    return apply_plan(plan, *parts, options, seeded())


@pytest.mark.parametrize("options", [IDENTITY, Augmentation(**TURNED | {"shift": 0.0})])  # a shift moves crops outside
def test_crops_lie_inside_the_places_that_they_are_given_and_reach_all_of_them(options):
    places = torch.tensor([[0, 0, 24, 30], [10, 4, 20, 50]], dtype=torch.float64).repeat(300, 1)
    inside = torch.zeros(600, 40, 60, dtype=torch.uint8)
    for mask, (top, left, height, width) in zip(inside, places.int().tolist(), strict=True):
        mask[top : top + height, left : left + width] = 1
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(60), indexing="ij")
    images = torch.stack([rows * 4, columns * 4, rows * 0]).to(torch.uint8).expand(600, 3, 40, 60)
    plan = draw_plan(600, (40, 60), options, seeded(), (8, 8), places)
    image, mask, roi = carried_out(plan, options, images, inside)
    assert roi.all() and mask.all()
    for number, (top, left, height, width) in enumerate(places[:2].tolist()):
        for channel, (first, side) in enumerate([(top, height), (left, width)]):
            seen = image[number::2, channel] * 255 / 4
            assert seen.min() < first + 1 and seen.max() > first + side - 2


@pytest.mark.parametrize("options", [IDENTITY, Augmentation(rotation=1e-9)])
def test_a_place_smaller_than_the_crop_is_seen_whole(options):
    places = torch.tensor([[0, 3, 6, 4], [30, 50, 10, 10]], dtype=torch.float64)
    inside = torch.zeros(2, 40, 60, dtype=torch.uint8)
    inside[0, :6, 3:7] = 1
    inside[1, 30:, 50:] = 1
    plan = draw_plan(2, (40, 60), options, seeded(), (20, 20), places)
    _, mask, roi = carried_out(plan, options, inside[:, None].repeat(1, 3, 1, 1), inside)
    assert [int(one.sum()) for one in roi] == [24, 100] == [int(one.sum()) for one in mask]


@pytest.mark.parametrize("options", [IDENTITY, Augmentation(**TURNED)])
@pytest.mark.parametrize("crop", [None, (16, 16), (64, 16)])
def test_the_whole_canvas_as_place_changes_nothing(options, crop):
    whole = torch.tensor([[0, 0, 40, 60]], dtype=torch.float64).expand(5, 4)
    one, other = (draw_plan(5, (40, 60), options, seeded(), crop, places) for places in (None, whole))
    assert one.corners == other.corners and one.window == other.window
    assert (one.affine is None and other.affine is None) or torch.equal(one.affine, other.affine)
