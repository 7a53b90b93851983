"""Overrides of the configuration by environment variables. Loaded only if such a variable is set."""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from sidecar.config.schema import Config

__all__ = ["SettingsError", "overrides"]


class _Environment(Config, BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")


def overrides(prefix: str) -> dict[str, Any]:
    """Returns the values of the variables that begin with the prefix, shaped like a configuration file.

    Raises:
        SettingsError: a variable for a whole section does not hold JSON.
    """
    return EnvSettingsSource(_Environment, env_prefix=prefix)()
