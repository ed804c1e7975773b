"""Study files that say something else than they should."""

from tests.bad_inputs.changes import (
    CHECK,
    SNAKEMAKE,
    gone,
    make,
    nothing,
    put,
    replaced,
    several,
    study,
    trains_on,
    value,
)
from tests.bad_inputs.row import Row

PLAN = f"{SNAKEMAKE} -n"
MEND = "mend the config and run the same command again; nothing was started"


def said(name, setup, *words, command=CHECK):
    """A config that is refused before anything is made."""
    return Row(f"study-{name}", "config", setup, command, 1, words, absent=("results",))


def wrong(name, key, new, *words):
    """One value of study.yaml that is not allowed; the message names the file and the key."""
    return said(name, value(key, new), "study.yaml:", key, *words)


OTHER = {"question": "Another question?", "datasets": ["lesions"], "models": ["unet"], "losses": ["bce"]}

FILES = [
    said("not-there", gone("study.yaml"), "no such config file", "study.yaml", "relative to the current folder"),
    said(
        "misspelt-file",
        nothing,
        "no such config file",
        "Did you mean 'study.yaml'?",
        command="segstudy check-config stduy.yaml",
    ),
    said(
        "open-bracket",
        put("study.yaml", "study: tiny\nlosses: [1, 2\n"),
        "is no YAML",
        "study.yaml:",
        "brackets closed",
    ),
    said("tab-as-indent", put("study.yaml", "study: tiny\nlosses:\n\tbce: {}\n"), "is no YAML", "study.yaml:3"),
    said(
        "no-colon",
        put("study.yaml", "study: tiny\nlosses\nmodels: {}\n"),
        "is no YAML",
        "study.yaml:",
        "a colon after each key",
    ),
    said(
        "a-list",
        put("study.yaml", "- one\n- two\n"),
        "a config file holds blocks of 'name: options' lines",
        "study.yaml",
    ),
    said("a-folder", several(gone("study.yaml"), put("study.yaml/x", "")), "study.yaml", "this is a folder"),
    said("not-text", put("study.yaml", b"\x89PNG\r\n\x1a\n\xff\xfe\x00"), "study.yaml", "is not UTF-8 text"),
    said("binary-zip", put("study.yaml", b"PK\x03\x04\x00\x00"), "study.yaml", "is no YAML"),
]

NAMES = [
    said("key-unknown", study(modles={}), "modles: unknown key", "Did you mean 'models'?", MEND),
    said("name-with-space", value("study", "my study"), "'my study' is used in file names", "letters, digits"),
    said("name-with-slash", value("study", "../other"), "'../other' is used in file names"),
    said("dataset-name-with-slash", value("datasets.a/b", {"reader": "folder"}), "'a/b' is used in file names"),
    said("experiment-name-with-space", value("experiments", {"my losses": OTHER}), "'my losses' is used in file names"),
    said("loss-unknown", value("losses.focl", {}), "no loss is called 'focl'", "Did you mean 'focal'?", "study.yaml:"),
    said(
        "network-unknown",
        value("models.unett", {}),
        "no network is called 'unett'",
        "Did you mean 'unet'?",
        "study.yaml:",
    ),
    said(
        "network-key-unknown",
        value("models.mine", {"network": "resnet"}),
        "models.mine: no network is called 'resnet'",
        "allowed:",
    ),
    said(
        "two-problems",
        several(value("recipes.default.epochs", 0), value("recipes.default.batch", 2)),
        "the config has 2 problems",
        "recipes.default.epochs",
        "recipes.default.batch: unknown key",
        "Did you mean 'batch_size'?",
    ),
    said(
        "by-snakemake",
        value("losses.focal", {"gama": 2}),
        "losses.focal.gama: unknown key",
        "Did you mean 'gamma'?",
        command=PLAN,
    ),
    said(
        "by-snakemake-run",
        value("recipes.default.epochs", -3),
        "recipes.default.epochs",
        "-3",
        command=make("results/tiny/report.html"),
    ),
    said(
        "by-plan",
        value("recipes.default.epochs", 2.5),
        "recipes.default.epochs",
        "2.5",
        command="segstudy plan study.yaml",
    ),
    said("by-run", value("models.unet.depth", 99), "models.unet.depth", "99", command="segstudy run study.yaml"),
    said(
        "by-command-line",
        nothing,
        "recipes",
        "epochs",
        command=f"{SNAKEMAKE} -n --config 'recipes={{default: {{epochs: 0}}}}'",
    ),
]

BLOCKS = [
    wrong("models-a-word", "models.unet", "big", "must be a block of 'name: options' lines", "'big'"),
    said("losses-a-list", value("losses", ["bce"]), "'losses' must be a block", "['bce']"),
    said("datasets-a-word", value("datasets", "lesions"), "'datasets' must be a block", "'lesions'"),
    wrong(
        "reference-metric",
        "experiments.lesion_losses.reference",
        [{"source": "a thesis, table 1", "rows": [{"row": "U-Net", "values": {"dcie": 0.7}}]}],
        "'dice', 'iou'",
    ),
    wrong("experiment-a-word", "experiments.lesion_losses", "yes", "experiments.lesion_losses"),
    wrong("recipe-a-number", "recipes.default", 5, "recipes.default"),
]

EXPERIMENTS = [
    said(
        "experiment-dataset",
        value("experiments.lesion_losses.datasets", ["leisons"]),
        "experiments.lesion_losses.datasets names 'leisons', which nothing defines",
        "Did you mean 'lesions'?",
        "define it under 'datasets:'",
    ),
    said(
        "experiment-model",
        value("experiments.lesion_losses.models", ["unte"]),
        "experiments.lesion_losses.models names 'unte'",
        "Did you mean 'unet'?",
    ),
    said(
        "experiment-loss",
        value("experiments.lesion_losses.losses", ["bce", "dcie"]),
        "names 'dcie', which nothing defines",
        "Did you mean 'dice'?",
    ),
    said(
        "experiment-recipe",
        value("experiments.lesion_losses.recipes", ["defualt"]),
        "names 'defualt'",
        "Did you mean 'default'?",
    ),
    wrong(
        "seeds-0",
        "experiments.lesion_losses.seeds",
        0,
        "seeds are a number >= 1 or a list of different numbers from 0 to",
    ),
    wrong("seeds-twice", "experiments.lesion_losses.seeds", [1, 1], "a list of different numbers"),
    wrong("seeds-negative", "experiments.lesion_losses.seeds", [-1], "different numbers from 0 to"),
    wrong("seeds-a-word", "experiments.lesion_losses.seeds", "three", "'three'"),
    wrong("question-short", "experiments.lesion_losses.question", "Hm?", "at least 5 characters"),
    wrong("losses-empty", "experiments.lesion_losses.losses", [], "at least 1 item"),
    wrong("labels-0", "experiments.lesion_losses.labels", [0, 1], "greater than 0"),
    wrong("labels-twice", "experiments.lesion_losses.labels", [0.5, 0.5], "labels are different shares"),
    said(
        "only-unknown",
        value("experiments.lesion_losses.only", ["unet/bec/default"]),
        "experiments.lesion_losses: only names 'unet/bec/default'",
        "Did you mean 'unet/bce/default'?",
    ),
    said(
        "fold-too-many",
        several(
            value("datasets.lesions.split", {"repeat": "kfold", "folds": 2}),
            value("experiments.lesion_losses.seeds", 3),
        ),
        "asks for fold 2 of lesions",
        "0 to 1",
        "split.folds is 2",
    ),
    said(
        "question-missing",
        value("experiments.lesion_losses", {key: OTHER[key] for key in ("datasets", "models", "losses")}),
        "experiments.lesion_losses.question: this key is required",
    ),
]

DATASETS = [
    said(
        "reader-unknown",
        value("datasets.own.reader", "foldr"),
        "no reader 'foldr'; readers: ph2",
        "Did you mean 'folder'?",
    ),
    said("reader-missing", value("datasets.mine", {"root": "mine"}), "no reader 'mine'; readers: ph2"),
    wrong(
        "size-half",
        "datasets.lesions.size",
        {"height": 32},
        "size is 'native', {height: .., width: ..} or {long_side: ..}",
    ),
    wrong("size-tiny", "datasets.own.size", {"long_side": 4}, "greater than or equal to 16"),
    wrong("colour-unknown", "datasets.own.colour", "blue", "'rgb', 'grey' or 'green'"),
    wrong("validation-all", "datasets.own.split", {"validation": 1.5}, "less than 1"),
    wrong("split-unknown", "datasets.own.split", {"repeat": "random"}, "'new_split', 'fixed_split' or 'kfold'"),
    wrong("split-key", "datasets.own.split", {"tset": 0.2}, "unknown key", "Did you mean 'test'?"),
    wrong("folds-1", "datasets.own.split", {"repeat": "kfold", "folds": 1}, "folds", "greater than or equal to 2"),
    wrong(
        "folds-without-validation",
        "datasets.own.split",
        {"repeat": "kfold", "validation": 0},
        "kfold needs validation images",
    ),
    said(
        "nothing-to-tune-on",
        value("datasets.lesions.split", {"validation": 0}),
        "evaluation.policies has 'validation', which needs validation images",
        "datasets.lesions.split.validation is 0",
    ),
    wrong("training-key", "datasets.lesions.training", {"epoch": 3}, "unknown key", "Did you mean 'epochs'?"),
    wrong("tile-a-number", "datasets.own.prediction", {"tile": 64}, "datasets.own.prediction.tile", "64"),
    wrong("overlap-alone", "datasets.own.prediction", {"overlap": 0.2}, "set tile: [height, width]"),
    wrong(
        "exception-unknown",
        "datasets.own.exceptions",
        [{"kind": "blurred", "reason": "as it is"}],
        "kind",
        "'mask_missing'",
    ),
    wrong(
        "exception-without-reason", "datasets.own.exceptions", [{"kind": "duplicate"}], "reason", "this key is required"
    ),
    said(
        "layout-of-ph2",
        value("datasets.lesions.layout", {"masks": "gt"}),
        "datasets.lesions: layout is for the reader 'folder'",
    ),
    wrong("group-pattern-open", "datasets.own.layout", {"group_pattern": "(im"}, "'(im' is no regular expression"),
    wrong("group-pattern-two", "datasets.own.layout", {"group_pattern": "(i)(m)"}, "has 2 pairs of brackets"),
    wrong("phantom-few", "datasets.lesions.phantom", {"images": 2}, "greater than or equal to 4"),
]

CLASSES = [
    said(
        "class-without-value",
        replaced("study.yaml", "disc: 1", "disc: #ff0000"),
        "disc has no value; a colour stands in quotes",
    ),
    wrong("class-value-twice", "datasets.kinds.classes", {"disc": 1, "square": 1}, "1 stands for disc and square"),
    wrong("class-background-alone", "datasets.kinds.classes", {"background": 0}, "background alone is no class"),
    wrong(
        "class-value-0",
        "datasets.kinds.classes",
        {"disc": 0},
        "0 stands for disc and, unless other values are given, for background",
    ),
    wrong(
        "class-mean",
        "datasets.kinds.classes",
        {"mean": 1, "disc": 2},
        "'mean' is what tables call the mean over the classes",
    ),
    wrong("class-case", "datasets.kinds.classes", {"disc": 1, "Disc": 2}, "'disc' and 'Disc' differ in case only"),
    wrong(
        "class-colour-and-value",
        "datasets.kinds.classes",
        {"disc": "#ff0000", "square": 2},
        "colours (disc) or values (square), not both",
    ),
    said("ignore-a-class", value("datasets.kinds.ignore", 1), "ignore: 1 stands for disc and is ignored"),
    said("ignore-bare-colour", value("datasets.kinds.ignore", None), "a colour stands in quotes"),
    said("inverted-classes", value("datasets.kinds.inverted", True), "'inverted' is for masks without 'classes'"),
    said(
        "loss-of-one-class",
        trains_on("kinds"),
        "loss 'bce' is for one foreground class, but data set kinds has several",
    ),
    said(
        "loss-of-several",
        several(value("losses.cross_entropy", {}), trains_on("own", "cross_entropy")),
        "cross_entropy is a softmax over several classes, but data set own has one foreground class",
    ),
]

ROWS = [*FILES, *NAMES, *BLOCKS, *EXPERIMENTS, *DATASETS, *CLASSES]
