"""Can the scores of a table row come from the images that they are said to come from? Asked of `mlscorecheck`."""

from mlscorecheck.check.binary import check_1_testset_no_kfold, check_n_testsets_mos_no_kfold

SHOWN = {"accuracy": "acc", "sensitivity": "sens", "specificity": "spec", "dice": "f1"}
DIGITS = 4
ROUNDING = 0.5 * 10**-DIGITS


def contradicts(row, images, changed=None, seeds=1):
    """Which averagings of the test scores of a table row no confusion matrix can give: `pooled`, `mean`, or none.

    Args:
        row: of a results table, with the columns `test_<metric>_pooled` and `test_<metric>_mean`.
        images: (pixels of the object, other pixels) of each test image.
        changed: metric -> what is added to it, to see that the test can fail.
        seeds: of which the row is the mean, all on these images. Of more than one, only linear scores can be tested.
    """
    sizes = [{"p": int(positive), "n": int(negative)} for positive, negative in images]
    whole = {name: sum(size[name] for size in sizes) for name in ("p", "n")}

    def scores(averaging):
        return {
            short: round(float(row[f"test_{name}_{averaging}"]) + (changed or {}).get(name, 0), DIGITS)
            for name, short in SHOWN.items()
        }

    def of_means(averaging, sets):
        linear = {name: value for name, value in scores(averaging).items() if name != "f1"}
        return check_n_testsets_mos_no_kfold(testsets=sets * seeds, scores=linear, eps=ROUNDING)

    found = {"mean": of_means("mean", sizes), "pooled": of_means("pooled", [whole])}
    if seeds == 1:
        found["pooled"] = check_1_testset_no_kfold(testset=whole, scores=scores("pooled"), eps=ROUNDING)
    return {averaging for averaging, result in found.items() if result["inconsistency"]}
