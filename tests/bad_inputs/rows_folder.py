"""Folders of images and masks of one's own that do not tell what they are to tell."""

from tests.bad_inputs.changes import (
    copied,
    gone,
    make,
    moved,
    put,
    several,
    trains_on,
    value,
)
from tests.bad_inputs.row import Row

DESCRIBE = "segstudy describe own study.yaml"
INDEX = "results/tiny/data/own/index.csv"
IMAGES, MASKS, TABLE = "raw/own/images", "raw/own/masks", "raw/own/samples.csv"


def looked(name, setup, *words, command=DESCRIBE):
    """A folder that `segstudy describe` refuses; it reads folders as the study does."""
    return Row(f"folder-{name}", "config", setup, command, 1, words, kept=("study.yaml",), absent=("results",))


def layout(**options):
    return value("datasets.own.layout", options)


def table(text):
    return put(TABLE, text)


PLACES = [
    looked(
        "root-missing",
        value("datasets.own.root", "owm"),
        "the folder of a folder of images and masks does not exist",
        "raw/owm",
        "datasets.own.root",
    ),
    looked(
        "root-a-file",
        several(put("raw/owm", "x"), value("datasets.own.root", "owm")),
        "is a file, not a folder",
        "raw/owm",
        "data_root",
    ),
    looked(
        "root-empty",
        several(gone("raw/own/*")),
        "there is no folder of images",
        "raw/own (holds no folder)",
        "layout.images",
    ),
    looked("no-images", gone(IMAGES), "there is no folder of images", "raw/own (holds the folders masks)"),
    looked("no-masks", gone(MASKS), "there is no folder of masks", "layout.masks", "samples.csv"),
    looked("images-empty", gone(f"{IMAGES}/*"), "there are no images in this folder", IMAGES, ".png"),
    looked("masks-empty", gone(f"{MASKS}/*"), "no mask is called like an image", "masks none", "layout.mask_suffix"),
    looked(
        "images-misspelt",
        layout(images="imgaes"),
        "there is no folder 'imgaes'. Did you mean 'images'?",
        "layout.images",
    ),
    looked("masks-misspelt", layout(masks="maks"), "there is no folder 'maks'. Did you mean 'masks'?", "layout.masks"),
    looked(
        "of-ph2",
        several(value("data_root", "resources"), value("datasets.own.root", "phantoms/tiny/lesions")),
        "this looks like PH2",
    ),
    looked(
        "of-text",
        several(gone(f"{IMAGES}/*"), put(f"{IMAGES}/a.txt", "x")),
        "there are no images in this folder",
        IMAGES,
        "allowed: files .bmp",
        ".png",
    ),
    looked(
        "by-plan-of-study",
        several(trains_on("own"), value("datasets.own.root", "owm")),
        "does not exist",
        "datasets.own.root",
        command=make(INDEX),
    )._replace(absent=(INDEX,)),
]

NAMES = [
    looked(
        "no-mask-fits",
        several(*(moved(f"{MASKS}/im{n}.png", f"{MASKS}/other{n}.png") for n in range(1, 9))),
        "no mask is called like an image: images are im1.png, im2.png, im3.png, masks other1.png",
        "layout.mask_suffix",
    ),
    looked("suffix-fits-none", layout(mask_suffix="_gt"), "no mask is called like an image", "layout.mask_suffix"),
    looked(
        "two-masks",
        copied(f"{MASKS}/im1.png", f"{MASKS}/im1_mask.png"),
        "image 'im1' has several masks",
        "im1_mask.png",
        "layout.mask_suffix",
    ),
    looked(
        "mask-and-objects",
        copied(f"{MASKS}/im1.png", f"{MASKS}/im1_1.png"),
        "image 'im1' has several masks",
        "masks/im1_1.png",
    ),
    looked(
        "mask-and-folder",
        copied(f"{MASKS}/im1.png", f"{MASKS}/im1/a.png"),
        "image 'im1' has several masks",
        "masks/im1",
    ),
    looked(
        "two-images",
        copied(f"{IMAGES}/im1.png", f"{IMAGES}/im1.bmp"),
        "several images are called 'im1'",
        "im1.bmp",
        "keep one of them",
    ),
    looked(
        "group-not-found",
        layout(group_pattern="patient(\\d+)"),
        "finds no group in 8 of 8 names: im1, im2",
        "a column 'group' of samples.csv",
    ),
    looked("table-not-there", layout(table="smaples.csv"), "there is no table 'smaples.csv'", "raw/own"),
    looked(
        "one-mask-for-two-folders",
        several(*(moved(f"{IMAGES}/im{n}.png", f"{IMAGES}/p{n}/im1.png") for n in range(1, 9))),
        "one mask fits 8 images: masks/im1.png, images/p1/im1.png",
        "masks in folders like those of the images",
    ),
    looked(
        "two-persons-masks",
        several(
            *(moved(f"{MASKS}/im{n}.png", f"{MASKS}/im{n}_1st.png") for n in range(1, 9)),
            copied(f"{MASKS}/im1_1st.png", f"{MASKS}/im1_2nd.png"),
        ),
        "image 'im1' has several masks: masks/im1_1st.png, masks/im1_2nd.png",
        "layout.second_suffix",
    ),
    looked(
        "annotator-nowhere", layout(annotator_masks=["masks_2"]), "no image has a mask of annotator 2: folder masks_2"
    ),
    looked(
        "truth-of-one-annotator",
        value("datasets.own.truth", "union"),
        "truth: union joins the masks of several annotators, and no image has more than one mask",
        "layout.annotator_masks",
    ),
    looked(
        "annotators-named-twice",
        layout(second_suffix="_b", annotator_suffixes=["_b", "_c"]),
        "second_masks and second_suffix are for two annotators",
    ),
    looked(
        "images-of-no-bytes",
        several(put(f"{IMAGES}/im1.png", ""), put(f"{IMAGES}/im5.png", "")),
        "2 of 8 images cannot be used",
        "images/im1.png: the image cannot be read",
        "images/im5.png: the image cannot be read",
    ),
]

TABLES = [
    looked(
        "table-twice",
        several(
            table("sample,group\nim1,a\n"),
            *(moved(f"raw/own/{p}", f"raw/own/all/{p}") for p in ("images", "masks")),
            put("raw/own/all/samples.csv", "sample,group\nim1,a\n"),
        ),
        "there are 2 tables of samples",
        "put what they say into one",
    ),
    looked(
        "table-column-without-name",
        table("sample,group,\nim1,a,x\n"),
        "column 3 of the table has no name and holds 'x'",
        "name the column, or remove it",
    ),
    looked(
        "table-empty", table(""), "the table has neither a column 'sample' nor a column 'image'", "samples.csv, row 1"
    ),
    looked(
        "table-no-header",
        table("im1,a\nim2,b\n"),
        "the table has a column 'im1' that means nothing here",
        "samples.csv, row 1",
        "sample, image, mask",
    ),
    looked(
        "table-no-rows", table("sample,group\n"), "the table has no rows", "samples.csv", "names then tell the pairs"
    ),
    looked(
        "table-column-misspelt",
        table("sample,gruop\nim1,a\n"),
        "a column 'gruop' that means nothing here. Did you mean 'group'?",
        "rename the column",
    ),
    looked(
        "table-column-twice",
        table("sample,group,group\nim1,a,b\n"),
        "the table has the column 'group' twice",
        "samples.csv, row 1",
    ),
    looked(
        "table-no-sample",
        table("group,mask\na,im1.png\n"),
        "neither a column 'sample' nor a column 'image'",
        "it says which image a row speaks of",
    ),
    looked(
        "table-cells-too-many",
        table("sample,group\nim1,a\nim2,b,c\n"),
        "3 cells, but the header has 2",
        "samples.csv, row 3",
    ),
    looked(
        "table-cell-empty",
        table("sample,group\nim1,a\n,b\n"),
        "this cell says which image is meant",
        "samples.csv, row 3, column sample",
    ),
    looked(
        "table-sample-unknown",
        table("sample,group\nim1,a\nin2,b\n"),
        "no image is called 'in2'. Did you mean",
        "samples.csv, row 3, column sample",
    ),
    looked(
        "table-image-unknown",
        table("image,mask\nim1.png,im1.png\nim22.png,im2.png\n"),
        "there is no file 'im22.png'. Did you mean",
        "row 3, column image",
    ),
    looked(
        "table-mask-unknown",
        table("sample,mask\nim1,im1.png\nim2,m2.png\n"),
        "there is no file 'm2.png'. Did you mean",
        "row 3, column mask",
    ),
    looked(
        "table-absolute",
        table("sample,mask\nim1,/data/im1.png\n"),
        "'/data/im1.png' is no path below the root",
        "row 2, column mask",
    ),
    looked(
        "table-subset-unknown",
        table("sample,subset\nim1,train\nim2,tset\n"),
        "'tset' is no subset. Did you mean 'test'?",
        "row 3, column subset",
        "train, val, test, unlabelled",
    ),
    looked(
        "table-row-twice",
        table("sample,group\nim1,a\nim2,b\nim1,c\n"),
        "row 2 names this image too",
        "row 4, column sample",
    ),
    looked(
        "table-image-twice",
        table("image,sample\nim1.png,a\nim1.png,b\n"),
        "row 2 names this image too",
        "row 3, column image",
    ),
    looked(
        "table-semicolons-and-comma",
        table("sample;group\nim1,a\n"),
        "no image is called 'im1,a'",
        "row 2, column sample",
    ),
    looked(
        "table-roi-unknown",
        table("sample,roi\nim1,rois/im1.png\n"),
        "there is no file 'rois/im1.png'",
        "row 2, column roi",
    ),
    looked(
        "table-by-snakemake",
        table("sample,subset\nim1,tset\n"),
        "'tset' is no subset",
        "row 2, column subset",
        "Error in index own",
        command=make(INDEX),
    )._replace(absent=(INDEX,)),
]

ROWS = [*PLACES, *NAMES, *TABLES]
