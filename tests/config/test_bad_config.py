"""A config that cannot be right is refused at once, with the true reason and where it stands."""

import time

import pytest

from segstudy.config import dependencies
from segstudy.config.load import load_study, read_config
from segstudy.config.recipes import Recipe
from segstudy.core.errors import StudyError
from segstudy.training.cell import check_crop

BASE = """
study: base
datasets:
  lesions: {reader: ph2, phantom: {images: 16}, size: {height: 48, width: 64}}
  vessels: {reader: drive, phantom: {images: 10}}
models: {unet: {}}
losses: {bce: {}, dice: {}}
recipes: {default: {epochs: 2}}
experiments:
  one: {question: Which loss is best, datasets: [lesions], models: [unet], losses: [bce]}
"""
ONE = "experiments: {{one: {{question: Which loss is best, datasets: [lesions], models: [unet], losses: [bce], {}}}}}\n"
RECIPE = "recipes: {{default: {{{}}}}}\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def chain(length, taught=True):
    """Recipes that each start from the one before, and are taught by it."""
    rows = ["r0: {}"]
    for n in range(1, length):
        teacher = f", pseudo_labels: {{teacher: {{recipe: r{n - 1}}}, unlabelled: vessels}}" if taught else ""
        rows.append(f"r{n}: {{start_from: {{recipe: r{n - 1}}}{teacher}}}")
    return "recipes:\n" + "".join(f"  {row}\n" for row in rows) + ONE.format(f"recipes: [r{length - 1}]")


@pytest.fixture
def read(tmp_path):
    def load(text, **command_line):
        base, overlay = tmp_path / "config.yaml", tmp_path / "s.yaml"
        base.write_text(BASE)
        overlay.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_study({**read_config(base, overlay), **command_line}, [base, overlay], command_line)

    return load


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # numbers that are none, or not finite, or yes and no
        (
            RECIPE.format("gradient_clip: .inf"),
            "s.yaml:1 recipes.default.gradient_clip: input should be a finite number",
        ),
        (RECIPE.format("gradient_clip: .nan"), "finite number, found nan"),
        ("evaluation: {tolerance: .inf}\n", "evaluation.tolerance: input should be a finite number"),
        (RECIPE.format("schedule: {power: 1e400}"), "schedule.power: input should be a finite number, found '1e400'"),
        ("losses: {dice: {smooth: .inf}}\n", "losses.dice.smooth: input should be a finite number"),
        (RECIPE.format("early_stopping: {curve: {threshold: .inf}}"), "finite number"),
        (RECIPE.format("augmentation: {scale: [1, .inf]}"), "augmentation.scale.1: input should be a finite number"),
        (RECIPE.format("epochs: true"), "epochs: found true, where a number"),
        (RECIPE.format("learning_rate: true"), "learning_rate: found true"),
        (RECIPE.format("crop: [true, true]"), "crop: found true"),
        ("models: {unet: {growth: true}}\n", "models.unet.growth: found true"),
        ("datasets: {lesions: {training: {epochs: true}}}\n", "datasets.lesions.training.epochs: found true"),
        ("datasets: {lesions: {classes: {a: true}}}\n", "a has the value true or false"),
        (RECIPE.format("epochs: 1" + "0" * 5000), "a value that cannot be read"),
        (RECIPE.format("epochs: 1" + "0" * 400), "the number is too large"),
        ("datasets: {lesions: {phantom: {seed: 9999999999}}}\n", "less than or equal to 4294967295"),
        ("datasets: {lesions: {size: {height: -48, width: 64}}}\n", "the config has a problem"),
        # sizes
        (ONE.format("seeds: 1000000000"), "1000000000 seeds are too many: at most 1,000"),
        (ONE.format("seeds: [10000000000]"), "different numbers from 0 to 4294967295"),
        (ONE.format("seeds: [true, 0]"), "seeds: found true"),
        (ONE.format("seeds: three"), "seeds are a number >= 1"),
        (
            ONE.format("seeds: 1000, labels: " + str([n / 1000 for n in range(1, 900)])),
            "899,000 cells; at most 100,000",
        ),
        (ONE.format("labels: [0.1, 0.1000000001]"), "labels are different shares"),
        (RECIPE.format("crop: [49, 32]"), "crops of recipe 'default' are larger than the images of lesions: [49, 32]"),
        # names
        (f"study: {'x' * 250}\n", "is used in file names: 100 characters at most, it has 250"),
        ("recipes: {Default: {}}\n", "recipes 'default' and 'Default' differ in case only"),
        # files
        ("", "this config file is empty"),
        ("hello\n", "a config file holds blocks"),
        ("study: caf\xe9\n".encode("latin-1"), "not UTF-8 text: byte 10 is 0xe9"),
        ("recipes:\n\tdefault: {}\n", r"found character '\t'"),
        ("recipes: {default: {epochs: 3,\n  epochs: 4}}\n", "'epochs' stands twice in one block, first in line 1"),
        ("3: 4\n", "a key must be text, found 3: put it in quotes"),
        ("recipes:\n  default: {epochs: 010}\n", "010 is 8 for YAML"),
        ("recipes: {default: {epochs: 1:30}}\n", "1:30 is 90 for YAML"),
        ("? [a, b]\n: 3\n", "a key is a list or a block"),
        ("study: 3\n", "study: this must be text, found 3: put it in quotes"),
        ("recipes:\n", "recipes: must be a block of 'name: options' lines, found nothing"),
        ("datasets: {lesions: }\n", "'datasets.lesions' must be a block"),
        ("models: {unet: {network: [a]}}\n", "models.unet.network: this must be the name of a network, found ['a']"),
        (LAUGHS + "study: *a8\n", "too many values"),
        ("recipes: &r {default: *r}\n", "a block contains itself"),
        ("x: " + "[" * 3000 + "]" * 3000 + "\n", "blocks or lists stand inside each other"),
        # lists
        (ONE.format("recipes: [default, default]"), "one.recipes: 'default' stands in the list twice"),
        ("evaluation: {policies: [fixed, fixed]}\n", "policies: 'fixed' stands in the list twice"),
        # chains
        ("recipes: {default: {start_from: {recipe: b}}, b: {start_from: {recipe: default}}}\n", "in a circle"),
        (chain(1500, taught=False).replace("[r1499]", "[r1499], labels: [0.5]"), "too long a chain"),
    ],
)
def test_it_is_refused_in_one_message(read, text, says):
    started = time.monotonic()
    with pytest.raises(StudyError) as caught:
        read(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1000 and time.monotonic() - started < 10


def test_the_names_of_a_cell_fit_one_file_name(read):
    loss, recipe = "l" * 100, "r" * 100
    text = f"losses: {{{loss}: {{loss: bce}}}}\nrecipes: {{{recipe}: {{}}}}\n"
    text += ONE.format(f"recipes: [{recipe}]").replace("[bce]", f"[{loss}]")
    with pytest.raises(StudyError, match="names of a cell have 211 characters together"):
        read(text)


def test_recipes_that_each_need_the_one_before_twice(read):
    started = time.monotonic()
    study = read(chain(24))
    assert len(dependencies.ancestors(study)) == 23 and time.monotonic() - started < 5


def test_a_chain_may_be_longer_than_the_stack_of_python(read):
    assert len(dependencies.ancestors(read(chain(1100, taught=False)))) == 1099


def test_what_the_command_line_says_is_not_blamed_on_a_file(read):
    with pytest.raises(StudyError, match=r"the command line \(--config epochs=...\) epochs: unknown key"):
        read("study: small\n", epochs=3)
    with pytest.raises(StudyError, match=r"the command line \(--config recipes=...\) recipes.default.epochs"):
        read("study: small\n", recipes={"default": {"epochs": 0}})


def test_merge_keys_and_aliases_of_a_usual_size_are_right(read):
    study = read("recipes: {a: &b {epochs: 3}, default: {<<: *b, batch_size: 2}}\n")
    assert (study.recipes["default"].epochs, study.recipes["default"].batch_size) == (3, 2)


def test_a_byte_order_mark_is_no_part_of_a_key(read):
    assert read(b"\xef\xbb\xbfstudy: marked\n").study == "marked"


def test_a_crop_larger_than_images_of_native_size_is_refused_by_the_training():
    check_crop(Recipe(crop=(48, 64)), (48, 64))
    with pytest.raises(StudyError, match="larger than the images"):
        check_crop(Recipe(crop=(48, 65)), (48, 64))


def test_a_crop_as_large_as_the_canvas_is_right(read):
    assert read(RECIPE.format("crop: [48, 64]")).study == "base"
