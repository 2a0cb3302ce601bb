"""Blocks of a recipe as inputs of a stage."""

from __future__ import annotations

import dataclasses

from medistill.recipe import load_recipe
from medistill.stages.networks import block_json


def test_workers_make_no_other_stage_and_epochs_do() -> None:
    train = load_recipe("demo").train
    more = dataclasses.replace(train, workers=train.workers + 2)
    assert block_json(more) == block_json(train)
    longer = dataclasses.replace(train, epochs=train.epochs + 1)
    assert block_json(longer) != block_json(train)


def test_balance_makes_another_stage_and_none_is_as_before() -> None:
    train = load_recipe("demo").train
    assert "balance" not in block_json(train)
    assert block_json(dataclasses.replace(train, balance=0.5))["balance"] == 0.5


def test_workers_of_the_data_are_no_setting_of_a_training() -> None:
    assert "workers" in block_json(load_recipe("demo").data)
