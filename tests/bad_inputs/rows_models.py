"""Model files, records and studies that are hostile or damaged, and places where results cannot go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.bad_inputs.changes import without_sums
from tests.bad_inputs.row import Row

CELL = "results/tiny/cells/lesions/unet/bce/default/seed0"
PREDICT = f"segstudy predict {CELL} new --out found"
EXPORT = f"segstudy export {CELL} --format torch --out found"


def picture(folder: Path) -> None:
    (folder / "new").mkdir()
    draw = np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / "new/a.png")


def changed(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change weights and description of the model file, and take its checksum away."""

    def setup(folder: Path) -> None:
        from safetensors import safe_open
        from safetensors.torch import save_file

        picture(folder)
        model = folder / CELL / "model.safetensors"
        with safe_open(model, "pt") as file:
            meta = json.loads(file.metadata()["segstudy"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        change(weights, meta)
        save_file(weights, model, {"segstudy": json.dumps(meta)})
        model.with_name(f".{model.name}.sum").unlink(missing_ok=True)

    return setup


def naming(network: str, **arguments: Any) -> Callable[[Path], None]:
    """Let the model file name another network, and put a module of that name on nobody's path."""
    model = {"network": network, "arguments": arguments}
    return changed(lambda weights, meta: meta["settings"].update(model=model))


def infinite(folder: Path) -> None:
    changed(lambda weights, meta: weights["head.bias"].fill_(float("inf")))(folder)


def cut(name: str) -> Callable[[Path], None]:
    def setup(folder: Path) -> None:
        picture(folder)
        path = folder / CELL / name
        path.write_bytes(path.read_bytes()[:40])

    return setup


def out_is_a_file(folder: Path) -> None:
    picture(folder)
    (folder / "found").write_text("kept")


def template(folder: Path) -> None:
    with (folder / "study.yaml").open("a") as file:
        file.write("\n__use_yte__: true\n__definitions__:\n  - open('executed', 'w')\n")


SYSTEM = naming("os:system", command="touch executed")
LOADING = naming("torch:load", f="payload.pt", weights_only=False)
SOURCE = naming("torch.fx.graph_module:reduce_graph_module", body={}, import_block="open('executed', 'w')")
NOTHING = ("executed", "found")

ROWS = [
    *(
        Row(f"{verb}-{name}", "finished", setup, command, 1, ("is no network", "nothing of it was run"), (), NOTHING)
        for verb, command in (("predict", PREDICT), ("export", EXPORT), ("predict-trusted", f"{PREDICT} --trust"))
        for name, setup in (("os-system", SYSTEM), ("torch-load", LOADING), ("source-text", SOURCE))
    ),
    *(
        Row(f"{verb}-own-module", "finished", naming("own_nets:Net", a=1), command, 1,
            ("own_nets would be imported", "--trust"), (), NOTHING)
        for verb, command in (("predict", PREDICT), ("export", EXPORT))
    ),
    *(
        Row(f"{verb}-infinite-weights", "finished", infinite, command, 1,
            ("NaN or infinite values in head.bias", "model.safetensors"), (), NOTHING)
        for verb, command in (("predict", PREDICT), ("export", EXPORT))
    ),
    *(
        Row(f"{verb}-cut-{name.partition('.')[0]}", "finished", cut(name), command, 1,
            (f"{name} is damaged", "make it again: snakemake", name), (), NOTHING)
        for verb, command in (("predict", PREDICT), ("export", EXPORT))
        for name in ("usage.json", "thresholds.json", "run.json")
    ),
    Row("predict-out-is-a-file", "finished", out_is_a_file, PREDICT, 1, ("this is a file",), ("found",)),
    Row("export-out-is-a-file", "finished", out_is_a_file, EXPORT, 1, ("this is a file",), ("found",)),
    Row("predict-out-among-the-images", "finished", picture, f"segstudy predict {CELL} new --out new", 1,
        ("the folder of the images itself", "--out new/found"), ("new/a.png",), ("new/masks", "new/predictions.csv")),
    Row("predict-out-above-the-images", "finished", picture, f"segstudy predict {CELL} new --out .", 1,
        ("a folder above the images",), ("new/a.png",), ("masks", "predictions.csv")),
    Row("config-template", "config", template, "segstudy run study.yaml", 1,
        ("asks Snakemake to run what stands in it as Python",), (), ("executed", "results")),
]  # fmt: skip
ROWS = [row._replace(setup=without_sums(row.setup)) if row.base == "finished" else row for row in ROWS]
