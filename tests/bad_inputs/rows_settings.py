"""Losses, recipes and evaluation of a study that are set to what they cannot be."""

from tests.bad_inputs.changes import several, value
from tests.bad_inputs.rows_study import said, wrong

LOSSES = [
    wrong("dice-form", "losses.dice", {"form": "cube"}, "losses.dice.form", "'sum', 'square' or 'mean'"),
    wrong("focal-negative", "losses.focal", {"gamma": -1}, "greater than or equal to 0"),
    wrong("tversky-0", "losses.tversky", {"alpha": 0, "beta": 0}, "alpha and beta are both 0"),
    wrong("terms-missing", "losses.compound", {}, "losses.compound.terms: this key is required"),
    wrong(
        "term-unknown",
        "losses.compound",
        {"terms": [{"loss": "dcie"}]},
        "no loss is called 'dcie'",
        "Did you mean 'dice'?",
    ),
    wrong(
        "term-key",
        "losses.compound",
        {"terms": [{"loss": "dice", "wieght": 1}]},
        "term 'dice' has no key 'wieght'",
        "Did you mean 'weight'?",
    ),
    wrong(
        "term-of-terms",
        "losses.compound",
        {"terms": [{"loss": "compound"}]},
        "a compound cannot be a term of a compound",
    ),
    wrong(
        "terms-of-weight-0", "losses.compound", {"terms": [{"loss": "dice", "weight": 0}]}, "every term has weight 0"
    ),
]

RECIPES = [
    wrong("epochs-many", "recipes.default.epochs", "many", "valid integer", "'many'"),
    wrong("optimiser", "recipes.default.optimiser", "adan", "'adam', 'adamw' or 'sgd'"),
    wrong(
        "schedule-milestones",
        "recipes.default.schedule",
        {"kind": "multistep"},
        "needs milestones, for instance [20, 40, 60]",
    ),
    wrong(
        "milestones-fall",
        "recipes.default.schedule",
        {"kind": "multistep", "milestones": [20, 10]},
        "milestones must rise",
    ),
    wrong("augmentation-range", "recipes.default.augmentation", {"scale": [1.2, 0.9]}, "scale must be [low, high]"),
    wrong(
        "augmentation-key", "recipes.default.augmentation", {"rotate": 30}, "unknown key", "Did you mean 'rotation'?"
    ),
    wrong(
        "crops-twice",
        "recipes.default",
        {"crops_per_epoch": 10, "crops_per_image": 2},
        "crops_per_epoch (10) is the number of crops of an epoch",
    ),
    wrong(
        "start-unknown", "recipes.default.start_from", {"recipe": "pretrain"}, "names 'pretrain', which is not defined"
    ),
    said(
        "start-in-a-circle",
        value("recipes.default.start_from", {"recipe": "default"}),
        "the recipes need each other in a circle: default -> default",
    ),
    said(
        "denoising-measured",
        value("recipes.default.denoising", {}),
        "names 'default', a denoising recipe, which predicts no masks",
    ),
    wrong(
        "denoising-no-noise",
        "recipes.clean.denoising",
        {"gaussian": None, "salt_and_pepper": None, "speckle": None},
        "denoising needs a kind of noise",
    ),
    said(
        "pseudo-unlabelled",
        value("recipes.pseudo", {"pseudo_labels": {"teacher": {"recipe": "default"}, "unlabelled": "more"}}),
        "recipes.pseudo.pseudo_labels.unlabelled names 'more', which is not defined",
    ),
    wrong(
        "accept-white",
        "recipes.pseudo",
        {"pseudo_labels": {"teacher": {"recipe": "default"}, "unlabelled": "own", "accept": {"white": [0.9, 0.1]}}},
        "white must be [low, high]",
    ),
]

EVALUATION = [
    wrong("policy-unknown", "evaluation.policies", ["fixed", "best"], "'otsu'"),
    wrong(
        "headline-oracle", "evaluation", {"policies": ["fixed", "oracle"], "headline": "oracle"}, "never the headline"
    ),
    wrong(
        "headline-not-measured",
        "evaluation",
        {"policies": ["fixed"], "headline": "validation"},
        "must be one of policies",
    ),
    *(
        said(f"threshold-{name}", value("evaluation.fixed_threshold", given), "a threshold is a number between 0 and 1")
        for name, given in (("of-1", 1), ("twice", [0.5, 0.5]), ("none", []), ("no-number", [0.5, "half"]))
    ),
    wrong(
        "thresholds-not-measured",
        "evaluation",
        {"fixed_threshold": [0.3, 0.5], "policies": ["validation"], "headline": "validation"},
        "does not have 'fixed'",
    ),
    said(
        "metric-unknown",
        value("evaluation.metrics", ["dcie"]),
        "evaluation: metrics names 'dcie', which is none of dice",
    ),
    wrong(
        "metric-not-measured",
        "evaluation",
        {"measures": [], "metrics": ["dice", "hd95"]},
        "'hd95', which needs 'surface' among the measures",
    ),
    said("metric-twice", value("evaluation.metrics", ["dice", "dice"]), "'dice' stands in the list twice"),
    wrong("control-unknown", "evaluation.controls", ["chance"], "'random'"),
    said(
        "ensemble-of-splits",
        several(value("evaluation.ensemble", True), value("experiments.lesion_losses.seeds", 2)),
        "have different splits",
        "split.repeat: fixed_split",
    ),
]

ROWS = [*LOSSES, *RECIPES, *EVALUATION]
