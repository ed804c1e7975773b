"""Networks side by side, and the tables of docs/networks.md that show them."""

import subprocess
import sys
from pathlib import Path

import pytest

from segstudy.config.load import load_study, read_config
from segstudy.models.compare import main, markdown, overview, registered

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "networks.md").read_text()


def rows_on_the_page():
    return [line for line in PAGE.splitlines() if line.startswith("|") and "GFLOPs" not in line and " × " in line]


def test_the_table_of_defaults_is_true():
    kinds = [line.split("|")[1].strip() for line in rows_on_the_page()]
    shown = {kind: settings for kind, settings in registered().items() if kind in kinds}
    assert set(shown) >= {"encdec", "unet", "unet2", "unet_valid", "segnet", "dilatednet", "wnet"}
    for line in markdown(overview(shown, 1, 1, 256, 256)).splitlines()[2:]:
        assert line in rows_on_the_page()


def test_the_table_of_small_networks_is_true():
    files = [ROOT / "config.yaml", ROOT / "studies" / "networks.yaml"]
    study = load_study(read_config(*files), files)
    models = {name: study.model_settings(name) for name in study.models}
    assert markdown(overview(models, 1, 1, 256, 256)) in PAGE


def test_a_row_by_hand():
    """Two dilated layers of 9 weights each and a head, on 10 x 20 pixels; the field is 1 + 2 + 4 pixels wide."""
    settings = {"network": "dilatednet", "depth": 2, "width": 1, "normalisation": "none"}
    row = overview({"mine": settings}, 1, 2, 10, 20).iloc[0].to_dict()
    assert row.pop("gflops") == pytest.approx(2 * (9 + 9 + 2) * 200 / 1e9)
    assert row == {
        "model": "mine",
        "network": "dilatednet",
        "options": "depth: 2, width: 1, normalisation: none",
        "parameters": 10 + 10 + 4,
        "field": "7 × 7",
    }


def test_the_command_takes_a_study(capsys):
    main([str(ROOT / "config.yaml"), str(ROOT / "studies" / "networks.yaml"), "--size", "32", "48", "--channels", "3"])
    said = capsys.readouterr().out
    assert said.count("\n") == 2 + 11
    assert "| dilatednet | `dilatednet` | depth: 5, width: 12 | 5,641 |" in said  # 216 weights more, for two channels


def test_a_file_that_is_missing_is_named(tmp_path):
    command = [sys.executable, "-m", "segstudy.models.compare", str(tmp_path / "no.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("Error: ") and "no.yaml" in done.stderr


def test_networks_of_libraries_stand_beside_ours():
    attention = {"network": "monai.networks.nets:AttentionUnet", "arguments": {"channels": [4, 8], "strides": [2]}}
    models = {"attention": attention, "resnet": {"network": "encoder_unet", "encoder": "resnet18"}}
    table = overview(models, 3, 1, 64, 64).set_index("model")
    assert set(table["field"]) == {"not measured"} and (table["gflops"] > 0).all()
    assert table.loc["resnet", "parameters"] == 14_328_209  # as segmentation_models_pytorch.Unet("resnet18") has
