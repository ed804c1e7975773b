"""Lines that are no command lines, targets that no rule makes, and studies that are not as far as a command needs."""

from tests.bad_inputs.changes import gone, make, nothing, put, several, value
from tests.bad_inputs.row import Row

CELL = "lesions/unet/bce/default/seed0"
OTHER = "lesions/unet/dice/default/seed0"
PLACE = f"results/tiny/cells/{CELL}"
PREDICT = f"segstudy predict {CELL} raw/own/images --out out"
EXPORT = f"segstudy export {CELL} --out out --format torch"


def no_line(name, command, *words):
    """A line that is no command line: exit code 2, with the usage."""
    return Row(f"line-{name}", "config", nothing, command, 2, ("Usage: segstudy", *words), absent=("results", "out"))


LINES = [
    no_line("command-unknown", "segstudy statsu", "No such command 'statsu'. Did you mean 'status'?"),
    no_line("option-unknown", "segstudy status --sate done study.yaml", "No such option: --sate"),
    no_line("run-option", "segstudy run study.yaml -n", "No such option: -n", "segstudy run STUDY.yaml -- -n"),
    no_line("state-unknown", "segstudy status --state ready study.yaml", "'ready'", "waiting"),
    no_line("kind-unknown", "segstudy clean --only cache study.yaml", "'cache'", "half-written"),
    no_line("threads-0", "segstudy plan --threads 0 study.yaml", "'--threads'", "greater than or equal to 1"),
    no_line("threads-a-word", "segstudy plan --threads many study.yaml", "'--threads'", "valid integer"),
    no_line("gpus-negative", "segstudy plan --gpus -1 study.yaml", "'--gpus'"),
    no_line("predict-nothing", "segstudy predict", "Missing argument 'cell'"),
    no_line("predict-no-images", f"segstudy predict {CELL} --out out", "Missing argument 'images"),
    no_line("predict-no-out", f"segstudy predict {CELL} raw/own/images", "Missing option '--out'"),
    no_line("export-no-out", f"segstudy export {CELL}", "Missing option '--out'"),
    no_line("export-format", f"segstudy export {CELL} --out out --format tflite", "'tflite'", "onnx"),
    no_line("compare-one", f"segstudy compare {CELL}", "Missing argument 'second'"),
    no_line("compare-images-negative", f"segstudy compare {CELL} {OTHER} study.yaml --images -1", "'--images'"),
    no_line("describe-nothing", "segstudy describe", "Missing argument 'dataset'"),
]


def asked(name, command, *words, setup=nothing, base="config", **more):
    """A command that ends with 1 and leaves everything as it was."""
    more.setdefault("absent", ("out",) if base == "finished" else ("out", "results"))
    return Row(f"command-{name}", base, setup, command, 1, words, **more)


UNFINISHED = [
    asked(
        "config-gone",
        "segstudy status",
        "no config.yaml here",
        "go to the folder of the workflow",
        setup=gone("config.yaml"),
    ),
    asked(
        "snakefile-gone",
        "segstudy run study.yaml",
        "no Snakefile here",
        "go to the folder of the workflow",
        setup=gone("Snakefile", "workflow"),
    ),
    asked(
        "describe-unknown",
        "segstudy describe leisons study.yaml",
        "no data set of the config is called 'leisons'",
        "Did you mean 'lesions'?",
        "vessels",
    ),
    asked("describe-no-study", "segstudy describe own stdy.yaml", "no such config file", "Did you mean 'study.yaml'?"),
    asked(
        "status-experiment",
        "segstudy status --experiment leison_losses study.yaml",
        "no experiment is called 'leison_losses'",
        "Did you mean 'lesion_losses'?",
    ),
    asked(
        "summary-too-early",
        "segstudy summary study.yaml",
        "the table of experiment 'lesion_losses' is not there yet",
        "run the study",
    ),
    asked(
        "compare-too-early",
        f"segstudy compare {CELL} {OTHER} study.yaml",
        f"{CELL} is not measured yet",
        "segstudy status",
        "snakemake results/tiny/cells",
    ),
    asked("predict-too-early", PREDICT, f"there is no trained cell '{CELL}'", "segstudy status"),
    asked("export-too-early", EXPORT, f"there is no trained cell '{CELL}'", "segstudy status"),
    asked(
        "run-target-before-dashes",
        "segstudy run study.yaml results/tiny/report.html",
        "'results/tiny/report.html' is no config file",
        "segstudy run study.yaml -- results/tiny/report.html",
    ),
    asked("run-verbose", "segstudy run nowhere.txt --verbose", "'nowhere.txt' is no config file"),
    asked(
        "profile-unknown",
        "snakemake --profile profiles/nowhere --configfile study.yaml",
        "profile directory given (profiles/nowhere)",
    ),
    asked("no-cores", "snakemake --configfile study.yaml -- results/tiny/report.html", "cores have to be specified"),
    asked(
        "phantom-of-own",
        make("resources/phantoms/tiny/own/phantom.json"),
        "No rule to produce resources/phantoms/tiny/own/phantom.json",
    ),
    asked(
        "phantom-folder-used",
        make("resources/phantoms/tiny/lesions/phantom.json"),
        "this folder holds more than a phantom: notes.txt",
        "move these files away",
        setup=several(
            gone("resources/phantoms/tiny/lesions/phantom.json"),
            put("resources/phantoms/tiny/lesions/notes.txt", "mine"),
            value("datasets.lesions.phantom.images", 5),
        ),
        kept=("resources/phantoms/tiny/lesions/notes.txt",),
        absent=("resources/phantoms/tiny/lesions/phantom.json", "results/tiny/data"),
    ),
]


def target(name, path, *words):
    """A target that the study does not have."""
    return asked(
        f"target-{name}", make(path), "MissingRuleException", f"No rule to produce {path}", *words, base="finished"
    )


TARGETS = [
    target("loss", "results/tiny/cells/lesions/unet/bec/default/seed0/counts.csv"),
    target("network", "results/tiny/cells/lesions/unte/bce/default/seed0/model.safetensors"),
    target("dataset", "results/tiny/data/leisons/card.html"),
    target("seed", "results/tiny/cells/lesions/unet/bce/default/seed-1/counts.csv"),
    target("experiment", "results/tiny/tables/losess.html"),
    target("study", "results/tniy/report.html"),
    target("file", "results/tiny/cells/lesions/unet/bce/default/seed0/weights.pt"),
]

ROWS = [*LINES, *UNFINISHED, *TARGETS]
