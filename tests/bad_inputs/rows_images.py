"""Images and masks that are damaged or do not fit, and data sets that cannot be divided."""

import numpy as np

from tests.bad_inputs.changes import copied, cut, gone, make, picture, put, several, trains_on, value
from tests.bad_inputs.row import Row
from tests.bad_inputs.rows_folder import DESCRIBE, IMAGES, INDEX, MASKS, table

SIX = np.full((32, 40), 6, np.uint8)


def damaged(
    name, setup, *words, target="results/tiny/data/own/checks/images.json", absent=("results/tiny/data/own/store",)
):
    """Files that the checks find, before anything is trained."""
    return Row(
        f"images-{name}", "config", setup, make(target), 1, words, absent=(target, *absent, "results/tiny/cells")
    )


DAMAGED = [
    damaged(
        "several-at-once",
        several(
            gone(f"{MASKS}/im1.png"),
            picture(f"{MASKS}/im2.png", np.zeros((32, 40), np.uint8)),
            picture(f"{MASKS}/im3.png", np.full((9, 12), 255, np.uint8)),
            copied(f"{IMAGES}/im4.png", f"{IMAGES}/im5.png"),
            cut(f"{MASKS}/im6.png", 0.4),
        ),
        "the check of own has",
        "mask_missing: im1: no mask",
        "mask_constant: im2",
        "size_mismatch: im3: mask is 12x9, image 40x32",
        "unreadable: im6",
        "masks/im6.png",
        "datasets: own: exceptions",
    ),
    damaged(
        "unknown-label",
        picture("raw/kinds/masks/im1.png", SIX),
        "unknown_label",
        "im1",
        "holds 6",
        "which is no class",
        target="results/tiny/data/kinds/checks/images.json",
    ),
    damaged(
        "half-tones",
        picture(f"{MASKS}/im1.png", np.tile(np.arange(40, dtype=np.uint8) * 6, (32, 1))),
        "mask_not_binary",
        "im1",
        "half-tones",
    ),
    damaged(
        "colours-for-values",
        picture("raw/kinds/masks/im1.png", np.dstack([SIX * 9, SIX, SIX])),
        "im1",
        "a picture of mode RGB holds no class values",
        target="results/tiny/data/kinds/checks/images.json",
    ),
    damaged(
        "image-empty",
        put(f"{IMAGES}/im1.png", b""),
        "cannot be read",
        f"{IMAGES}/im1.png",
        "cut off, damaged or not an image",
        target=INDEX,
    ),
    damaged(
        "image-is-text",
        put(f"{IMAGES}/im1.png", "<html>404</html>"),
        "it is no image",
        f"{IMAGES}/im1.png",
        target=INDEX,
    ),
    damaged("image-cut-off", cut(f"{IMAGES}/im1.png"), "unreadable", "im1", "images/im1.png"),
    damaged("mask-is-text", put(f"{MASKS}/im1.png", "not found"), "unreadable", "im1", "masks/im1.png"),
    damaged("by-describe", put(f"{IMAGES}/im1.png", b""), "cannot be read", f"{IMAGES}/im1.png", target=INDEX)._replace(
        command=DESCRIBE
    ),
    damaged(
        "before-training",
        several(trains_on("own"), gone(f"{MASKS}/im1.png")),
        "mask_missing: im1",
        "add the mask",
        target="results/tiny/cells/own/unet/bce/default/seed0/model.safetensors",
    ),
]


def split(name, setup, *words, dataset="own", absent=()):
    """A data set that cannot be divided as asked."""
    target = f"results/tiny/data/{dataset}/splits/seed0.csv"
    return Row(f"split-{name}", "config", setup, make(target), 1, words, absent=(target, *absent))


def keep(number):
    return gone(*(f"raw/own/{part}/im{n}.png" for part in ("images", "masks") for n in range(number + 1, 9)))


SPLITS = [
    split(
        "two-images",
        keep(2),
        "only",
        "groups of labelled images are left, too few to carve a",
        "at least",
        "add labelled images",
    ),
    split("one-image", keep(1), "only 1 groups of labelled images are left, too few to carve a test set from"),
    split(
        "one-patient",
        table("sample,group\n" + "".join(f"im{n},p1\n" for n in range(1, 9))),
        "only 1 groups of labelled images are left",
        "finer groups",
    ),
    split(
        "folds-too-many",
        value("datasets.own.split", {"repeat": "kfold", "folds": 9}),
        "8 groups of labelled images cannot be dealt into 9 folds",
        "split.folds",
        "2 to 8",
    ),
    split(
        "all-for-test",
        table("sample,subset\n" + "".join(f"im{n},test\n" for n in range(1, 9))),
        "too few to carve a validation set from",
    ),
    split(
        "test-without-masks",
        several(
            value("datasets.own.split", {"fallback": "error"}),
            table("sample,subset\n" + "".join(f"im{n},{'test' if n > 6 else ''}\n" for n in range(1, 9))),
            gone(f"{MASKS}/im7.png", f"{MASKS}/im8.png"),
        ),
        "none of the 2 official test images has a mask",
        "split.fallback is 'error'",
        "fallback: carve",
    ),
    Row(
        "split-copies-in-two-subsets",
        "config",
        several(
            table("sample,subset\n" + "".join(f"im{n},{'test' if n > 6 else 'train'}\n" for n in range(1, 9))),
            copied(f"{IMAGES}/im1.png", f"{IMAGES}/im8.png"),
        ),
        make("results/tiny/data/own/checks/seed0.json"),
        1,
        ("duplicate: im1", "im8 (test)", "are the same file"),
        absent=("results/tiny/data/own/checks/seed0.json",),
    ),
    Row(
        "split-group-in-two-subsets",
        "config",
        table(
            "sample,subset,group\n" + "".join(f"im{n},{'test' if n > 6 else 'train'},p{n % 2}\n" for n in range(1, 9))
        ),
        make("results/tiny/data/own/checks/seed0.json"),
        1,
        ("group_straddles: group p", "1 in test"),
        absent=("results/tiny/data/own/checks/seed0.json",),
    ),
]

ROWS = [*DAMAGED, *SPLITS]
