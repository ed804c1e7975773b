# What may be asked for by name: `snakemake tables`. Each is all of its kind that the study has.


rule cards:
    """The card of every data set."""
    input:
        targets.cards(STUDY),
    localrule: True


rule splits:
    """Every split, with the checks of images and splits."""
    input:
        targets.splits(STUDY),
        targets.checks(STUDY),
    localrule: True


rule tables:
    """The tables of every experiment."""
    input:
        targets.tables(STUDY),
    localrule: True


rule figures:
    """The figures of every experiment, and the pictures of data sets, networks and cells."""
    input:
        targets.figures(STUDY),
        targets.pictures(STUDY),
    localrule: True


rule report:
    """The study on one page."""
    input:
        f"{RESULTS}/{paths.REPORT}",
    localrule: True


# `paper` is a rule already. `preprocess` and `train` make one data set or cell each; as targets they stand for all of
# them. Snakemake takes no rule with wildcards for a target, and tells the workflow its targets once this is read.
class NamedTargets(type(workflow)):
    def __setattr__(self, name, value):
        if name == "dag_settings" and value is not None:
            value.targets = targets.expanded(STUDY, value.targets)
        super().__setattr__(name, value)


workflow.__class__ = NamedTargets
