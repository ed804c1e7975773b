"""What the planner chooses, and by which of its rules."""

import pytest

from segstudy.core.errors import StudyError
from segstudy.runtime.resources import NetworkMemory
from segstudy.study.estimates import BASE_MB
from segstudy.study.flops import guessed_memory, network_cost
from segstudy.study.plan_choices import (
    FEWEST_EPOCHS,
    LEAST_STEPS,
    STEPS,
    THICK_ENOUGH,
    USABLE,
    Facts,
    Machine,
    choose_size,
)
from segstudy.study.planner import make_plan

UNET = {"network": "unet", "growth": 2, "convolutions": 2, "normalisation": "batch"}
GPU, CPU = Machine(True, 1, 16.0, "a GPU"), Machine(False, 1, 4.0, "main memory")
LESIONS = Facts([(767, 576)] * 170, 136, 24, 468.0, 59.0, 3, 1)
VESSELS = Facts([(565, 584)] * 20, 16, 4, 47.0, 1.0, 3, 1)
FUNDI = Facts([(3504, 2336)] * 36, 29, 7, 280.0, 2.0, 3, 1)


def plan(facts=LESIONS, machine=GPU, written=(), **models):
    return make_plan(facts, machine, dict(written), models or {"unet": UNET})


def size(long, thinnest):
    return choose_size(Facts([(long, long * 3 // 4)] * 5, 4, 1, None, thinnest, 3, 1))[0]


def test_thin_objects_keep_their_pixels_and_are_trained_on_crops():
    made = plan(FUNDI)
    assert made.values["size"] == "native" and made.values["crop"] == [288, 288]
    assert plan(VESSELS).values["crop"] == [256, 256]
    assert plan(VESSELS).values["crops_per_image"] == 6  # of 576x592


def test_thick_objects_are_seen_on_a_small_canvas():
    assert size(1024, 60.0) == {"long_side": 256}
    finer = size(1024, 10.0)
    assert finer == {"long_side": 416} and THICK_ENOUGH <= 10.0 * 416 / 1024
    assert size(1024, 7.0) == "native", "on 512 pixels less than enough would be left"
    assert plan().values["crop"] is None and plan().values["crops_per_image"] == 1


def test_small_images_stay_as_they_are():
    assert size(224, 30.0) == size(160, None) == "native"


def test_the_depth_is_the_smallest_that_sees_the_median_object():
    assert plan().models["unet"]["depth"] == 4  # 188 pixels, for 156 on the canvas
    assert plan(LESIONS._replace(span=200.0)).models["unet"]["depth"] == 3
    large = plan(LESIONS._replace(span=750.0))
    assert large.models["unet"]["depth"] == 5 and "250 px long" in large.because["models.unet.depth"]
    assert (
        plan(LESIONS._replace(sizes=[(40, 30)] * 9, span=40.0)).models["unet"]["depth"] == 3
    )  # 4 pixels at the bottom


def test_what_is_written_is_kept_and_the_rest_follows_it():
    made = plan(written={"size": {"long_side": 512}, "batch_size": 4}, unet={**UNET, "depth": 3})
    assert made.values["size"] == {"long_side": 512} and made.values["batch_size"] == 4
    assert made.models["unet"] == {"width": 32} and made.because.keys() == {
        *("crop", "crops_per_image", "epochs", "models.unet.width")
    }


@pytest.mark.parametrize("memory", [2.0, 4.0, 8.0])
def test_a_batch_fits_into_the_memory_by_the_estimate(memory):
    few = FUNDI._replace(sizes=FUNDI.sizes[:9])  # whose images lie in the memory too, if they fit
    made = plan(few, GPU._replace(memory_gb=memory))
    cost = network_cost({**UNET, **made.models["unet"]}, 3, 1)
    crop, batch = made.values["crop"], made.values["batch_size"]
    needed = guessed_memory(cost).mb(batch * crop[0] * crop[1])
    assert needed < USABLE * 1000 * memory
    assert batch >= 2 and plan(few, GPU._replace(memory_gb=80.0)).values["batch_size"] >= batch


def test_memory_that_was_counted_decides_and_is_kept_for_the_jobs():
    """200 MB of weights and 10,000 MB of a megapixel: an image of 256x192 takes 492 MB."""
    asked = []

    def count(settings, channels, outputs, size, gpu, bf16):
        asked.append((settings["depth"], channels, outputs, size, gpu, bf16))
        return NetworkMemory(200.0, 10_000.0)

    machine = CPU._replace(memory_gb=4.0)
    made = make_plan(LESIONS, machine, {"precision": "bf16"}, {"unet": UNET}, count)
    assert asked[0] == (4, 3, 1, (192, 256), False, True)
    store = 170 * 192 * 256 * 5 / 1e6
    fitting = int((USABLE * 4000 - BASE_MB - store - 200) / 491.52)
    assert fitting == 4 and made.values["batch_size"] == 4
    assert f"{fitting} would fit" in made.because["batch_size"] and made.because["batch_size"].endswith("counted")
    assert made.memory == {"unet": NetworkMemory(200.0, 10_000.0)}
    halves = make_plan(LESIONS, machine, {"accumulate": 2}, {"unet": UNET}, count)
    assert "8 would fit" in halves.because["batch_size"], "two parts, one after the other"
    unknown = make_plan(LESIONS, machine, {}, {"unet": UNET}, lambda *_: None)
    assert unknown.memory == {} and unknown == make_plan(LESIONS, machine, {}, {"unet": UNET})


def test_too_little_memory_is_said():
    with pytest.raises(StudyError, match=r"not even 2 inputs of the narrowest network fit into 0\.8 GB") as error:
        plan(FUNDI, CPU._replace(memory_gb=0.8))
    assert "plan.memory_gb" in str(error.value)


def test_without_a_limit_a_training_has_its_usual_steps():
    made = plan()
    assert STEPS <= made.values["epochs"] * 17 < STEPS + 17 and made.values["batch_size"] == 8  # 17 steps of 136 images


def test_little_time_shrinks_the_image_and_leaves_the_network():
    sides = []
    for hours in (20.0, 0.25, 0.1, 0.02):
        made = plan(machine=CPU._replace(hours=hours))
        sides.append(made.values["size"]["long_side"])
        assert made.models["unet"]["width"] == 16
        assert made.enough == (hours > 0.02)
        if made.enough:
            assert made.values["epochs"] >= FEWEST_EPOCHS
            assert made.values["epochs"] * 136 / made.values["batch_size"] >= 0.9 * LEAST_STEPS
    assert sides[0] == 256 and sides[-1] == 128 and sides == sorted(sides, reverse=True) and not made.enough


def test_little_memory_narrows_the_network():
    assert [plan(FUNDI, CPU._replace(memory_gb=gb)).models["unet"]["width"] for gb in (8.0, 3.0)] == [16, 8]


def test_little_memory_narrows_the_network_before_images_shrink():
    assert [plan(machine=GPU._replace(memory_gb=gb)).models["unet"]["width"] for gb in (8.0, 1.2, 1.0)] == [32, 16, 8]
    for gb in (8.0, 1.2, 1.0):
        made = plan(machine=GPU._replace(memory_gb=gb))
        assert made.values["size"] == {"long_side": 256} and "as little" not in made.because["size"]
    least = plan(machine=GPU._replace(memory_gb=0.9))
    assert least.models["unet"]["width"] == 8 and least.values["size"]["long_side"] < 256 and least.fits
    assert least.because["size"].endswith("as little memory is left")


@pytest.mark.parametrize("written", [{"epochs": 5}, {"crops_per_epoch": 40}])
def test_images_do_not_shrink_where_time_is_no_matter(written):
    """Steps are few since somebody has written so, or validation takes longer than the few crops of an epoch."""
    for facts in (LESIONS, FACADES):
        made = plan(facts, GPU._replace(hours=100.0), written)
        assert made.values["size"] == plan(facts, GPU._replace(hours=100.0)).values["size"] and made.enough
    few = plan(LESIONS._replace(sizes=[(512, 512)] * 4, train=4, val=1), GPU, written)
    assert few.values["size"] == {"long_side": 256}, "four images make few steps, whatever their size"
    assert plan(machine=CPU._replace(hours=0.001), written={"epochs": 5}).values["size"] == {"long_side": 128}


FACADES = Facts([(1024, 768)] * 60, 38, 10, 244.0, 3.0, 3, 12)


def test_little_time_shrinks_thin_parts_before_crops_lose_the_median_object():
    """Parts of 3 pixels: 1,365 pixels would keep four. Crops of 128 on 704 pixels do not hold an object of 168."""
    minutes = {}
    for one in (0.5, 3, 5, 60):
        made = plan(FACADES, CPU._replace(hours=one / 60), {"validate_every": 2})
        minutes[one] = made.values
        crop = made.values["crop"]
        share = 1 if made.values["size"] == "native" else made.values["size"]["long_side"] / 1024
        assert crop is None or max(crop) >= 244 * share
    assert minutes[0.5]["size"] == minutes[3]["size"] == {"long_side": 192}, "half a pixel of the thinnest is left"
    assert minutes[0.5]["crop"] is None and minutes[60]["size"] == "native"


def test_a_crop_that_is_written_is_no_reason_to_shrink_the_canvas():
    made = plan(FACADES, GPU, {"crop": [128, 128]})
    assert made.values["size"] == "native" and made.models["unet"]["width"] == 32


@pytest.mark.parametrize("minutes", [2, 5, 15, 60])
@pytest.mark.parametrize("facts", [VESSELS, FUNDI])
def test_vessels_of_one_or_two_pixels_are_never_shrunk(facts, minutes):
    assert plan(facts, CPU._replace(hours=minutes / 60)).values["size"] == "native"


def test_the_epochs_fill_the_hours():
    one, two = (plan(machine=CPU._replace(hours=hours)).values["epochs"] for hours in (1.0, 2.0))
    assert two == pytest.approx(2 * one, rel=0.05)


def test_images_without_labels_have_a_size_alone():
    assert set(make_plan(LESIONS, GPU, {}, {}).values) == {"size", "crop"}
