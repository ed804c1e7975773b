"""The arithmetic of receptive fields, held against what gradients of built networks show."""

import pytest

from segstudy.config.networks import NETWORKS
from segstudy.models import layer_table
from segstudy.models.registry import build
from segstudy.study.receptive_fields import receptive_field, sight

OPTIONS = [{"depth": 2}, {"depth": 3}, {"depth": 3, "convolutions": 1}]
CASES = [(kind, options) for kind in NETWORKS for options in OPTIONS if kind != "wnet" or "convolutions" not in options]
CASES += [("unet", {"depth": 3, "up": up}) for up in ("bilinear", "transposed")] + [("encdec", {"depth": 3, "pool": 3})]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_it_is_what_the_gradient_of_the_built_network_reaches(kind, options):
    settings = {"network": kind, **NETWORKS[kind][0](width=1, **options).model_dump(mode="json")}
    measured = layer_table.receptive_field(build(settings, 1, 1), 1)
    assert measured == (receptive_field(settings),) * 2


def test_of_a_network_of_a_library_it_is_not_known():
    assert receptive_field({"network": "monai.networks.nets:UNet"}) is None


UNET = {"network": "unet", "depth": 3, "convolutions": 2}  # sees 92 pixels


@pytest.mark.parametrize(("span", "warned"), [(183.0, False), (186.0, True)])  # on half of the pixels: 91.5 and 93
def test_an_object_larger_than_the_field_is_a_warning(span, warned):
    record = sight("ph2", {"unet": UNET, "other": {"network": "a:B"}}, [(512, 384)], {"long_side": 256}, {"span": span})
    assert record["fields"] == {"unet": 92, "other": None} and record["span"] == span / 2
    assert [words.partition(":")[0] for words in record["warnings"]] == ["unet on ph2"] * warned
    assert record["findings"] == record["accepted"] == [], "it stops nothing"


def test_without_objects_nothing_is_said():
    assert sight("rfmid", {"unet": UNET}, [(512, 384)], "native", None)["warnings"] == []
