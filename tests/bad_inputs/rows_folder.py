"""Folders of images and masks of one's own that do not tell what they are to tell."""

import numpy as np

from tests.bad_inputs.changes import SNAKEMAKE, copied, cut, gone, make, moved, nothing, picture, put, several, trains_on, value
from tests.bad_inputs.row import Row

DESCRIBE = "segstudy describe own study.yaml"
INDEX = "results/tiny/data/own/index.csv"
IMAGES, MASKS, TABLE = "raw/own/images", "raw/own/masks", "raw/own/samples.csv"
SIX = np.full((32, 40), 6, np.uint8)


def looked(name, setup, *words, command=DESCRIBE):
    """A folder that `segstudy describe` refuses; it reads folders as the study does."""
    return Row(f"folder-{name}", "config", setup, command, 1, words, kept=("study.yaml",), absent=("results",))


def layout(**options):
    return value("datasets.own.layout", options)


def table(text):
    return put(TABLE, text)


PLACES = [
    looked("root-missing", value("datasets.own.root", "owm"), "the folder of a folder of images and masks does not exist", "raw/owm", "datasets.own.root"),
    looked("root-a-file", several(put("raw/owm", "x"), value("datasets.own.root", "owm")), "is a file, not a folder", "raw/owm", "data_root"),
    looked("root-empty", several(gone("raw/own/*")), "there is no folder of images", "raw/own (holds no folder)", "layout.images"),
    looked("no-images", gone(IMAGES), "there is no folder of images", "raw/own (holds the folders masks)"),
    looked("no-masks", gone(MASKS), "there is no folder of masks", "layout.masks", "samples.csv"),
    looked("images-empty", gone(f"{IMAGES}/*"), "there are no images in this folder", IMAGES, ".png"),
    looked("masks-empty", gone(f"{MASKS}/*"), "no mask is called like an image", "masks none", "layout.mask_suffix"),
    looked("images-misspelt", layout(images="imgaes"), "there is no folder 'imgaes'. Did you mean 'images'?", "layout.images"),
    looked("masks-misspelt", layout(masks="maks"), "there is no folder 'maks'. Did you mean 'masks'?", "layout.masks"),
    looked("of-ph2", several(value("data_root", "resources"), value("datasets.own.root", "phantoms/tiny/lesions")), "this looks like PH2"),
    looked("of-text", several(gone(f"{IMAGES}/*"), put(f"{IMAGES}/a.txt", "x")), "there are no images in this folder", IMAGES, "allowed: files .bmp", ".png"),
    looked("by-plan-of-study", several(trains_on("own"), value("datasets.own.root", "owm")), "does not exist", "datasets.own.root",
           command=make(INDEX))._replace(absent=(INDEX,)),
]  # fmt: skip

NAMES = [
    looked("no-mask-fits", several(*(moved(f"{MASKS}/im{n}.png", f"{MASKS}/other{n}.png") for n in range(1, 9))),
           "no mask is called like an image: images are im1.png, im2.png, im3.png, masks other1.png", "layout.mask_suffix"),
    looked("suffix-fits-none", layout(mask_suffix="_gt"), "no mask is called like an image", "layout.mask_suffix"),
    looked("two-masks", copied(f"{MASKS}/im1.png", f"{MASKS}/im1_mask.png"), "image 'im1' has several masks", "im1_mask.png", "layout.mask_suffix"),
    looked("mask-and-objects", copied(f"{MASKS}/im1.png", f"{MASKS}/im1_1.png"), "image 'im1' has several masks", "masks/im1_1.png"),
    looked("mask-and-folder", copied(f"{MASKS}/im1.png", f"{MASKS}/im1/a.png"), "image 'im1' has several masks", "masks/im1"),
    looked("two-images", copied(f"{IMAGES}/im1.png", f"{IMAGES}/im1.bmp"), "several images are called 'im1'", "im1.bmp", "keep one of them"),
    looked("group-not-found", layout(group_pattern="patient(\\d+)"), "finds no group in 8 of 8 names: im1, im2", "a column 'group' of samples.csv"),
    looked("table-not-there", layout(table="smaples.csv"), "there is no table 'smaples.csv'", "raw/own"),
    looked("same-name-after-mending", several(*(moved(f"raw/own/{p}/im{n}.png", f"raw/own/{p}/a{c}1.png") for p in ("images", "masks") for n, c in ((1, " "), (2, "_")))),
           "2 images share a sample name, the first being 'a_1'", "images/a 1.png", "images/a_1.png"),
]  # fmt: skip

TABLES = [
    looked("table-empty", table(""), "the table has neither a column 'sample' nor a column 'image'", "samples.csv, row 1"),
    looked("table-no-header", table("im1,a\nim2,b\n"), "the table has a column 'im1' that means nothing here", "samples.csv, row 1", "sample, image, mask"),
    looked("table-no-rows", table("sample,group\n"), "the table has no rows", "samples.csv", "names then tell the pairs"),
    looked("table-column-misspelt", table("sample,gruop\nim1,a\n"), "a column 'gruop' that means nothing here. Did you mean 'group'?", "rename the column"),
    looked("table-column-twice", table("sample,group,group\nim1,a,b\n"), "the table has the column 'group' twice", "samples.csv, row 1"),
    looked("table-no-sample", table("group,mask\na,im1.png\n"), "neither a column 'sample' nor a column 'image'", "it says which image a row speaks of"),
    looked("table-cells-too-many", table("sample,group\nim1,a\nim2,b,c\n"), "3 cells, but the header has 2", "samples.csv, row 3"),
    looked("table-cell-empty", table("sample,group\nim1,a\n,b\n"), "this cell says which image is meant", "samples.csv, row 3, column sample"),
    looked("table-sample-unknown", table("sample,group\nim1,a\nin2,b\n"), "no image is called 'in2'. Did you mean", "samples.csv, row 3, column sample"),
    looked("table-image-unknown", table("image,mask\nim1.png,im1.png\nim22.png,im2.png\n"), "there is no file 'im22.png'. Did you mean", "row 3, column image"),
    looked("table-mask-unknown", table("sample,mask\nim1,im1.png\nim2,m2.png\n"), "there is no file 'm2.png'. Did you mean", "row 3, column mask"),
    looked("table-absolute", table("sample,mask\nim1,/data/im1.png\n"), "'/data/im1.png' is no path below the root", "row 2, column mask"),
    looked("table-subset-unknown", table("sample,subset\nim1,train\nim2,tset\n"), "'tset' is no subset. Did you mean 'test'?", "row 3, column subset", "train, val, test, unlabelled"),
    looked("table-row-twice", table("sample,group\nim1,a\nim2,b\nim1,c\n"), "row 2 names this image too", "row 4, column sample"),
    looked("table-image-twice", table("image,sample\nim1.png,a\nim1.png,b\n"), "row 2 names this image too", "row 3, column image"),
    looked("table-semicolons-and-comma", table("sample;group\nim1,a\n"), "no image is called 'im1,a'", "row 2, column sample"),
    looked("table-roi-unknown", table("sample,roi\nim1,rois/im1.png\n"), "there is no file 'rois/im1.png'", "row 2, column roi"),
    looked("table-by-snakemake", several(table("sample,subset\nim1,tset\n"), nothing), "'tset' is no subset", "row 2, column subset", "Error in index own",
           command=make(INDEX))._replace(absent=(INDEX,)),
]  # fmt: skip

READERS = [
    looked("ph2-not-there", value("datasets.own.reader", "ph2"), "no PH2 data here", "raw/own (holds images, masks)", "datasets.own.root"),
    looked("drive-not-there", value("datasets.own.reader", "drive"), "no DRIVE data here", "raw/own (holds images, masks)"),
    looked("cmp-not-there", value("datasets.own.reader", "cmp"), "no CMP", "raw/own (holds images, masks)"),
    looked("ebhi-not-there", value("datasets.own.reader", "ebhi"), "no EBHI", "raw/own (holds images, masks)"),
    looked("hrf-not-there", value("datasets.own.reader", "hrf"), "no HRF", "raw/own (holds images, masks)"),
    looked("phc-not-there", value("datasets.own.reader", "phc"), "no PhC", "raw/own (holds images, masks)"),
    looked("rfmid-not-there", value("datasets.own.reader", "rfmid"), "no RFMiD", "raw/own (holds images, masks)"),
    looked("drive-is-ph2", several(value("data_root", "resources/phantoms/tiny"), value("datasets.own", {"reader": "drive", "root": "lesions"})),
           "no DRIVE data here; this looks like PH2", "resources/phantoms/tiny/lesions", "datasets.own.root"),
    looked("ph2-is-drive", several(value("data_root", "resources/phantoms/tiny"), value("datasets.own", {"reader": "ph2", "root": "vessels"})),
           "no PH2 data here; this looks like DRIVE"),
    looked("drive-twice", several(value("data_root", "raw"), value("datasets.own", {"reader": "drive", "root": "two"}),
           copied("resources/phantoms/tiny/vessels", "raw/two/a"), copied("resources/phantoms/tiny/vessels", "raw/two/b")),
           "2 copies of DRIVE", "raw/two"),
    looked("ph2-twice", several(value("data_root", "raw"), value("datasets.own", {"reader": "ph2", "root": "two"}),
           copied("resources/phantoms/tiny/lesions", "raw/two/a"), copied("resources/phantoms/tiny/lesions", "raw/two/b")),
           "2 folders of PH2 cases", "raw/two"),
]  # fmt: skip


def damaged(name, setup, *words, target="results/tiny/data/own/checks/images.json", absent=("results/tiny/data/own/store",)):
    """Files that the checks find, before anything is trained."""
    return Row(f"images-{name}", "config", setup, make(target), 1, words, absent=(target, *absent, "results/tiny/cells"))


DAMAGED = [
    damaged("several-at-once",
            several(gone(f"{MASKS}/im1.png"), picture(f"{MASKS}/im2.png", np.zeros((32, 40), np.uint8)), picture(f"{MASKS}/im3.png", np.full((9, 12), 255, np.uint8)),
                    copied(f"{IMAGES}/im4.png", f"{IMAGES}/im5.png"), cut(f"{MASKS}/im6.png", 0.4)),
            "the check of own has", "mask_missing: im1: no mask", "mask_constant: im2", "size_mismatch: im3: mask is 12x9, image 40x32",
            "unreadable: im6", "masks/im6.png", "datasets: own: exceptions"),
    damaged("unknown-label", picture("raw/kinds/masks/im1.png", SIX), "unknown_label", "im1", "holds 6", "which is no class",
            target="results/tiny/data/kinds/checks/images.json"),
    damaged("half-tones", picture(f"{MASKS}/im1.png", np.tile(np.arange(40, dtype=np.uint8) * 6, (32, 1))), "mask_not_binary", "im1", "half-tones"),
    damaged("colours-for-values", picture("raw/kinds/masks/im1.png", np.dstack([SIX * 9, SIX, SIX])), "im1", "a picture of mode RGB holds no class values",
            target="results/tiny/data/kinds/checks/images.json"),
    damaged("image-empty", put(f"{IMAGES}/im1.png", b""), "cannot be read", f"{IMAGES}/im1.png", "cut off, damaged or not an image", target=INDEX),
    damaged("image-is-text", put(f"{IMAGES}/im1.png", "<html>404</html>"), "it is no image", f"{IMAGES}/im1.png", target=INDEX),
    damaged("image-cut-off", cut(f"{IMAGES}/im1.png"), "unreadable", "im1", "images/im1.png"),
    damaged("mask-is-text", put(f"{MASKS}/im1.png", "not found"), "unreadable", "im1", "masks/im1.png"),
    damaged("by-describe", put(f"{IMAGES}/im1.png", b""), "cannot be read", f"{IMAGES}/im1.png", target=INDEX)._replace(command=DESCRIBE),
    damaged("image-floats", moved(f"{IMAGES}/im1.png", f"{IMAGES}/im1.bmp"), "x"),
    damaged("before-training", several(trains_on("own"), gone(f"{MASKS}/im1.png")), "mask_missing: im1", "add the mask",
            target="results/tiny/cells/own/unet/bce/default/seed0/model.safetensors"),
]  # fmt: skip
DAMAGED = [row for row in DAMAGED if row.name != "images-image-floats"]


def split(name, setup, *words, dataset="own", absent=()):
    """A data set that cannot be divided as asked."""
    target = f"results/tiny/data/{dataset}/splits/seed0.csv"
    return Row(f"split-{name}", "config", setup, make(target), 1, words, absent=(target, *absent))


def keep(number):
    return gone(*(f"raw/own/{part}/im{n}.png" for part in ("images", "masks") for n in range(number + 1, 9)))


SPLITS = [
    split("two-images", keep(2), "only", "groups of labelled images are left, too few to carve a", "at least", "add labelled images"),
    split("one-image", keep(1), "only 1 groups of labelled images are left, too few to carve a test set from"),
    split("one-patient", table("sample,group\n" + "".join(f"im{n},p1\n" for n in range(1, 9))), "only 1 groups of labelled images are left", "finer groups"),
    split("folds-too-many", value("datasets.own.split", {"repeat": "kfold", "folds": 9}), "8 groups of labelled images cannot be dealt into 9 folds", "split.folds", "2 to 8"),
    split("all-for-test", table("sample,subset\n" + "".join(f"im{n},test\n" for n in range(1, 9))), "too few to carve a validation set from"),
    split("test-without-masks", several(value("datasets.own.split", {"fallback": "error"}), table("sample,subset\n" + "".join(f"im{n},{'test' if n > 6 else ''}\n" for n in range(1, 9))), gone(f"{MASKS}/im7.png", f"{MASKS}/im8.png")),
          "none of the 2 official test images has a mask", "split.fallback is 'error'", "fallback: carve"),
    Row("split-copies-in-two-subsets", "config",
        several(table("sample,subset\n" + "".join(f"im{n},{'test' if n > 6 else 'train'}\n" for n in range(1, 9))), copied(f"{IMAGES}/im1.png", f"{IMAGES}/im8.png")),
        make("results/tiny/data/own/checks/seed0.json"), 1, ("duplicate: im1", "im8 (test)", "are the same file"),
        absent=("results/tiny/data/own/checks/seed0.json",)),
    Row("split-group-in-two-subsets", "config",
        table("sample,subset,group\n" + "".join(f"im{n},{'test' if n > 6 else 'train'},p{n % 2}\n" for n in range(1, 9))),
        make("results/tiny/data/own/checks/seed0.json"), 1, ("group_straddles: group p", "1 in test"), absent=("results/tiny/data/own/checks/seed0.json",)),
]  # fmt: skip

ROWS = [*PLACES, *NAMES, *TABLES, *READERS, *DAMAGED, *SPLITS]
