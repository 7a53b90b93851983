"""Fixtures that every room's tests may use: small real models and their data."""

from __future__ import annotations

import sys

import pytest
import structlog

from tests.support.models import DigitsModels, TextModel, make_digits_models, make_text_model


@pytest.fixture(scope="session", autouse=True)
def _logs_apart() -> None:
    """Logs go to stderr, as the command line has them, so that what a command prints is that alone."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))


@pytest.fixture(scope="session")
def digits_models(tmp_path_factory: pytest.TempPathFactory) -> DigitsModels:
    return make_digits_models(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    return make_text_model(tmp_path_factory.mktemp("text"))
