"""Pixels of vessels and of background in DRIVE and HRF, as others have counted them and ship them in `mlscorecheck`."""

import pytest
from mlscorecheck.experiments import get_experiment

from segstudy.data.ground_truth import truth_of
from segstudy.data.index import build_index
from segstudy.data.readers.registry import labels_of
from segstudy.evaluation.measure import counts_of

REGIONS = {"roi": "fov", "full": "all"}


def counted(row, root, labels):
    """(pixels of vessels, others) by region, as a prediction is counted that calls nothing a vessel."""
    truth = truth_of(row, root, labels)
    lines = counts_of({}, truth.mask & False, truth, labels)
    return {line["region"]: (line["fn"], line["tn"]) for line in lines}


def by_others(images):
    return {image["identifier"]: (image["p"], image["n"]) for image in images}


@pytest.mark.parametrize("annotator", [1, 2])
def test_drive(real_data, annotator):
    root, labels = real_data("DRIVE"), labels_of("drive")
    published = get_experiment("retina.drive")
    part = "mask" if annotator == 1 else "second_mask"
    rows = [row | {"mask": row[part]} for row in build_index("drive", root).to_dict("records") if row[part]]
    ours = {row["sample"]: counted(row, root, labels) for row in rows}
    assert len(ours) == (40 if annotator == 1 else 20)
    for region, name in REGIONS.items():
        theirs = {}
        for half in ("train", "test") if annotator == 1 else ("test",):
            theirs |= by_others(published[annotator, name][half]["images"])
        assert {sample: regions[region] for sample, regions in ours.items()} == theirs


def test_hrf(real_data):
    root, labels = real_data("HRF"), labels_of("hrf")
    published = get_experiment("retina.hrf")
    rows = [row for row in build_index("hrf", root).to_dict("records") if row["mask"]]
    assert rows
    for row in rows:
        ours = counted(row, root, labels)
        for region, name in REGIONS.items():
            if region in ours:  # some copies lack masks of the field of view
                assert ours[region] == by_others(published[name]["images"])[row["sample"]], (row["sample"], region)
