"""Commands on a finished study: names that nothing has, files that are gone, and additions that do not hold."""

import numpy as np

from tests.bad_inputs.changes import SNAKEMAKE, copied, gone, make, moved, picture, put, several, study, value
from tests.bad_inputs.rows_commands import CELL, EXPORT, OTHER, PLACE, PREDICT, asked

PREDICTED = [
    asked(
        "predict-cell-unknown",
        "segstudy predict lesions/unet/bec/default/seed0 raw/own/images --out out",
        "there is no trained cell 'lesions/unet/bec/default/seed0'",
        "below results",
        base="finished",
    ),
    asked(
        "predict-cell-a-folder",
        "segstudy predict results/tiny raw/own/images --out out",
        "there is no trained cell 'results/tiny'",
        "the folder of a cell",
        base="finished",
    ),
    asked(
        "predict-cell-of-two",
        PREDICT,
        f"2 studies have a cell '{CELL}'",
        "give the whole path",
        base="finished",
        setup=copied("results/tiny", "results/tiny2"),
    ),
    asked(
        "predict-image-unknown",
        f"segstudy predict {CELL} raw/own/imgaes --out out",
        "there is no such image or folder of images",
        "raw/own/imgaes",
        base="finished",
    ),
    asked(
        "predict-no-picture",
        f"segstudy predict {CELL} notes --out out",
        "there is no image",
        "notes",
        ".png",
        base="finished",
        setup=put("notes/a.txt", "x"),
    ),
    asked(
        "predict-two-of-a-name",
        f"segstudy predict {CELL} raw/own/images raw/kinds/images --out out",
        "two images would both be 'im1.png'",
        "predict them into different folders",
        base="finished",
    ),
    asked(
        "predict-threshold-unknown",
        f"{PREDICT} --threshold best",
        "'best' is no threshold of this cell",
        "thresholds.json",
        "fixed, validation",
        base="finished",
    ),
    asked(
        "predict-threshold-2",
        f"{PREDICT} --threshold 2",
        "'2' is no threshold of this cell",
        "a number above 0, up to 1",
        base="finished",
    ),
    asked(
        "predict-device-unknown",
        f"{PREDICT} --device gpu",
        "this machine has no device 'gpu'",
        "auto, cpu",
        base="finished",
    ),
    asked(
        "predict-device-number", f"{PREDICT} --device cuda:99", "this machine has no device 'cuda:99'", base="finished"
    ),
    asked(
        "predict-one-damaged",
        PREDICT,
        "1 of 8 images could not be predicted",
        "raw/own/images/im3.png",
        "the other images are done",
        "predictions.csv",
        base="finished",
        setup=put("raw/own/images/im3.png", b"\x89PNG"),
        absent=("out/masks/im3.png",),
    ),
    asked(
        "predict-no-roi",
        f"{PREDICT} --roi raw/kinds/images",
        "8 of 8 images could not be predicted",
        "there is no mask of its field of view",
        base="finished",
        setup=gone("raw/kinds/images/*"),
        absent=("out/masks",),
    ),
    asked(
        "predict-roi-empty",
        f"{PREDICT} --roi roi",
        "the field of view is empty: no pixel counts (roi/im1.png)",
        "raw/own/images/im1.png",
        base="finished",
        setup=several(gone("raw/own/images/im[2-8].png"), picture("roi/im1.png", np.zeros((32, 40), np.uint8))),
        absent=("out/masks",),
    ),
    asked(
        "predict-cell-without-record",
        PREDICT,
        "the cell has no run.json",
        PLACE,
        "copy the whole folder of the cell",
        base="finished",
        setup=gone(f"{PLACE}/run.json"),
    ),
    asked(
        "predict-cell-without-usage",
        PREDICT,
        "the cell has no usage.json",
        PLACE,
        base="finished",
        setup=gone(f"{PLACE}/usage.json"),
    ),
    asked(
        "export-cell-unknown",
        "segstudy export lesions/unet/bec/default/seed0 --out out",
        "there is no trained cell",
        base="finished",
    ),
    asked(
        "export-check-unknown",
        f"{EXPORT} --check raw/own/im1.png",
        "the file is missing",
        "raw/own/im1.png",
        base="finished",
    ),
    asked(
        "export-without-counts",
        EXPORT,
        "the cell has no counts.csv",
        "so its card cannot say how good it is",
        base="finished",
        setup=gone(f"{PLACE}/counts.csv"),
    ),
]

STUDIED = [
    asked(
        "compare-itself",
        f"segstudy compare {CELL} {CELL} study.yaml",
        "is compared with itself",
        "name two different cells or rows",
        base="finished",
    ),
    asked(
        "compare-unknown",
        f"segstudy compare {CELL} lesions/unet/dcie/default/seed0 study.yaml",
        "nothing of study 'tiny' is called",
        f"Did you mean '{OTHER}'?",
        base="finished",
    ),
    asked(
        "compare-metric-unknown",
        f"segstudy compare {CELL} {OTHER} study.yaml --metric dise",
        "no metric is called 'dise'",
        "Did you mean 'dice'?",
        base="finished",
    ),
    asked(
        "compare-seeds",
        f"segstudy compare {CELL} lesions/unet/dice/default/seed1 study.yaml",
        "lesions/unet/dice/default/seed1",
        base="finished",
    ),
    asked(
        "compare-study",
        f"segstudy compare {PLACE} results/other/cells/{OTHER} study.yaml",
        "is of study 'other', and the config is that of study 'tiny'",
        base="finished",
    ),
    asked(
        "compare-datasets",
        f"segstudy compare {CELL} own/unet/bce/default/seed0 study.yaml",
        "lesions and own are different data sets",
        base="finished",
        setup=study(
            experiments={"more": {"question": "And there?", "datasets": ["own"], "models": ["unet"], "losses": ["bce"]}}
        ),
    ),
    asked(
        "summary-table-gone",
        "segstudy summary study.yaml",
        "the table of experiment 'lesion_losses' is not there yet",
        base="finished",
        setup=gone("results/tiny/tables/lesion_losses.tidy.csv"),
        absent=("results/tiny/tables/lesion_losses.tidy.csv",),
    ),
    asked(
        "clean-nobody-to-ask",
        "segstudy clean study.yaml",
        "removing needs your confirmation, and this is not a terminal",
        "--dry-run",
        "--yes",
        base="finished",
        setup=put("results/tiny/resume/lesions/unet/bce/default/seed0/state.pt", "x"),
        kept=("results/tiny/resume",),
    ),
    asked(
        "clean-locked",
        "segstudy clean --yes study.yaml",
        "Snakemake is at work here, or was killed at it",
        "snakemake --unlock",
        base="finished",
        setup=several(
            put(".snakemake/locks/0.output.lock", "results/tiny/report.html\n"),
            put("results/tiny/resume/lesions/unet/bce/default/seed0/state.pt", "x"),
        ),
        kept=("results/tiny/resume",),
    ),
    asked(
        "locked",
        make("results/tiny/report.html"),
        "Directory cannot be locked",
        "--unlock",
        base="finished",
        setup=several(
            put(".snakemake/locks/0.output.lock", "results/tiny/report.html\n"), gone("results/tiny/report.html")
        ),
        absent=("results/tiny/report.html",),
    ),
    asked(
        "run-passes-what-snakemake-refuses",
        "segstudy run study.yaml -- results/tiny/nope.html",
        "No rule to produce results/tiny/nope.html",
        base="finished",
    ),
]

MORE = {"more": {"question": "And on our own?", "datasets": ["own"], "models": ["unet"], "losses": ["bce"]}}
OWN = study(experiments=MORE)
LATER = [
    # A finished study to which something is added that does not hold: nothing that is there is lost.
    asked(
        "added-dataset-bad",
        make("results/tiny/tables/more.html"),
        "mask_missing: im1",
        base="finished",
        setup=several(OWN, gone("raw/own/masks/im1.png")),
        kept=("results/tiny/cells",),
        absent=("results/tiny/cells/own", "results/tiny/tables/more.html"),
    ),
    asked(
        "added-dataset-not-there",
        make("results/tiny/tables/more.html"),
        "does not exist",
        "datasets.own.root",
        base="finished",
        setup=several(OWN, moved("raw/own", "raw/gone")),
        kept=("results/tiny/cells",),
        absent=("results/tiny/data/own/index.csv", "results/tiny/tables/more.html"),
    ),
    asked(
        "added-loss-misspelt",
        f"{SNAKEMAKE}",
        "names 'focla', which is not defined",
        "Did you mean 'focal'?",
        base="finished",
        setup=value("experiments.lesion_losses.losses", ["bce", "dice", "focla"]),
    ),
    asked(
        "mask-lost",
        make("results/tiny/data/lesions/checks/images.json"),
        "mask_missing: IMD",
        base="finished",
        setup=gone("resources/phantoms/tiny/lesions/PH2Dataset/*/IMD*3/IMD*3_lesion"),
        kept=("results/tiny/cells",),
        rewritten=("results/tiny/data/lesions",),
    ),
    asked(
        "encoder-file-damaged",
        make("resources/encoders/resnet18.safetensors"),
        "the file is damaged or another one",
        "its name says deadbeef",
        "fetch it again",
        base="finished",
        setup=put("resources/encoders/resnet18-deadbeef.pth", "no weights"),
        absent=("resources/encoders/resnet18.safetensors",),
    ),
]

ROWS = [*PREDICTED, *STUDIED, *LATER]
