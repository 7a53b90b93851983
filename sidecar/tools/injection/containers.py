"""The containers that stand beside a model server: Pilotfish, and Envoy where it is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sidecar.core.errors import InvalidError
from sidecar.tools.injection.ports import Listening

Settings: TypeAlias = dict[str, Any]  # what becomes YAML

NAMES: Final = ("pilotfish", "pilotfish-envoy")
FOLDER: Final = "/etc/pilotfish"
VOLUME: Final = "pilotfish-config"
PILOTFISH_FILE: Final = "pilotfish.yaml"
ENVOY_FILE: Final = "envoy.yaml"
ENVOY_IMAGE: Final = "envoyproxy/envoy:v1.40.0"
# As Envoy's file must have them where it is not written here.
ENVOY_PORT: Final = 9600
MODELS_FOLDER: Final = "/models"
# Of the user that the image is made for. The container needs no right beyond reading its files.
_USER: Final = 65532


@dataclass(frozen=True, slots=True)
class Envoy:
    """An Envoy in front of the model server.

    Attributes:
        image: of the container.
        port: where it takes the clients' calls.
    """

    image: str = ENVOY_IMAGE
    port: int = ENVOY_PORT

    @property
    def ready(self) -> int:
        """Where it answers probes."""
        return self.port + 1


@dataclass(frozen=True, slots=True)
class Models:
    """A volume of the pod with models and profiles.

    Attributes:
        volume: its name.
        path: where Pilotfish sees it, read-only.
    """

    volume: str
    path: str = MODELS_FOLDER


def read_models_volume(text: str) -> Models:
    """Reads `VOLUME` or `VOLUME:PATH`.

    Raises:
        InvalidError: it is neither, or the path is where the configuration is mounted.
    """
    volume, colon, path = text.partition(":")
    path = path if colon else MODELS_FOLDER
    if not volume or not path.startswith("/") or f"{path.rstrip('/')}/".startswith(f"{FOLDER}/"):
        raise InvalidError(
            f"models volume {text!r}: write the name of a volume, or NAME:/PATH, outside {FOLDER}, "
            "where the configuration is mounted"
        )
    return Models(volume, path)


@dataclass(frozen=True, slots=True)
class Injection:
    """What is put beside a model server.

    Attributes:
        image: of Pilotfish.
        listening: what its configuration says.
        config_map: with the configuration; None: one of the workload's name.
        envoy: or none.
        classic: plain containers, for clusters before 1.29, not init containers that restart.
        models: or none.
        memory: limit of Pilotfish's container.
    """

    image: str
    listening: Listening
    config_map: str | None = None
    envoy: Envoy | None = None
    classic: bool = False
    models: Models | None = None
    memory: str = "1Gi"

    @property
    def ports(self) -> list[int]:
        """All that the containers listen on."""
        outside = [port for _, port in self.listening.captures]
        envoy = [self.envoy.port, self.envoy.ready] if self.envoy else []
        return [self.listening.grpc, self.listening.http, *outside, *self.listening.inside, *envoy]


def containers(injection: Injection) -> list[Settings]:
    """The containers, in the order in which they start."""
    return [_pilotfish(injection), *([_envoy(injection.envoy)] if injection.envoy else [])]


def config_volume(config_map: str) -> Settings:
    """The volume with the configuration; without `subPath`, so that a change of it is seen."""
    return {"name": VOLUME, "configMap": {"name": config_map}}


def _pilotfish(injection: Injection) -> Settings:
    listening = injection.listening
    named = (("pilotfish-grpc", listening.grpc), ("pilotfish-http", listening.http), *listening.captures)
    mounts = [_config_mount()]
    if injection.models is not None:
        models = injection.models
        mounts.append({"name": models.volume, "mountPath": models.path, "readOnly": True})
    # A configuration that is not at hand must listen where the probes below look.
    at = {
        "GRPC": f"0.0.0.0:{listening.grpc}",
        "HTTP": f"0.0.0.0:{listening.http}",
        "GRACE": f"{listening.grace_s}s",
    }
    env = [{"name": f"PILOTFISH_SERVE__{key}", "value": value} for key, value in at.items()]
    return {
        "name": NAMES[0],
        "image": injection.image,
        "args": ["serve", "--config", f"{FOLDER}/{PILOTFISH_FILE}"],
        **({} if listening.known else {"env": env}),
        "ports": _ports(*named),
        "startupProbe": _probe("/readyz", "pilotfish-http", every_s=1, failures=120),
        "livenessProbe": _probe("/healthz", "pilotfish-http", every_s=10, failures=6),
        # The model server must not lose its traffic when one that is fed copies is slow to answer.
        **(
            {"readinessProbe": _probe("/readyz", "pilotfish-http", every_s=5, failures=3)}
            if listening.relays
            else {}
        ),
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": injection.memory},
        },
        "securityContext": _least_rights(),
        "volumeMounts": mounts,
    }


def _envoy(envoy: Envoy) -> Settings:
    return {
        "name": NAMES[1],
        "image": envoy.image,
        # Without limits it would start a thread for each processor of the node.
        "args": ["-c", f"{FOLDER}/{ENVOY_FILE}", "--disable-hot-restart", "--concurrency", "2"],
        "ports": _ports(("pilotfish-envoy", envoy.port), ("pilotfish-ready", envoy.ready)),
        "startupProbe": _probe("/ready", "pilotfish-ready", every_s=1, failures=120),
        "livenessProbe": _probe("/ready", "pilotfish-ready", every_s=10, failures=6),
        "readinessProbe": _probe("/ready", "pilotfish-ready", every_s=5, failures=3),
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": _least_rights(),
        "volumeMounts": [_config_mount()],
    }


def _config_mount() -> Settings:
    return {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}


def _ports(*named: tuple[str, int]) -> list[Settings]:
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in named]


def _probe(path: str, port: str, *, every_s: int, failures: int) -> Settings:
    # Scoring takes only what processor time is left, so that an answer may be late.
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": every_s,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _least_rights() -> Settings:
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
