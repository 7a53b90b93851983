"""What the environment says of the configuration. Loaded only where it says anything."""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from sidecar.config.schema import Config

__all__ = ["SettingsError", "overrides"]


class _Environment(Config, BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")


def overrides(prefix: str) -> dict[str, Any]:
    """The values of the variables that begin with the prefix, as a configuration file would hold them.

    Raises:
        SettingsError: a section is not JSON.
    """
    return EnvSettingsSource(_Environment, env_prefix=prefix)()
