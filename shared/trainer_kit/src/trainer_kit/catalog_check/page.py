"""The page of the results: numbers of cards that have taken a training step, and the reasons of those that have not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer_kit.catalog import load_catalog
from trainer_kit.catalog_check.results import Outcome, Result, read_results
from vision_contracts import ModelCard

OUTCOME_TITLES = {
    Outcome.TRAINED: "trained",
    Outcome.META_ONLY: "too large here, built without memory only",
    Outcome.REFUSED: "refused, with the trainer's reason",
    Outcome.FAILED: "failed",
    None: "not tried yet",
}
"""Columns of the page, from the best outcome to the worst: a card of several tasks counts as the worst of them."""

INTRODUCTION = """# The catalogue, checked

Every card takes one training step and one validation, by the same code that trains a job: two images, a head of two
classes, SGD on the CPU, and the smallest images that the architecture takes. Cards whose weights and gradients are
more than a trial may hold are built without memory for them, and counted apart. This page is made by
`make catalog-check`, which continues after an interruption; `make catalog-check ARGS=--fresh` starts over.
"""


@dataclass(frozen=True)
class FrameworkResults:
    """The catalogue of one framework with the results of its trials; None for a task that was not tried yet."""

    framework: str
    version: str
    cards: list[tuple[ModelCard, list[Result | None]]]

    @classmethod
    def read(cls, catalog_file: Path, results_folder: Path) -> "FrameworkResults":
        """Read both files. Results of another version of the framework are ignored."""
        models = load_catalog(catalog_file).models
        results = {
            key: result
            for key, result in read_results(results_folder / f"{models.framework}.jsonl").items()
            if result.framework_version == models.framework_version
        }
        cards = [(card, [results.get((card.model_name, task)) for task in card.task_types]) for card in models.models]
        return cls(models.framework, models.framework_version, cards)

    def count(self, outcome: Outcome | None) -> int:
        return sum(_worst(found) == outcome for _, found in self.cards)


def _worst(found: list[Result | None]) -> Outcome | None:
    order = list(OUTCOME_TITLES)
    return max((result and result.outcome for result in found), key=order.index)


def write_page(catalogs: Iterable[Path], results_folder: Path) -> str:
    """Return the page as Markdown."""
    frameworks = [FrameworkResults.read(catalog, results_folder) for catalog in catalogs]
    return "\n".join([INTRODUCTION, *_summary(frameworks), *_exceptions(frameworks)]) + "\n"


def _summary(frameworks: list[FrameworkResults]) -> Iterator[str]:
    total = sum(len(checked.cards) for checked in frameworks)
    trained = sum(checked.count(Outcome.TRAINED) for checked in frameworks)
    yield f"**{trained:,} of {total:,} cards have taken a training step.**\n"
    yield f"| framework | version | cards | {' | '.join(OUTCOME_TITLES.values())} |"
    yield "|---|---|--:|" + "--:|" * len(OUTCOME_TITLES)
    for checked in frameworks:
        counts = " | ".join(f"{checked.count(outcome):,}" for outcome in OUTCOME_TITLES)
        yield f"| {checked.framework} | {checked.version} | {len(checked.cards):,} | {counts} |"
    counts = " | ".join(f"{sum(checked.count(outcome) for checked in frameworks):,}" for outcome in OUTCOME_TITLES)
    yield f"| **all** | | **{total:,}** | {counts} |\n"


def _exceptions(frameworks: list[FrameworkResults]) -> Iterator[str]:
    results = [
        (checked.framework, result)
        for checked in frameworks
        for _, found in checked.cards
        for result in found
        if result
    ]
    wrong = [each for each in results if each[1].outcome in (Outcome.REFUSED, Outcome.FAILED)]
    yield "## Cards that did not train\n"
    yield from _table(
        ("framework", "model", "task", "reason"),
        [(framework, f"`{r.model_name}`", r.task_type, _one_cell(r.reason)) for framework, r in wrong],
    )
    yield "\n## Cards that were built without memory only\n"
    large = sorted((each for each in results if each[1].outcome is Outcome.META_ONLY), key=lambda each: each[1].params)
    yield from _table(
        ("framework", "model", "parameters"),
        [(framework, f"`{r.model_name}`", f"{r.params / 1e6:,.0f} M") for framework, r in large],
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _one_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
