"""Estimated cost of cells: seconds, memory, disk; from earlier cells of the study if there are any, else a guess.

Snakemake asks for every job, so each answer is worked out once for a data set, network and recipe. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from segstudy.config import dependencies, paths
from segstudy.config.cell import Cell
from segstudy.config.datasets import Prediction
from segstudy.config.plan_file import DatasetPlan, PlanMissing
from segstudy.config.study import Study
from segstudy.runtime.resources import NetworkMemory
from segstudy.study.dataset_size import DataSize, data_size
from segstudy.study.earlier_cells import PASSES, Record, record_of, seconds_in, work_per_image
from segstudy.study.flops import Cost, forward_seconds, guessed_memory, network_cost

START = 5.0  # seconds until a job does its own work: Python, torch, the store
RECORDS = 3  # of earlier cells, for one answer
# MB of a job without and with a GPU's libraries: Snakemake's own process takes about 200, one that has imported
# torch about 400; the rest is a reserve.
BASE_MB, BASE_GPU_MB = 700.0, 4000.0
CONTEXT_MB = 600.0  # of a GPU's memory: what a process holds there beside its tensors
HELD_MB = 2048.0  # the largest store that is held in memory
# Of a probability (16-bit PNG) and of its mask, as drawn and real data sets have shown.
PROBABILITY_BYTES, MASK_BYTES = 1.25, 0.15
# Seconds per pixel: writing a prediction; measuring it (outlines, centre lines, objects, scores), and every image.
WRITING, MEASURING, PER_IMAGE = 2e-7, 4e-7, 0.02
BASES = ("measured", "scaled", "guessed")  # on what a time rests, best first


class Estimate(NamedTuple):
    """What one cell costs."""

    training: float  # seconds
    evaluation: float  # seconds of prediction and measuring
    training_mb: float  # main memory
    prediction_mb: float
    gpu_mb: float  # of a GPU's memory, for a training or a prediction; 0 without a GPU
    gpu_busy: float | None  # share of the time in which a training keeps the GPU at work; None: not measured
    model_mb: float  # of the model file
    disk_mb: float  # of all files that stay
    basis: str  # of `training`, one of BASES

    @property
    def seconds(self) -> float:
        """Of the whole cell."""
        return self.training + self.evaluation


class Estimates:
    """Estimates for the cells of a study.

    Args:
        gpu: whether trainings will have a GPU; records of the other kind of machine say nothing then.
        threads: of a training, where it has none.
    """

    def __init__(self, study: Study, results: Path, gpu: bool, threads: int = 1) -> None:
        self.study, self.results, self.gpu, self.threads = study, results, gpu, threads
        # Each answer is remembered for the plan of the data set that it rests on: a run makes plans while it goes on.
        self._cells: Callable[..., Estimate] = cache(lambda plan, *names: self._cell(*names))
        self._sizes: Callable[..., DataSize] = cache(lambda plan, dataset: data_size(study, dataset, results))
        self._costs: Callable[..., Cost] = cache(lambda plan, *names: self._cost(*names))
        self._earlier: Callable[[str], list[Record]] = cache(lambda pattern: list(self._read(pattern)))

    def cell(self, dataset: str, model: str, recipe: str) -> Estimate:
        """Return the estimate for the cells of a data set, network and recipe, whatever the loss and the seed."""
        return self._cells(self._plan(dataset), dataset, model, recipe)

    def size(self, dataset: str) -> DataSize:
        """Return the size of a data set."""
        return self._sizes(self._plan(dataset), dataset)

    def cost(self, dataset: str, model: str) -> Cost:
        """Return what a network costs on a data set."""
        return self._costs(self._plan(dataset), dataset, model)

    def _plan(self, dataset: str) -> DatasetPlan | None:
        return self.study.plan_of(dataset) if dependencies.planned_keys(self.study)[dataset] else None

    def _network(self, dataset: str, model: str) -> dict[str, Any]:
        """Return the settings of a network; as long as they are not planned, with its defaults."""
        try:
            return self.study.model_settings(model, dataset)
        except PlanMissing:
            kind, options = self.study.models[model]
            return {"network": kind, **options.model_dump(mode="json")}

    def _cost(self, dataset: str, model: str) -> Cost:
        size = self.size(dataset)
        return network_cost(self._network(dataset, model), size.channels, size.outputs)

    def _cell(self, dataset: str, model: str, recipe: str) -> Estimate:
        size, cost, options = self.size(dataset), self.cost(dataset, model), self.study.recipe(dataset, recipe)
        pixels = float(math.prod(options.crop or size.canvas))
        canvas = float(math.prod(size.canvas))
        settings = self._network(dataset, model)
        same_dataset = self._same_network(f"{dataset}/{model}/*/*", settings)
        same_network = same_dataset or self._same_network(f"*/{model}/*/*", settings)
        others = same_network or self._earlier("*/*/*/*")
        train_images, val_images = size.train, size.val
        if options.denoising:  # all images that are not measured, divided anew
            val_images = round(options.denoising.validation * (size.train + size.unlabelled))
            train_images = size.train + size.unlabelled - val_images
        else:
            train_images = max(1, round(options.labels * train_images))
        if options.pseudo_labels and options.pseudo_labels.real is None:  # at most: all are accepted
            train_images += self.size(options.pseudo_labels.unlabelled).learnable
        visits, work = (
            options.crops_per_epoch or max(1, train_images) * options.crops_per_image,
            work_per_image(options),
        )
        # Validation is one forward pass over whole images.
        more = work - 1 + val_images * canvas / (PASSES * visits * pixels * options.validate_every)
        if same_network:
            per_image = fmean(r.per_image * pixels / r.pixels * work / r.work for r in same_network)
        elif speeds := [record.speed for record in others if record.speed]:
            per_image = PASSES * cost.flops * pixels / fmean(speeds) * (1 + more)
        else:
            per_image = PASSES * forward_seconds(cost, pixels, self.gpu, self.threads) * (1 + more)
        alike = [r for r in same_dataset if r.pixels == pixels and r.batch == options.batch_size]
        basis = BASES[0] if alike else BASES[1] if others else BASES[2]
        images = options.epochs * visits
        prediction = self.study.datasets[dataset].prediction
        seen = predicted_pixels(size.canvas, prediction)
        forward = forward_seconds(cost, seen, self.gpu, self.threads) * self._views()
        weights = 4 * cost.parameters / 1e6
        network_mb = self._memory(dataset, model, cost).mb(options.batch_size / options.accumulate * pixels)
        return Estimate(
            training=START + images * per_image,
            evaluation=self._evaluation(dataset, model, recipe, size.images * (forward + size.pixels * WRITING)),
            training_mb=max((r.host_mb for r in alike), default=0.0) or self._training_mb(size, network_mb),
            prediction_mb=self._prediction_mb(size, cost, float(math.prod(prediction.tile or size.canvas))),
            gpu_mb=self._gpu_mb(size, network_mb, max((r.cuda_mb for r in alike), default=0.0)),
            gpu_busy=max((r.busy for r in alike if r.busy is not None), default=None),
            model_mb=weights,
            disk_mb=weights + self._predictions() * self._stays() * size.pixels * size.images / 1e6,
            basis=basis,
        )

    def external(self, dataset: str, model: str, recipe: str, external: str) -> Estimate:
        """Return the estimate for one of these cells on an external test set, by the pixels of both data sets."""
        own, other, expected = self.size(dataset), self.size(external), self.cell(dataset, model, recipe)
        measured = other.images if self.study.datasets[external].external_images == "all" else other.test
        images, pixels = measured / max(1, own.images), other.pixels / max(1, own.pixels)
        return expected._replace(
            training=0.0,
            evaluation=START + images * max(1.0, pixels) * expected.evaluation,
            prediction_mb=expected.prediction_mb + 40 * own.outputs * other.pixels / 1e6,
            model_mb=0.0,
            disk_mb=self._stays() * other.pixels * measured / 1e6,
        )

    def corrupted(self, dataset: str, model: str, recipe: str) -> Estimate:
        """Return the estimate for one of these cells on corrupted test images: a part of the images, without shapes."""
        expected, strengths = self.cell(dataset, model, recipe), len(self.study.evaluation.corruptions.levels)
        return expected._replace(
            training=0.0, evaluation=START + expected.evaluation * strengths / 2, model_mb=0.0, disk_mb=0.0
        )

    def labelling(self, teacher: Cell, unlabelled: str) -> float:
        """Return the seconds in which a teacher labels the images of a data set: as earlier ones took, else a guess."""
        names = f"{unlabelled}/{teacher.dataset}/{teacher.model}/*/*/*"
        files = paths.benchmarks(self.results, "pseudo_predict", names)
        measured = [seconds for path in islice(files, RECORDS) if (seconds := seconds_in(path)) is not None]
        if measured:
            return fmean(measured)
        size, prediction = self.size(unlabelled), self.study.datasets[unlabelled].prediction
        cost, seen = self.cost(teacher.dataset, teacher.model), predicted_pixels(size.canvas, prediction)
        forward = forward_seconds(cost, seen, self.gpu, self.threads)
        return START + size.learnable * (forward + size.pixels * WRITING)

    def _same_network(self, pattern: str, settings: dict[str, Any]) -> list[Record]:
        """Return the earlier cells below `pattern` whose network has these settings."""
        return [record for record in self._earlier(pattern) if record.model == settings]

    def _views(self) -> int:
        """Return how often each image is predicted."""
        return 5 if self.study.evaluation.tta == "flips" else 1

    def _predictions(self) -> int:
        """Return how many predictions of each image stay."""
        return 2 if self.study.evaluation.tta == "flips" else 1

    def _stays(self) -> float:
        """Return the bytes of a pixel of a prediction."""
        return MASK_BYTES + PROBABILITY_BYTES * self.study.evaluation.keep_predictions

    def _evaluation(self, dataset: str, model: str, recipe: str, prediction: float) -> float:
        """Return the seconds of predicting and measuring: as earlier cells took, else by pixels."""
        size = self.size(dataset)
        measuring = size.images * (PER_IMAGE + size.pixels * MEASURING)
        total = 0.0
        for rule, guess in (("predict", prediction), ("measure", measuring)):
            files = paths.benchmarks(self.results, rule, f"{dataset}/{model}/*/{recipe}/seed*")
            measured = [seconds for path in islice(files, RECORDS) if (seconds := seconds_in(path)) is not None]
            total += (fmean(measured) if measured else START + guess) * self._predictions()
        return total

    def _memory(self, dataset: str, model: str, cost: Cost) -> NetworkMemory:
        """Return what a network takes in training: as the plan has counted it, else a careful guess."""
        plan = self._plan(dataset)
        counted = plan.memory_of(model, self.gpu) if plan else None
        return NetworkMemory(**counted) if counted else guessed_memory(cost)

    def _training_mb(self, size: DataSize, network_mb: float) -> float:
        store = min(size.store_bytes / 1e6, HELD_MB)
        if self.gpu:
            return BASE_GPU_MB + store
        return BASE_MB + store + network_mb

    def _gpu_mb(self, size: DataSize, network_mb: float, measured: float) -> float:
        """Return the GPU memory of a training; its predictions, of which less is kept, take no more."""
        if not self.gpu:
            return 0.0
        return CONTEXT_MB + (measured or network_mb + size.store_bytes / 1e6)

    def _prediction_mb(self, size: DataSize, cost: Cost, piece: float) -> float:
        """Return the memory of a prediction, `piece` pixels at least going through the network at once.

        A third of what a training keeps of a pixel is there at once.
        """
        together = 0.0 if self.gpu else max(2.0**20, piece) * cost.values * 4 / 3
        return (BASE_GPU_MB if self.gpu else BASE_MB) + (together + 40 * size.outputs * size.pixels) / 1e6

    def _read(self, pattern: str) -> Iterator[Record]:
        """Yield the first records of cells below `pattern` that ran on the same kind of machine."""
        records = (record_of(path) for path in self.results.glob(f"{paths.CELLS}/{pattern}/seed*/run.json"))
        yield from islice((record for record in records if record and record.gpu == self.gpu), RECORDS)


def predicted_pixels(canvas: tuple[int, int], prediction: Prediction) -> float:
    """Return the pixels of a canvas that go through a network: of tiles, about, those that overlap each time."""
    if prediction.tile is None:
        return float(math.prod(canvas))
    step = 1 - (prediction.overlap or 0)
    sides = zip(canvas, prediction.tile, strict=True)
    return math.prod(tile * (1 + max(0.0, side / tile - 1) / step) for side, tile in sides)
