"""Which checks of external test sets a training waits for."""

from segstudy.study import external
from tests.config.test_external_sets import BASE, changed, load_study, study


def test_a_training_waits_for_the_checks_of_its_test_sets_and_one_that_has_been_for_those_it_had():
    found = study()
    cell = found.cells[0]
    checks = ["results/vessels/checks/external/chase/drive/seed0.json"]
    assert external.training_checks(found, cell, None) == checks
    plain = ["results/vessels/data/drive/store", "results/vessels/data/drive/checks/seed0.json"]
    assert external.training_checks(found, cell, plain) == [], "a test set more is no reason to train again"
    before = ["results/vessels/checks/external/stare/drive/seed0.json"]
    assert external.training_checks(found, cell, [*plain, *before]) == before, "nor is one less"


def test_a_cell_of_no_experiment_waits_for_none():
    found = study()
    assert external.training_checks(found, found.cells[0]._replace(seed=9), None) == []


def test_pictures_of_a_network_that_learned_from_drawings_are_marked_as_drawn():
    drawn = {"datasets__drive__phantom": {"images": 8, "height": 64, "width": 64}}
    found = load_study(changed(BASE, drawn))
    assert {name: one["phantom"] for name, one in external.image_settings(found, "one").items()} == {
        "chase": True,  # real, but the network learned from drawings
        "drive": True,
    }
    assert not any(one["phantom"] for one in external.image_settings(study(), "one").values())
