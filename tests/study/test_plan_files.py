"""Plans as files: made, edited, made again, and given with the study."""

import pytest

from segstudy.config.load import load_study
from segstudy.config.plan_file import read_plan
from segstudy.core.files import write_json
from segstudy.runtime.resources import NetworkMemory, main_memory
from segstudy.study import plan_files
from segstudy.study.estimates import CONTEXT_MB, Estimates
from segstudy.study.plan_files import facts_of, machine_of, make, write_plan
from segstudy.study.plan_view import assume_plans, plan_table, sight_warnings
from segstudy.study.plan_wishes import plan_wishes

OBJECTS = {"span": 468.0, "thinnest": 59.0}


@pytest.fixture
def study():
    return load_study(
        {
            "study": "tiny",
            "plan": {"all": True, "memory_gb": 4},
            "datasets": {"ph2": {"colour": "green"}, "drive": {"size": "native"}},
            "models": {"unet": {}, "narrow": {"network": "unet", "width": 4}},
            "losses": {"bce": {}},
            "recipes": {"default": {"validate_every": 2}},
            "experiments": {
                "one": {"question": "Which?", "datasets": ["ph2"], "models": ["unet", "narrow"], "losses": ["bce"]}
            },
        }
    )


@pytest.fixture
def planned(study, tmp_path):
    """Make the plan of ph2 as its rule does, in a folder."""
    wishes, path = plan_wishes(study, "ph2"), tmp_path / "plan.yaml"
    facts = facts_of(wishes, [(767, 576)] * 200, OBJECTS)

    def run(given=None, hours=None, count=None):
        machine = machine_of(wishes["limits"] | {"hours": hours}, gpu=True, threads=1)
        write_plan("ph2", make("ph2", wishes, facts, machine, path, given, count))
        return read_plan(path)

    return run


def test_wishes_are_what_the_config_says(study):
    wishes = plan_wishes(study, "ph2")
    assert wishes["keys"][:2] == ["size", "crop"] and "models.narrow.width" not in wishes["keys"]
    assert wishes["models"]["narrow"]["width"] == 4 and "width" not in wishes["models"]["unet"]
    assert wishes["written"] == {"crops_per_epoch": None, "validate_every": 2}
    assert (wishes["channels"], wishes["outputs"], wishes["reader"]) == (1, 1, "ph2")
    assert wishes["limits"] == {"memory_gb": 4.0, "hours": None}
    study.datasets["ph2"].training.update(accumulate=2)
    assert plan_wishes(study, "ph2")["written"]["accumulate"] == 2


def test_memory_is_counted_in_bf16_only_if_all_recipes_ask_for_it():
    """One count serves all recipes, and float32 takes more."""
    recipes = {"default": {}, "halves": {"precision": "bf16"}, "more": {"precision": "bf16", "learning_rate": 0.1}}
    experiment = {"question": "Which?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"]}
    settings = {"study": "tiny", "plan": "auto", "datasets": {"ph2": {}}, "models": {"unet": {}}}
    for names, asked in ((["halves", "more"], "bf16"), (["halves", "default"], None)):
        experiments = {"one": experiment | {"recipes": names}}
        study = load_study(settings | {"losses": {"bce": {}}, "recipes": recipes, "experiments": experiments})
        assert plan_wishes(study, "ph2")["written"].get("precision") == asked


def test_a_plan_is_read_as_it_was_written(planned):
    plan = planned()
    assert plan.values == plan.computed and plan.edited == []
    assert plan.values["size"] == {"long_side": 256}
    assert plan.values["models"] == {"unet": {"depth": 4, "width": 32}, "narrow": {"depth": 4}}
    assert plan.seen["train"] == 128 and plan.seen["memory_gb"] == 4  # of 200 images: 160 less 20 %
    assert plan.because.keys() == {
        *(set(plan.values) - {"models"}),
        *(f"models.{n}.depth" for n in ("unet", "narrow")),
    } | {"models.unet.width"}


def test_the_memory_that_was_counted_is_what_jobs_ask_for(study, planned, monkeypatch, tmp_path):
    plan = planned(count=lambda settings, *_: NetworkMemory(10.0 * settings["width"], 500.0))
    assert plan.memory == {
        "unet": {"weights": 320.0, "megapixel": 500.0},
        "narrow": {"weights": 40.0, "megapixel": 500.0},
    }
    study.assume("ph2", plan)
    monkeypatch.chdir(tmp_path)  # no files of a study
    estimates = Estimates(study, tmp_path / "results/tiny", gpu=True)
    asked = estimates.cell("ph2", "unet", "default").gpu_mb
    height, width = estimates.size("ph2").canvas
    pixels = plan.values["batch_size"] * height * width
    assert asked == pytest.approx(CONTEXT_MB + 320 + 500e-6 * pixels + estimates.size("ph2").store_bytes / 1e6)
    assert plan.memory_of("unet", gpu=False) is None, "it was counted for a GPU"
    plan.path.write_text(plan.path.read_text().replace("width: 32", "width: 64", 1))
    edited = read_plan(plan.path)
    assert edited.edited == ["models.unet.width"] and edited.memory_of("unet", gpu=True) is None
    assert edited.memory_of("narrow", gpu=True)


def test_an_edited_value_stays_when_the_plan_is_made_again_and_says_so(planned, caplog):
    plan = planned()
    plan.path.write_text(plan.path.read_text().replace("size: {long_side: 256}", "size: {long_side: 384}", 1))
    caplog.set_level("INFO", "segstudy")
    again = planned(hours=2)
    assert again.values["size"] == {"long_side": 384} and again.edited == ["size"]
    assert again.values["models"]["unet"]["depth"] == 5, "the rest follows what was edited: 234 pixels are to be seen"
    said = "edited by hand; the planner would choose {long_side: 256}"
    assert again.because["size"] == said and said in caplog.text
    assert planned().edited == ["size"], "and so the next time"


def test_a_plan_given_with_the_study_holds(planned, tmp_path):
    given = tmp_path / "kept.yaml"
    given.write_text("batch_size: 2\nmodels: {unet: {width: 8}}\n")
    plan = planned(given)
    assert plan.values["batch_size"] == 2 and plan.values["models"]["unet"]["width"] == 8
    assert "kept.yaml says; the planner would choose 32" in plan.because["models.unet.width"]
    assert plan.values["size"] == {"long_side": 256}, "what it does not say is planned"


def test_before_the_plan_is_made_costs_rest_on_what_it_would_be(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert assume_plans(study, tmp_path / "results/tiny", gpu=False, threads=1) == ["ph2"]
    settings = study.training_settings("ph2", "unet", "bce", "default")
    plan = study.plan_of("ph2")
    assert settings["recipe"]["epochs"] == plan.values["epochs"]
    assert settings["model"]["width"] == plan.values["models"]["unet"]["width"]
    rows = plan_table("ph2", plan).columns
    assert next(iter(rows[0].cells)) == "size" and "is not known" in next(iter(rows[2].cells))


@pytest.mark.parametrize(("depth", "warned"), [(3, True), (4, False)])
def test_a_network_that_never_sees_an_object_whole_is_named(study, tmp_path, depth, warned):
    """At 256 pixels a lesion of 468 of 767 is 156 long; a U-Net of depth 3 sees 92, of depth 4 188."""
    settings = {"models": {"unet": {"depth": depth}}, "datasets": {"ph2": {"size": {"long_side": 256}}}}
    experiment = {"question": "Which?", "datasets": ["ph2"], "models": ["unet"], "losses": ["bce"]}
    rest = {"study": "tiny", "losses": {"bce": {}}, "recipes": {"default": {}}, "experiments": {"one": experiment}}
    fixed = load_study(settings | rest)
    assert sight_warnings(fixed, tmp_path) == [], "without a card nothing is known"
    write_json(tmp_path / "data/ph2/card.json", {"objects": OBJECTS})
    said = sight_warnings(fixed, tmp_path)
    assert bool(said) == warned
    if warned:
        assert "unet on ph2: an output pixel sees 92x92 pixels, and the median object is 156 pixels long" in said[0]


def test_memory_is_that_of_the_machine_unless_the_config_says(monkeypatch, tmp_path):
    limits = {"memory_gb": None, "hours": None}
    group = tmp_path / "memory.max"
    group.write_text("2000000000\n")
    assert main_memory((group,)) == 2_000_000_000
    group.write_text("max\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(4)))
    machine = machine_of(limits, gpu=False, threads=2)
    assert machine.memory_gb == pytest.approx(main_memory() / 2e9) and "2 of 4 cores" in machine.memory_words
    monkeypatch.setattr("resource.getrlimit", lambda what: (3_000_000_000, 3_000_000_000))
    address_space = machine_of(limits, gpu=False, threads=4)
    assert address_space.memory_gb == pytest.approx(2.4) and "ulimit -v" in address_space.memory_words
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    assert "set plan.memory_gb" in machine_of(limits, gpu=True, threads=1).memory_words
    assert plan_files.machine_of(limits | {"memory_gb": 24.0}, True, 1).memory_gb == 24
