import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, Rectangle
from PIL import Image

from segstudy.core.files import write_csv, write_json
from segstudy.figures.sketch import compose, draw_sketch, sight_words, sketch_network, write_layer_table
from segstudy.models.cost import count_flops
from segstudy.models.layer_table import layer_table
from segstudy.models.registry import build

FOOTNOTE = "7,849,601 parameters, 149.1 GFLOPs an image (1 multiply-add = 2)\nchecked against a forward pass"
CASES = [
    ("encdec", {"depth": 2, "width": 8}, (64, 64)),
    ("encdec", {"depth": 4, "width": 32}, (576, 768)),
    ("encdec", {"depth": 5, "width": 64, "convolutions": 1, "growth": 1}, (512, 512)),
    ("encdec", {"depth": 7, "width": 2}, (100, 130)),
    ("unet", {"depth": 1, "width": 1}, (2, 2)),
    ("unet", {"depth": 2, "width": 16}, (565, 584)),
    ("unet", {"depth": 4, "width": 32, "dropout": 0.2}, (608, 576)),
    ("unet", {"depth": 5, "width": 64}, (1024, 1024)),
    ("unet", {"depth": 5, "width": 1024}, (64, 64)),
    ("unet", {"depth": 4, "width": 32, "convolutions": 3}, (2336, 3504)),
    ("unet", {"depth": 3, "width": 16, "up": "bilinear", "skips": "smoothed", "dropout": 0.2}, (256, 256)),
    ("unet", {"depth": 3, "width": 16, "up": "transposed", "skips": "none"}, (256, 256)),
    ("unet2", {"depth": 4, "width": 32}, (256, 256)),
    ("unet_valid", {}, (388, 388)),
    ("segnet", {"depth": 1, "width": 32}, (256, 256)),
    ("segnet", {"depth": 5, "width": 64}, (576, 608)),
    ("dilatednet", {}, (256, 256)),
    ("dilatednet", {"depth": 10, "convolutions": 2}, (2336, 3504)),
]


def table_of(kind="unet", size=(48, 40), **options):
    return layer_table({"network": kind, **options}, 3, 1, *size)


@pytest.mark.parametrize("kind, options, size", CASES)
def test_no_label_touches_another_or_leaves_the_page(kind, options, size):
    figure = compose(table_of(kind, size, **options), f"{kind} on a data set with a rather long name", FOOTNOTE)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in figure.axes[0].texts]
    for (one, a), (two, b) in itertools.combinations(texts, 2):
        assert not a.overlaps(b), f"'{one}' and '{two}' overlap"
    for words, extent in texts:
        assert extent.x0 >= 0 and extent.x1 <= figure.bbox.width, words
        assert extent.y0 >= 0 and extent.y1 <= figure.bbox.height, words
    boxes = [p.get_window_extent() for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    for words, extent in texts:
        for box in boxes:
            inside = box.x0 < extent.x0 and extent.x1 < box.x1 and box.y0 < extent.y0 and extent.y1 < box.y1
            assert inside or not extent.overlaps(box), f"'{words}' runs into a box"


def test_every_layer_is_drawn_with_its_channels_and_size():
    table = table_of(depth=2, width=4)
    figure = compose(table, "title")
    words = [text.get_text() for text in figure.axes[0].texts]
    shown = table[table["kind"] != "up"]  # the upsampled map is a part of the join, channels written inside
    for size, count in (shown["height"].astype(str) + " × " + shown["width"].astype(str)).value_counts().items():
        assert words.count(size) == count
    for channels, count in table["channels"].value_counts().items():
        skips = sum(table.set_index("name").loc[s, "channels"] == channels for s in table["source"] if s)
        assert words.count(str(channels)) == count + skips
    for operation in table["operation"].unique():
        assert operation in words


@pytest.mark.parametrize("kind", ["encdec", "segnet", "dilatednet"])  # joins are drawn as two boxes, one on the other
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_no_box_lies_on_another(kind, depth):
    table = table_of(kind, (64, 64), depth=depth)
    boxes = [p for p in compose(table, "title").axes[0].patches if isinstance(p, Rectangle)]
    extents = [box.get_window_extent() for box in boxes]
    assert len(boxes) >= len(table)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(extents, 2))


def test_every_dilation_has_its_colour_the_wider_the_darker():
    table = table_of("dilatednet", depth=10)
    patches = [p for p in compose(table, "title").axes[0].patches if isinstance(p, Rectangle)][1:11]
    brightness = [sum(patch.get_facecolor()[:3]) for patch in patches]
    assert brightness == sorted(set(brightness), reverse=True) and len(brightness) == 10


@pytest.mark.parametrize("kind, skips", [("encdec", 0), ("unet", 3), ("segnet", 3), ("dilatednet", 0)])
def test_what_comes_from_an_earlier_layer_has_a_dashed_arrow(kind, skips):
    patches = compose(table_of(kind, (64, 64), depth=3), "title").axes[0].patches
    dashed = [p for p in patches if isinstance(p, FancyArrowPatch) and p.get_linestyle() != "solid"]
    assert len(dashed) == skips


def test_finer_maps_stand_higher_and_wider_ones_are_wider():
    table = table_of(depth=3, width=4, size=(64, 64), kind="encdec")
    patches = [p for p in compose(table, "title").axes[0].patches if isinstance(p, Rectangle)]
    boxes = [(p.get_width(), p.get_height()) for p in patches[: len(table)]]  # the legend comes after them
    drawn = pd.DataFrame(boxes, columns=["width", "height"])
    assert drawn["height"].corr(table["height"], method="spearman") == pytest.approx(1)
    assert drawn["width"].corr(table["channels"], method="spearman") == pytest.approx(1)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for run in ("one", "two"):
        draw_sketch(table_of(depth=2, width=4), "U-Net", tmp_path / run / "a.svg", tmp_path / run / "a.png", FOOTNOTE)
    for name in ("a.svg", "a.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    svg = (tmp_path / "one" / "a.svg").read_text()
    assert ET.fromstring(svg).tag.endswith("svg")
    assert "date" not in svg.lower()
    with Image.open(tmp_path / "one" / "a.png") as picture:
        assert picture.width > 800 and len(picture.convert("RGB").getcolors(1 << 24)) > 10
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["a.png", "a.svg"]


def test_the_layer_table_is_written_as_csv_and_html(tmp_path):
    table = table_of(depth=2, width=4)
    write_layer_table(table, tmp_path / "t.csv", tmp_path / "t.html", caption="U-Net <on> PH2 & DRIVE")
    read = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    page = (tmp_path / "t.html").read_text()
    assert "<caption>U-Net &lt;on&gt; PH2 &amp; DRIVE</caption>" in page
    assert len(re.findall("<tr>", page)) == len(table) + 2
    assert f"{table['parameters'].sum():,}" in page


def test_the_sketch_says_what_a_pixel_sees_and_where_that_is_less_than_an_object(tmp_path):
    store = tmp_path / "store"
    write_json(store / "store.json", {"canvas": [48, 64], "classes": ["lesion"], "channels": 3, "samples": ["a"]})
    sizes = {"original_height": 96, "original_width": 128, "height": 48, "width": 64}
    write_csv(store / "geometry.csv", pd.DataFrame([{"sample": "a", **sizes}]))
    outputs = {name: tmp_path / f"unet.{name}" for name in ("svg", "png", "csv", "html")}
    for span, words in ((60.0, "30 pixels long"), (110.0, "55 pixels long: no pixel sees it whole")):
        write_json(tmp_path / "card.json", {"objects": {"span": span}})
        sketch_network({"network": "unet", "depth": 2, "width": 2}, store, tmp_path / "card.json", "unet", outputs)
        said = f"receptive field 44 × 44 pixels; the median object is {words}</caption>"
        assert said in outputs["html"].read_text()
    assert sight_words(None, "whole image", 50.0) == "receptive field: whole image; the median object is 50 pixels long"
    assert sight_words(44, "44 × 44", None) == "receptive field 44 × 44 pixels"


def test_neither_the_compiler_of_torch_nor_sympy_nor_seaborn_is_loaded_for_a_small_sketch():
    """Each takes half a second of processor time or more; seaborn's look is set for other figures."""
    lines = [
        "import sys",
        "from segstudy.figures import style",
        "from segstudy.models.cost import count_flops",
        "from segstudy.models.layer_table import layer_table",
        "from segstudy.models.unfilled import unfilled",
        "settings = {'network': 'unet', 'depth': 2, 'width': 4}",
        "style.use_style()",
        "print(len(layer_table(settings, 3, 1, 48, 64)), count_flops(unfilled(settings, 3, 1), 3, 48, 64))",
        "print(sorted({'torch._dynamo', 'sympy', 'seaborn'} & set(sys.modules)))",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    settings = {"network": "unet", "depth": 2, "width": 4}
    numbers = f"{len(layer_table(settings, 3, 1, 48, 64))} {count_flops(build(settings, 3, 1), 3, 48, 64)}"
    assert done.stdout.splitlines() == [numbers, "[]"]
