"""Bad configs, odd environments and left locks, as they are typed."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

from tests.bad_inputs.row import Row

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
CHECK = "segstudy check-config study.yaml over.yaml"


def over(text: str | bytes) -> Callable[[Path], None]:
    """Write another overlay, over.yaml, on top of study.yaml."""

    def setup(folder: Path) -> None:
        (folder / "over.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    return setup


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


def without_snakefile(folder: Path) -> None:
    (folder / "Snakefile").unlink()
    (folder / "workflow").unlink()  # a link; the workflow has a Snakefile too


def locked_elsewhere(folder: Path) -> None:
    """Leave the lock of a run on another machine."""
    locks, runs = folder / ".snakemake/locks", folder / ".snakemake/segstudy-runs"
    for path in (locks, runs):
        path.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/tiny/report.html\n")
    facts = {"host": f"not-{socket.gethostname()}", "pid": 17, "begun": 1.0, "executor": "local"}
    (runs / "17.json").write_text(json.dumps(facts))


def recipe(text: str) -> str:
    """Return an overlay that changes the recipe `default`."""
    return f"recipes: {{default: {{{text}}}}}\n"


def refused(name: str, text: str | bytes, *words: str) -> Row:
    """Return the row of an overlay that check-config refuses."""
    return Row(name, "config", over(text), CHECK, 1, words)


ROWS = [
    refused("config-plan-word", "plan: automatic\n", "plan", "block of 'name: options' lines", "automatic"),
    refused("config-plan-hours-negative", "plan: {hours: -1}\n", "plan.hours", "greater than 0"),
    refused("config-plan-memory-text", "plan: {memory_gb: 8 GB}\n", "plan.memory_gb", "8 GB"),
    refused("config-auto-elsewhere", recipe("learning_rate: auto"), "recipes.default.learning_rate", "auto"),
    refused(
        "config-plan-nowhere",
        "plan: auto\ndatasets: {lesions: {plan: nowhere.yaml}}\n",
        *("the plan of data set lesions is not there: nowhere.yaml", "over.yaml:2"),
    ),
    refused("config-clip-inf", recipe("gradient_clip: .inf"), "gradient_clip", "finite number"),
    refused("config-power-inf", recipe("schedule: {power: .inf}"), "schedule.power", "finite number"),
    refused("config-tolerance-inf", "evaluation: {tolerance: .inf}\n", "evaluation.tolerance", "finite number"),
    refused("config-epochs-true", recipe("epochs: true"), "recipes.default.epochs", "found true"),
    refused("config-epochs-5000-digits", recipe(f"epochs: 1{'0' * 5000}"), "over.yaml", "cannot be read"),
    refused("config-size-negative", "datasets: {lesions: {size: {height: -48, width: 64}}}\n", "size.height", "-48"),
    refused(
        "config-truth-of-one-annotator",
        "datasets: {lesions: {truth: majority}}\n",
        "truth: majority joins the masks of several annotators",
        "readers of several: drive, chase, stare, folder",
    ),
    refused("config-study-name-too-long", f"study: {'x' * 250}\n", "it has 250"),
    refused("config-case-only", "recipes: {Default: {}}\n", "'default' and 'Default' differ in case only"),
    refused("config-key-twice", "recipes: {default: {epochs: 3,\n  epochs: 4}}\n", "over.yaml:2", "first in line 1"),
    refused("config-empty", "", "this config file is empty", "over.yaml"),
    refused("config-scalar", "hello\n", "a config file holds blocks"),
    refused("config-list", "- a\n", "a config file holds blocks"),
    refused("config-latin-1", "study: caf\xe9\n".encode("latin-1"), "not UTF-8 text"),
    refused("config-binary", bytes(range(256)), "not UTF-8 text"),
    refused("config-tabs", "recipes:\n\tdefault: {}\n", "no YAML", "over.yaml:2"),
    refused("config-numeric-key", "3: 4\n", "a key must be text, found 3"),
    refused("config-null-block", "recipes:\n", "recipes: must be a block", "found nothing"),
    refused("config-billion-laughs", LAUGHS + "study: *a8\n", "too many values"),
    refused("config-recursive-alias", "recipes: &r {default: *r}\n", "a block contains itself"),
    refused("config-network-list", "models: {unet: {network: [a]}}\n", "models.unet.network", "['a']"),
    refused(
        "config-circle",
        "recipes: {default: {start_from: {recipe: b}}, b: {start_from: {recipe: default}}}\n",
        "the recipes need each other in a circle",
    ),
    Row("config-missing", "config", nothing, "segstudy check-config nowhere.yaml", 1, ("no such config file",)),
    Row(
        "run-config-without-equals",
        *("config", nothing, "segstudy run study.yaml -- -n --config name", 1),
        ("'name' is no key=value",),
    ),
    Row(
        "run-config-unknown-key",
        *("config", nothing, "segstudy run study.yaml -- -n --config epochs=3", 1),
        ("the command line (--config epochs=...)", "unknown key"),
    ),
    Row(
        "run-missing-configfile",
        *("config", nothing, "segstudy run study.yaml -- -n --configfile nowhere.yaml", 1),
        ("no such config file", "nowhere.yaml"),
    ),
    Row("status-elsewhere", "config", without_snakefile, "segstudy status study.yaml", 1, ("no Snakefile here",)),
    Row(
        "run-locked-on-another-host",
        *("config", locked_elsewhere, "segstudy run study.yaml", 1),
        ("Snakemake was started on", "snakemake --unlock"),
    ),
]
