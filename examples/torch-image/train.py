"""Trains two small convolutional networks, on upright and on rotated pictures of digits, and exports them.

Writes for each network NAME the files NAME.onnx, NAME-train.npz and NAME-validation.npz, and traffic.npz with
pictures that neither network has seen. Pictures are float32 [1, 8, 8], 0 to 1.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

TRAINED, VALIDATED, EPOCHS = 1000, 1300, 40


def network() -> torch.nn.Module:
    """A network that gives ten logits for each picture."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(32 * 4 * 4, 10),
    )


def fit(model: torch.nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> None:
    """Trains a network on all pictures at once."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(pictures), labels).backward()
        optimizer.step()


def export(model: torch.nn.Module, example: torch.Tensor, path: str) -> None:
    """Writes a network as one ONNX file that takes any number of pictures."""
    model.eval()
    torch.onnx.export(
        model,
        (example,),
        path,
        input_names=["picture"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def main() -> None:
    """Makes the data, trains both networks, writes all files."""
    torch.manual_seed(0)
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    upright = (pixels[order].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    labels = labels[order].astype(np.int64)
    rotated = np.ascontiguousarray(np.rot90(upright, axes=(2, 3)))
    for name, pictures in (("upright", upright), ("rotated", rotated)):
        model = network()
        fit(model, torch.from_numpy(pictures[:TRAINED]), torch.from_numpy(labels[:TRAINED]))
        # One picture more than one: the exporter would take 1 for a fixed size.
        export(model, torch.from_numpy(pictures[:2]), f"{name}.onnx")
        np.savez(f"{name}-train.npz", picture=pictures[:TRAINED], digit=labels[:TRAINED])
        np.savez(
            f"{name}-validation.npz",
            picture=pictures[TRAINED:VALIDATED],
            digit=labels[TRAINED:VALIDATED],
        )
    np.savez("traffic.npz", picture=rotated[VALIDATED:], digit=labels[VALIDATED:])


if __name__ == "__main__":
    main()
