"""Trains text classifiers of support tickets, on e-mails, on chats and on both, and exports them for Triton.

Writes a model repository, `repository/NAME/1/model.onnx` with `config.pbtxt`, for each model NAME the rows
NAME-train.csv and NAME-validation.csv, and traffic.csv with chats that no model has seen. The columns are
text and topic.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from pathlib import Path

from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

TRAINED, VALIDATED, ALL = 1000, 1300, 1700
# Words that a topic is written with, in e-mails and in chats.
TOPICS = {
    "billing": ("invoice amount charged account statement", "bill paid money card wtf"),
    "delivery": ("shipment parcel courier address delayed", "package late where truck door"),
    "login": ("password credentials access authentication locked", "signin pw code blocked app"),
    "refund": ("reimbursement return receipt complaint warranty", "back broken cash sucks swap"),
}
FILLERS = {
    "email": "dear sir madam regarding kindly please regards sincerely request therefore",
    "chat": "hi hey pls thx ok yo cant my now still",
}
CONFIG = """platform: "onnxruntime_onnx"
max_batch_size: 64
input [{ name: "text" data_type: TYPE_STRING dims: [1] }]
output [{ name: "probabilities" data_type: TYPE_FP32 dims: [4] }]
"""
Row = tuple[str, str]


def tickets(channel: str, count: int, randomness: random.Random) -> list[Row]:
    """Texts with their topics, as people write them in a channel."""
    rows = []
    for _ in range(count):
        topic = randomness.choice(sorted(TOPICS))
        own = TOPICS[topic][channel == "chat"].split()
        # People write of several things at once.
        others = TOPICS[randomness.choice(sorted(TOPICS))][channel == "chat"].split()
        words = randomness.choices(own, k=2) + randomness.choices(others, k=1)
        words += randomness.choices(FILLERS[channel].split(), k=4)
        randomness.shuffle(words)
        rows.append((" ".join(words), topic))
    return rows


def export(pipeline: Pipeline, folder: Path) -> None:
    """Writes a text classifier as a model of Triton's repository; its input is one text an item."""
    model = convert_sklearn(
        pipeline, initial_types=[("text", StringTensorType([None, 1]))], options={"zipmap": False}
    )
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "1" / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "config.pbtxt").write_text(CONFIG)


def write(path: str, rows: Iterable[Row]) -> None:
    """Writes rows as CSV."""
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows([("text", "topic"), *rows])


def main() -> None:
    """Makes the data, trains both models, writes all files."""
    randomness = random.Random(0)  # noqa: S311 - no secret
    made = {channel: tickets(channel, ALL, randomness) for channel in ("email", "chat")}
    made["both"] = [made[randomness.choice(("email", "chat"))][number] for number in range(ALL)]
    for channel, rows in made.items():
        texts, topics = zip(*rows[:TRAINED], strict=True)
        pipeline = make_pipeline(CountVectorizer(lowercase=False), LogisticRegression())
        export(pipeline.fit(texts, topics), Path("repository") / channel)
        write(f"{channel}-train.csv", rows[:TRAINED])
        write(f"{channel}-validation.csv", rows[TRAINED:VALIDATED])
    write("traffic.csv", made["chat"][VALIDATED:])


if __name__ == "__main__":
    main()
