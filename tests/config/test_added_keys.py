"""Keys that came later: at their defaults they are in no dumped setting, so no cell is trained again for them."""

import hashlib
import json

from segstudy.config.datasets import DatasetConfig
from segstudy.config.evaluation import Evaluation
from segstudy.config.losses import LOSSES
from segstudy.config.networks import NETWORKS
from segstudy.config.recipes import Recipe

# Of the defaults of every block that enters a cell. A changed one redoes the cells of every study that relies on it.
RECORDED = {
    "recipe": "d86d5577477710a6",
    "balanced": "e7f85aeb879c8790",
    "networks": "274f3408e85601cf",
    "losses": "1276fd6db4c9433d",
    "data set": "1f6bab59158131ad",
    "prediction": "75873c49d2ef71ef",
}


def hashed(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def dumped(options):
    return options.model_dump(mode="json")


def test_no_key_was_added_to_the_settings_of_a_cell_that_does_not_use_it():
    losses = {name: dumped(options()) for name, (options, _) in LOSSES.items() if name != "compound"}
    found = {
        "recipe": hashed(dumped(Recipe())),
        "balanced": hashed(dumped(Recipe(balance="strata", crop=(64, 64)))),
        "networks": hashed({name: dumped(options()) for name, (options, _) in NETWORKS.items()}),
        "losses": hashed(losses),
        "data set": hashed(dumped(DatasetConfig(reader="ph2"))),
        "prediction": hashed(Evaluation().of_prediction),
    }
    assert found == RECORDED


def test_a_later_key_that_is_used_is_in_the_settings():
    assert dumped(Recipe(keep="last"))["keep"] == "last" and "keep" not in dumped(Recipe(keep="best"))
    assert "keep" not in Recipe(keep="best").model_dump(mode="json", include={"keep", "epochs"})
    assert dumped(NETWORKS["unet"][0](pool=3))["pool"] == 3
    assert Recipe.model_validate(dumped(Recipe(keep="last"))) == Recipe(keep="last")
