"""`pilotfish inject` and `uninject`: Pilotfish beside a model server in Kubernetes manifests."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from sidecar.config import Config, load_config
from sidecar.config.schema import FED_BY_ENVOY
from sidecar.config.units import read_address, split_address
from sidecar.core.errors import InvalidError
from sidecar.tools.cli.envoy import capture_of, reachable, static
from sidecar.tools.cli.options import Copied, Flag
from sidecar.tools.injection.containers import (
    ENVOY_FILE,
    ENVOY_IMAGE,
    ENVOY_PORT,
    FOLDER,
    PILOTFISH_FILE,
    Envoy,
    Injection,
    read_models_volume,
)
from sidecar.tools.injection.inject import inject_documents, uninject_documents
from sidecar.tools.injection.manifests import read_manifests, write_manifests
from sidecar.tools.injection.ports import COPIES_BY_DEFAULT, PERHAPS_RELAYS, listening
from sidecar.tools.injection.workloads import Document

IMAGE = f"pilotfish:{metadata.version('pilotfish')}"
_ADMIN = ("127.0.0.1", 9901)
_LAST_PORT = 65535
_COMMENT = re.compile(r"(?m)(?:^|\s)#")

if TYPE_CHECKING:
    # A checker knows no table.
    FedOrNone: TypeAlias = str
else:
    FedOrNone = Literal[(*FED_BY_ENVOY, "none")]
File = Annotated[str, Parameter(name=["--file", "-f"], allow_leading_hyphen=True)]


def inject(
    *,
    file: File,
    config: Path | None = None,
    config_map: str | None = None,
    envoy: FedOrNone = "none",
    upstream: str | None = None,
    endpoint: str | None = None,
    models_volume: str | None = None,
    only: str | None = None,
    classic: Flag = False,
    image: str = IMAGE,
    envoy_image: str = ENVOY_IMAGE,
    envoy_port: Annotated[int, Parameter(validator=Number(gte=1, lt=_LAST_PORT))] = ENVOY_PORT,
    envoy_fraction: Copied = 1.0,
    memory: str = "1Gi",
) -> None:
    """Prints Kubernetes manifests with Pilotfish beside each model server.

    Only workloads are changed. Workloads with the annotation `pilotfish/inject: "false"` and Helm's hooks
    stay as they are. A workload that was injected before is injected anew. Comments are kept with the
    extra `inject`, which brings ruamel.yaml.

    Args:
        file: File with the manifests, YAML or JSON; - reads standard input.
        config: Configuration file of Pilotfish, printed as a ConfigMap NAME-pilotfish for each workload.
        config_map: Name of an existing ConfigMap with the file pilotfish.yaml and, with --envoy, envoy.yaml.
            No ConfigMap is printed then, and --config is only read for the ports.
        envoy: Adds an Envoy that feeds the configuration's capture of this kind. Clients, or the Service's
            targetPort, connect to its port pilotfish-envoy.
        upstream: HOST:PORT of the model server's gRPC port, as the pod's containers reach it. Envoy needs it.
        endpoint: Endpoint whose capture Envoy feeds, needed if several listen on their own addresses.
        models_volume: VOLUME or VOLUME:PATH: a volume of the pod with models and profiles. Pilotfish reads
            it at PATH, by default /models.
        only: Name of the only workload to change. By default all workloads are changed.
        classic: Add plain containers, for clusters before Kubernetes 1.29, instead of native sidecars.
        image: Image of Pilotfish.
        envoy_image: Image of Envoy.
        envoy_port: Port where Envoy takes the clients' calls. It answers probes at the next port.
        envoy_fraction: Share of the calls that Envoy copies, as with `pilotfish envoy --fraction`.
        memory: Memory limit of Pilotfish's container: what the window and the models need.
    """
    if config is None and config_map is None:
        raise InvalidError(
            "Pilotfish needs a configuration: name a file with --config, or an existing ConfigMap with "
            "--config-map"
        )
    if envoy_fraction < 1 and (envoy == "none" or config_map is not None):
        raise InvalidError(
            "--envoy-fraction only changes an envoy.yaml that --envoy prints: leave it out; the envoy.yaml "
            "of an existing ConfigMap gets its fraction from `pilotfish envoy --fraction`"
        )
    beside = None if envoy == "none" else Envoy(envoy_image, envoy_port)
    settings = None if config is None else load_config(config)
    files: dict[str, str] = {}
    if config is not None and settings is not None:
        _note_files(config, settings)
        if config_map is None:
            files[PILOTFISH_FILE] = config.read_text(encoding="utf-8")
        if config_map is None and envoy != "none" and beside is not None:
            files[ENVOY_FILE] = _envoy_file(settings, envoy, endpoint, upstream, beside, envoy_fraction)
    by_default = PERHAPS_RELAYS if beside is None else COPIES_BY_DEFAULT
    injection = Injection(
        image,
        listening=by_default if settings is None else listening(settings),
        config_map=config_map,
        envoy=beside,
        classic=classic,
        models=None if models_volume is None else read_models_volume(models_volume),
        memory=memory,
    )
    text, name = _read(file)
    documents = read_manifests(text, name)
    _print(text, documents, inject_documents(documents, injection, files, only))


def uninject(*, file: File) -> None:
    """Prints Kubernetes manifests as they were before `inject`.

    Comments are kept with the extra `inject`, which brings ruamel.yaml.

    Args:
        file: File with the manifests, YAML or JSON; - reads standard input.
    """
    text, name = _read(file)
    documents = read_manifests(text, name)
    _print(text, documents, uninject_documents(documents))


def _envoy_file(
    config: Config,
    capture: str,
    endpoint: str | None,
    upstream: str | None,
    beside: Envoy,
    fraction: float,
) -> str:
    if upstream is None:
        raise InvalidError(
            "--envoy needs the model server's gRPC address: add --upstream HOST:PORT, like 127.0.0.1:8001"
        )
    settings = capture_of(config, capture, endpoint)
    bootstrap = static.bootstrap(
        ("0.0.0.0", beside.port),  # noqa: S104 - of the pod
        read_address(upstream, "--upstream"),
        reachable(*split_address(settings.where)),
        feed=settings.envoy_feed,
        admin=_ADMIN if settings.envoy_admin is None else split_address(settings.envoy_admin),
        ready=("0.0.0.0", beside.ready),  # noqa: S104 - the same
        fraction=fraction,
    )
    return write_manifests([bootstrap]).removeprefix("---\n")


def _read(file: str) -> tuple[str, str]:
    """Returns the manifests' text, and the name of where it comes from."""
    if file == "-":
        return sys.stdin.read(), "standard input"
    try:
        return Path(file).read_text(encoding="utf-8"), file
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"{file} cannot be read: {error}: name a file of UTF-8 text, or - for standard input"
        ) from error


def _print(text: str, before: Sequence[Document], after: Sequence[Document]) -> None:
    """Prints manifests with the comments of their text, or says why the comments are lost."""
    why = "an alias or a list changed in a way that they cannot follow"
    try:
        from sidecar.tools.injection.comments import write_with_comments  # noqa: PLC0415 - it needs an extra
    except ModuleNotFoundError as error:
        written, why = None, f"{error.name} is not installed: run `pip install 'pilotfish[inject]'`"
    else:
        written = write_with_comments(text, before, after)
    if written is None and _COMMENT.search(text):
        _note(f"comments are lost, because {why}")
    sys.stdout.write(write_manifests(after) if written is None else written)


def _note(text: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"note: {text}", markup=False)


def _note_files(path: Path, config: Config) -> None:
    """Notes relative paths: they start where the ConfigMap is mounted, which has no folders."""
    here = path.absolute().parent
    files = [file for endpoint in config.endpoints for one in endpoint.candidates for file in one.files]
    relative = sorted({str(file.relative_to(here)) for file in files if file.is_relative_to(here)})
    if relative:
        _note(
            f"in the pod Pilotfish looks for {', '.join(relative)} in {FOLDER}, where only the ConfigMap's "
            "files are: mount a volume with --models-volume and write absolute paths, like /models/x.onnx"
        )
