"""Tables: the numbers are the hand-computed ones in every format, and the protocol stands beside them."""

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from segstudy.config.cell import Cell
from segstudy.core.errors import StudyError
from segstudy.tables.counts import headline, read_counts
from segstudy.tables.render import LONG, Entry, Line, Panel, Table, escape_latex, latex, number
from tests.helpers.results import PROTOCOL, latex_row, markdown_row, run, write, write_run


@pytest.fixture
def study(tmp_path):
    """Two networks, two seeds, one control.

    unet:   seed 0 Dice 12/16 = 0.75 and 16/20 = 0.8, mean 0.775; seed 1 both 0.7, mean 0.7
            -> mean 0.7375, sd 0.075 / sqrt(2) = 0.05303; pooled seed 0 28/36 = 0.7778, seed 1 0.7 -> 0.7389
    encdec: Dice 0.5 everywhere; image b of seed 1 is empty in truth and prediction, so not defined
    """
    cells = [
        (Cell("ph2", "enc_dec", "bce", "default", 0), [("a", 5, 5, 5, 85), ("b", 5, 5, 5, 85)]),
        (Cell("ph2", "enc_dec", "bce", "default", 1), [("a", 5, 5, 5, 85), ("b", 0, 0, 0, 100)]),
        (Cell("ph2", "unet", "bce", "default", 0), [("a", 6, 2, 2, 90), ("b", 8, 2, 2, 88)]),
        (Cell("ph2", "unet", "bce", "default", 1), [("a", 7, 3, 3, 87), ("b", 7, 3, 3, 87)]),
    ]
    paths = [(cell, write(tmp_path, f"{i}.csv", rows)) for i, (cell, rows) in enumerate(cells)]
    background = [("a", 0, 0, 8, 92), ("b", 0, 0, 10, 90)]
    controls = [("ph2", seed, write(tmp_path, f"c{seed}.csv", background, "all_background", "none")) for seed in (0, 1)]
    return paths, controls


def test_numbers_are_the_hand_computed_ones_in_every_format(tmp_path, study):
    made = run(tmp_path, *study)
    unet = made["wide"].set_index("model").loc["unet"]
    assert unet["test_dice_mean"] == pytest.approx(0.7375)
    assert unet["test_dice_sd"] == pytest.approx(0.05303300859)
    assert unet["test_dice_pooled"] == pytest.approx((28 / 36 + 0.7) / 2)
    assert unet["test_iou_mean"] == pytest.approx((6 / 10 + 8 / 12 + 7 / 13 + 7 / 13) / 4)
    assert unet["test_pixel_error_mean"] == pytest.approx((0.04 + 0.04 + 0.06 + 0.06) / 4)
    assert unet["test_dice_low"] <= unet["test_dice_mean"] <= unet["test_dice_high"]
    assert unet["train_dice_mean"] == 1
    assert (unet["test_images"], unet["train_images"], unet["seeds"]) == (2, 1, 2)

    tidy = made["long"].query("model == 'unet' and subset == 'test' and metric == 'dice' and averaging == 'image'")
    assert tidy["mean"].item() == pytest.approx(0.7375)
    assert tidy["sd"].item() == pytest.approx(0.05303300859)

    row = markdown_row(made["md"], "unet")
    assert row["Dice"] == "**0.738 ± 0.053**"
    assert row["Dice pooled"] == "**0.739 ± 0.055**"
    assert row["Pixel error"] == "**0.050 ± 0.014**"
    assert (row["Images"], row["Seeds"]) == ("2", "2")
    row = latex_row(made["tex"], "unet")
    assert row["Dice"] == r"\textbf{0.738 $\pm$ 0.053}"
    assert row["Dice pooled"] == r"\textbf{0.739 $\pm$ 0.055}"
    assert '<td>unet</td><td>bce</td><td class="number"><strong>0.738 ± 0.053</strong></td>' in made["html"]


def test_the_best_network_is_bold_and_a_better_control_is_not(tmp_path, study):
    made = run(tmp_path, *study)
    control = markdown_row(made["md"], "*all background*")
    assert control["Specificity"] == "1.000 ± 0.000"  # better than any network, and still not bold
    assert not any(value.startswith("**") for value in control.values())
    assert markdown_row(made["md"], "enc_dec")["Dice"].startswith("0.500")
    assert markdown_row(made["md"], "unet")["Specificity"].startswith("**")


def test_the_lower_pixel_error_is_the_better_one_and_ties_are_all_bold(tmp_path):
    rows = {"a1": [("a", 5, 1, 1, 93), ("b", 5, 1, 1, 93)], "a2": [("a", 5, 1, 1, 93), ("b", 5, 1, 1, 93)]}
    rows["a3"] = [("a", 5, 9, 9, 77), ("b", 5, 9, 9, 77)]
    cells = [(Cell("ph2", m, "bce", "default", 0), write(tmp_path, f"{m}.csv", r)) for m, r in rows.items()]
    text = run(tmp_path, cells, [])["md"]
    errors = [markdown_row(text, name)["Pixel error"] for name in rows]
    assert errors == ["**0.020**", "**0.020**", "0.180"]


def test_the_time_of_a_training_is_its_mean_over_seeds_on_devices_that_are_named(tmp_path, study):
    cells, controls = study
    times = [(0.4, 0.1, 0.0), (0.8, 0.1, 0.0), (90.0, 8.0, 2.0), (100.0, 8.0, 2.0)]
    devices = [("AMD EPYC",), ("AMD EPYC",), ("Tesla V100", "AMD EPYC"), ("AMD EPYC",)]
    files = [write_run(tmp_path / f"r{i}.json", *facts) for i, facts in enumerate(zip(times, devices, strict=True))]
    made = run(tmp_path, cells, controls, runs=files)
    wide = made["wide"].set_index("model")
    assert wide.loc["enc_dec", "seconds_mean"] == pytest.approx(0.7)
    assert wide.loc["enc_dec", "seconds_sd"] == pytest.approx(0.4 / 2**0.5)
    assert wide.loc["unet", "seconds_mean"] == pytest.approx(105)
    assert pd.isna(wide.loc["all_background", "seconds_mean"])
    rows = [markdown_row(made["md"], name)["Time (s)"] for name in ("enc_dec", "unet", "*all background*")]
    assert rows == ["0.7", "105", "–"]
    assert "Time (s)" not in markdown_row(made["md"], "unet", "Training images")
    for text in (made["md"], made["tex"], made["html"]):
        assert "mean over seeds, on AMD EPYC (1 thread), Tesla V100 (1 thread); different devices" in text
    assert "different devices" not in run(tmp_path, cells, controls)["md"]


def test_undefined_values_are_counted_in_a_footnote(tmp_path, study):
    made = run(tmp_path, *study)
    assert markdown_row(made["md"], "enc_dec")["Dice"].endswith("†")
    assert markdown_row(made["md"], "*all background*")["Precision"] == "–"
    test_panel = made["md"].split("## Test images")[1].split("## ")[0]
    assert "enc_dec/bce on ph2 (1 of 4)" in test_panel
    assert "Precision is not defined for any image" in test_panel
    assert "all background on ph2 (4 of 4)" in test_panel
    assert r"enc\_dec/bce on ph2 (1 of 4)" in made["tex"]
    assert "enc_dec/bce on ph2 (1 of 4)" in made["html"]
    wide = made["wide"].set_index("model")
    assert wide.loc["enc_dec", "test_dice_undefined"] == 1
    assert wide.loc["all_background", "test_precision_undefined"] == 4
    assert pd.isna(wide.loc["all_background", "test_precision_mean"])


def test_a_footnote_names_a_row_by_what_tells_it_from_others(tmp_path, study):
    cells, controls = study
    longer = [(cell._replace(recipe="longer"), path) for cell, path in cells if cell.model == "enc_dec"]
    notes = run(tmp_path, [*cells, *longer], controls)["md"].split("## Test images")[1].split("## ")[0]
    assert "enc_dec/bce/default on ph2 (1 of 4), enc_dec/bce/longer on ph2 (1 of 4)" in notes


def test_one_seed_has_no_sd_and_one_network_is_not_the_best(tmp_path, study):
    cells, controls = study
    made = run(tmp_path, cells[2:3], controls[:1])
    row = markdown_row(made["md"], "unet")
    assert row["Dice"] == "0.775"
    assert "±" not in made["md"].split("## Test images")[1]
    assert "1 seed;" in made["md"]
    assert pd.isna(made["wide"].set_index("model").loc["unet", "test_dice_sd"])


def test_the_protocol_stands_in_every_format(tmp_path, study):
    made = run(tmp_path, *study)
    for words in (
        "20 % test & 10 % validation",
        "2 test, 1 training images per seed, 2 seeds",
        "measured at the original resolution of the masks, over the full frame",
        "0.5, fixed beforehand",
        "means over images, then over seeds",
        "Do 50 % of skips & more matter?",
    ):
        assert words in made["md"]
        assert escape_latex(words) in made["tex"]
        assert words.replace("&", "&amp;") in made["html"]
    assert "PHANTOM" not in made["md"] + made["tex"] + made["html"].split("</style>")[1]


def test_drawn_data_say_phantom_in_title_caption_and_rows(tmp_path, study):
    made = run(tmp_path, *study, protocols={"ph2": PROTOCOL | {"phantom": True}})
    assert made["md"].startswith("# Experiment base_line (PHANTOM data: ph2)")
    assert "- ph2: PHANTOM, drawn stand-ins" in made["md"]
    assert made["md"].count("| ph2 (PHANTOM) |") == 6
    for caption in re.findall(r"\\caption.*", made["tex"]):
        assert "PHANTOM" in caption
    assert "<title>Experiment base_line (PHANTOM data: ph2)</title>" in made["html"]
    assert made["wide"]["phantom"].tolist() == [1, 1, 1]


def test_rows_follow_the_config_and_controls_come_last_in_each_data_set(tmp_path):
    rows = [("a", 5, 1, 1, 93), ("b", 6, 1, 1, 92)]
    cells = [
        (Cell(d, m, loss, r, 0), write(tmp_path, f"{d}{m}{loss}{r}.csv", rows))
        for d in ("zeta", "alpha")
        for r in ("slow", "fast")
        for m in ("unet", "encdec")
        for loss in ("dice", "bce")
    ]
    controls = [(d, 0, write(tmp_path, f"{d}.csv", rows, "otsu", "none")) for d in ("alpha", "zeta")]
    made = run(tmp_path, cells, controls, protocols={"zeta": PROTOCOL, "alpha": PROTOCOL}, regions={})
    found = made["wide"][["dataset", "model", "loss", "recipe"]].fillna("").agg("/".join, axis=1).tolist()
    networks = [f"{m}/{loss}/{r}" for m in ("unet", "encdec") for loss in ("dice", "bce") for r in ("slow", "fast")]
    assert found == [f"{d}/{name}" for d in ("zeta", "alpha") for name in [*networks, "otsu//"]]
    assert "Recipe" in made["md"]


def test_the_recipe_is_a_column_only_where_there_are_several(tmp_path, study):
    assert "Recipe" not in run(tmp_path, *study)["md"]


def test_the_region_is_the_field_of_view_and_an_image_without_one_stays_in(tmp_path):
    full = write(tmp_path, "full.csv", [("a", 1, 9, 9, 81), ("b", 5, 5, 5, 85)])
    roi = write(tmp_path, "roi.csv", [("a", 9, 1, 1, 60)], region="roi")
    both = tmp_path / "both.csv"
    pd.concat([pd.read_csv(full), pd.read_csv(roi)]).drop_duplicates().to_csv(both, index=False)
    cells = [(Cell("ph2", "unet", "bce", "default", 0), both)]
    made = run(tmp_path, cells, [])
    assert made["wide"]["test_dice_mean"].item() == pytest.approx((0.9 + 0.5) / 2)
    assert "inside the field of view (1 image without one counts in full)" in made["md"]
    made = run(tmp_path, cells, [], regions={"ph2": "full"})
    assert made["wide"]["test_dice_mean"].item() == pytest.approx((0.1 + 0.5) / 2)


def test_the_policy_that_is_asked_for_is_shown(tmp_path):
    parts = [
        pd.read_csv(write(tmp_path, "f.csv", [("a", 5, 5, 5, 85)])),
        pd.read_csv(write(tmp_path, "v.csv", [("a", 9, 1, 1, 89)], policy="validation")).assign(threshold=0.31),
    ]
    pd.concat(parts).to_csv(tmp_path / "both.csv", index=False)
    cells = [(Cell("ph2", "unet", "bce", "default", 0), tmp_path / "both.csv")]
    made = run(tmp_path, cells, [], policy="validation")
    assert markdown_row(made["md"], "unet")["Dice"] == "0.900"
    assert "chosen on each cell's validation images, 0.31." in made["md"]
    assert set(made["long"]["policy"]) == {"fixed", "validation"}


def test_the_upper_bound_has_a_column_of_its_own_that_says_so(tmp_path, study):
    """Two seeds of Dice 0.9 and 0.8 at the oracle's threshold; the other network and the control have none."""
    paths, controls = study
    for (_, path), counts in zip(paths[2:], ((9, 1, 1, 89), (8, 2, 2, 88)), strict=True):
        own = pd.read_csv(path)
        best = own[own["subset"] == "test"].assign(policy="oracle", threshold=0.123)
        best[["tp", "fp", "fn", "tn"]] = counts
        pd.concat([own, best]).to_csv(path, index=False)
    made = run(tmp_path, paths, controls)
    head = "Dice upper bound (threshold chosen on test images)"
    assert markdown_row(made["md"], "unet")[head] == "0.850 ± 0.071"
    assert markdown_row(made["md"], "unet")["Dice"] == "**0.738 ± 0.053**"
    assert markdown_row(made["md"], "enc_dec")[head] == "–"
    assert "The upper bound is no result" in made["md"] and "0.123" not in made["md"]
    assert made["md"].count(head) == 1  # beside the test images alone
    wide = made["wide"].set_index("model")["test_dice_oracle_mean"]
    assert wide["unet"] == pytest.approx(0.85) and wide[["enc_dec", "all_background"]].isna().all()
    plain = run(tmp_path, paths[:2], controls)
    assert head not in plain["md"] and "upper bound" not in plain["html"]


def test_the_same_counts_give_the_same_bytes(tmp_path, study):
    first = run(tmp_path, *study)
    second = run(tmp_path, *study)
    assert all(first[key] == second[key] for key in ("tidy", "csv", "md", "tex", "html"))


def test_latex_is_balanced_and_escaped(tmp_path, study):
    text = run(tmp_path, *study)["tex"]
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert opened.count("sidewaystable") == 2  # test and training; these counts have no validation images
    body = "\n".join(line for line in text.splitlines()[1:])
    assert not re.search(r"(?<!\\)[%#_]", re.sub(r"\\(label|ref)\{tab:base_line", "", body))
    assert r"enc\_dec" in body
    assert body.count("{") == body.count("}")
    for panel in body.split(r"\begin{sidewaystable}")[1:]:
        rows = [line for line in panel.splitlines() if line.endswith(r"\\") and not line.startswith(r"\multi")]
        columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", panel)[1]
        assert {row.count(" & ") for row in rows} == {len(columns) - 1}


def test_the_protocol_stands_once_in_latex_and_the_other_tables_point_to_it(tmp_path, study):
    text = run(tmp_path, *study)["tex"]
    first, second = text.split(r"\begin{sidewaystable}")[1:]
    protocol = escape_latex("means over images, then over seeds")
    assert protocol in first and protocol not in second
    label = re.search(r"\\label\{(.*)\}", first)[1]
    assert rf"Protocol: see Table~\ref{{{label}}}." in second


def lines_of(dataset, number):
    return [Line(dataset, (f"net{i}", "bce"), False, (Entry(0.5),)) for i in range(number)]


def test_a_long_table_is_one_for_each_data_set_and_a_narrow_one_stands_upright():
    def made(number):
        lines = [*lines_of("ph2", number), *lines_of("drive", number)]
        panel = Panel("test", "Test images", ("Dice",), lines, ["a note"], ["unet is better."])
        return latex(Table("base", "Experiment base", "Why?", ("drive",), ["How."], ("Model", "Loss"), [panel]))

    short, long = made(LONG // 2), made(LONG // 2 + 1)
    assert re.findall(r"\\label\{(.*)\}", short) == ["tab:base:test"]
    assert re.findall(r"\\label\{(.*)\}", long) == ["tab:base:test:ph2", "tab:base:test:drive"]
    assert "sideways" not in short and short.count("drive (PHANTOM)") == 1
    after = long.rpartition(r"\end{table}")[2]
    assert r"\item unet is better." in after and "a note" not in after and r"\ref{tab:base:test:drive}" in after


def test_latex_escapes_each_special_character():
    assert escape_latex("a_b & 5 % #1 {x} $ ~ ^ \\ ±") == (
        r"a\_b \& 5 \% \#1 \{x\} \$ \textasciitilde{} \textasciicircum{} \textbackslash{} $\pm$"
    )
    assert escape_latex("-0.1 (-0.2 to 3-4), unet-2 -a --5") == "$-$0.1 ($-$0.2 to 3-4), unet-2 -a -{}-5"


def test_html_is_well_formed_and_escaped(tmp_path, study):
    text = run(tmp_path, *study, question="Is <b>x</b> & y better?")["html"]

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(text)
    assert not parser.open
    assert "Is &lt;b&gt;x&lt;/b&gt; &amp; y better?" in text
    assert "prefers-color-scheme: dark" in text
    assert "http" not in text.replace("http-equiv", "")  # nothing is fetched


def test_a_number_is_printed_with_three_decimals():
    assert number(Entry(0.12345, 0.00449)) == "0.123 ± 0.004"
    assert number(Entry(0.5)) == "0.500"
    assert number(Entry()) == "–"


def test_errors_name_the_file_and_the_policy(tmp_path, study):
    cells, controls = study
    with pytest.raises(StudyError, match="without cells"):
        read_counts([], controls)
    broken = tmp_path / "broken.csv"
    broken.write_text("sample,subset\na,test\n")
    with pytest.raises(StudyError, match="no column class") as caught:
        read_counts([(cells[0][0], broken)], [])
    assert "broken.csv" in str(caught.value)
    with pytest.raises(StudyError, match="policy 'validation'") as caught:
        headline(read_counts(cells, controls), "validation", {})
    assert "fixed" in caught.value.allowed


def test_the_config_chooses_the_columns_and_an_empty_mask_is_the_worst_when_ranked(study, tmp_path):
    """The U-Net is close where it finds something; of image b seed 1 it finds nothing, and the other is far off."""
    cells, controls = study
    for cell, path in cells:
        table = pd.read_csv(path, keep_default_na=False)
        near = cell.model == "unet"
        table = table.assign(hd95=1.0 if near else 9.0, assd=0.5, diagonal=100.0)
        table = table.assign(surface_prediction=4, surface_truth=4, close_prediction=3 if near else 1, close_truth=2)
        if near and cell.seed:
            table.loc[table["sample"] == "b", ["hd95", "surface_prediction"]] = [float("nan"), 0]
        table.to_csv(path, index=False)
    text = run(tmp_path, cells, controls, metrics=["hd95", "surface_dice", "dice"], tolerance=3)["md"]
    head = next(line for line in text.splitlines() if line.startswith("| Data set"))
    columns = [name.strip() for name in head.split("|")[3:-1]]
    assert columns[1:6] == ["HD95 (px)", "HD95 (px) 95 % interval", "Surface Dice", "Dice", "Dice pooled"]
    rows = [line for line in text.splitlines() if line.startswith("| ph2 |")]
    assert "**9.000" in rows[0] and "| 1.000 ± 0.000 †" in rows[1]  # enc_dec is never empty
    assert "forgives up to 3 pixels" in text and "diagonal of the image" in text
    assert "HD95 (px) is not defined for images where a mask is empty" in text
    assert "Not measured of all background: HD95 (px), Surface Dice." in text


def test_cells_of_different_versions_are_reported(tmp_path, study):
    cells, controls = study
    runs = [write_run(tmp_path / f"run{i}.json") for i in range(len(cells))]

    def mixed(versions):
        for path, torch in zip(runs, versions, strict=True):
            packages = {"torch": torch, "numpy": "2.4.6"}
            path.write_text(json.dumps(json.loads(path.read_text()) | {"packages": packages, "python": "3.12.1"}))
        return run(tmp_path, cells, controls, runs=runs)["md"]

    words = "not all cells were trained with the same packages: torch 2.13.0 (3 cells), 2.12.0 (1 cells)"
    assert f"VERSIONS ARE MIXED: {words}" in mixed(["2.13.0", "2.13.0", "2.12.0", "2.13.0"])
    assert "MIXED" not in mixed(["2.13.0"] * 4)
