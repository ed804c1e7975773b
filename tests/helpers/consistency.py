"""Can the scores of a table row come from the images that they are said to come from? Asked of `mlscorecheck`."""

import math

from mlscorecheck.check.binary import check_1_testset_no_kfold, check_n_testsets_mos_no_kfold

SHOWN = {"accuracy": "acc", "sensitivity": "sens", "specificity": "spec", "dice": "f1"}
DIGITS = 4
ROUNDING = 0.5 * 10**-DIGITS


def contradicts(scores, images, changed=None):
    """Which averagings of the scores of a table row no confusion matrix can give: `pooled`, `mean`, or none.

    Args:
        scores: averaging -> metric -> value; NaN and other metrics are passed over.
        images: of each seed (pixels of the object, other pixels) of each image. Of more than one seed the scores are
            means over seeds, and only linear ones can be tested: not Dice.
        changed: metric -> what is added to it, to see that the test can fail.
    """
    seeds = [[{"p": int(positive), "n": int(negative)} for positive, negative in of_seed] for of_seed in images]
    assert len({len(of_seed) for of_seed in seeds}) == 1, "a mean over seeds is one over images where all have as many"
    wholes = [{name: sum(size[name] for size in of_seed) for name in ("p", "n")} for of_seed in seeds]
    sets = {"mean": [size for of_seed in seeds for size in of_seed], "pooled": wholes}
    found = set()
    for averaging, values in scores.items():
        known = {
            short: round(float(values[name]) + (changed or {}).get(name, 0), DIGITS)
            for name, short in SHOWN.items()
            if not math.isnan(values.get(name, math.nan))
        }
        if averaging == "pooled" and len(wholes) == 1:
            result = check_1_testset_no_kfold(testset=wholes[0], scores=known, eps=ROUNDING) if len(known) > 2 else None
        else:
            known.pop("f1", None)
            result = (
                check_n_testsets_mos_no_kfold(testsets=sets[averaging], scores=known, eps=ROUNDING) if known else None
            )
        found |= {averaging} if result and result["inconsistency"] else set()
    return found


def wide_scores(row, subset="test"):
    """The scores of a row of a results table, by averaging."""
    return {way: {name: row[f"{subset}_{name}_{way}"] for name in SHOWN} for way in ("mean", "pooled")}


def tidy_scores(tidy, keys):
    """Key -> the scores of a row of a tidy table, by averaging; means that lack an image are left out."""
    rows = {}
    for line in tidy[tidy["metric"].isin(SHOWN)].to_dict("records"):
        way = {"image": "mean", "pooled": "pooled"}[line["averaging"]]
        value = math.nan if line["undefined"] else line["mean"]
        rows.setdefault(tuple(line[key] for key in keys), {}).setdefault(way, {})[line["metric"]] = value
    return rows
