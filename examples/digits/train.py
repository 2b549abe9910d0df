"""Trains the digits network and writes everything else in this directory. `./train` runs it; README.md says what comes out."""

import json
import pathlib
import platform

import numpy as np
import onnx
import onnxruntime
import sklearn
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from network import Adam, BatchNorm, Block, Chain, Classifier, Conv, Emitter, Relu

HERE = pathlib.Path(__file__).parent
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SEED, EPOCHS, BATCH, RATE = 7, 40, 32, 3e-3


def data():
    """Pictures `[n, 1, 8, 8]` of grey 0…1 as an 8-bit picture file holds them, and classes: training, then test."""
    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    pictures = (grey[:, None] / np.float32(255)).astype(np.float32)
    split = train_test_split(
        pictures, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target
    )
    return split[0], split[2], split[1], split[3]


def shifted(rng, pictures):
    """Each picture moved by at most a pixel on each axis: handwriting is not centred."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    offsets = rng.integers(0, 3, (len(pictures), 2))
    return np.stack([p[:, y : y + 8, x : x + 8] for p, (y, x) in zip(padded, offsets)])


def network(rng):
    return Chain(
        stem=Chain(conv=Conv(rng, 1, 16), bn=BatchNorm(16), relu=Relu()),
        block1=Block(rng, 16, 16),
        block2=Block(rng, 16, 32, stride=2),
        block3=Block(rng, 32, 32),
        classifier=Classifier(rng, 32, 10),
    )


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def train(rng, net, pictures, classes):
    optimizer = Adam(net)
    steps = EPOCHS * (len(pictures) // BATCH)
    for epoch in range(EPOCHS):
        order, losses = rng.permutation(len(pictures)), []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            probability = softmax(net.forward(shifted(rng, pictures[batch]), training=True))
            chosen = np.arange(BATCH), classes[batch]
            losses.append(-np.log(probability[chosen] + 1e-12).mean())
            d_logits = probability.copy()
            d_logits[chosen] -= 1
            net.backward((d_logits / BATCH).astype(np.float32))
            optimizer.update(RATE * (1 + np.cos(np.pi * optimizer.step / steps)) / 2)
        print(f"epoch {epoch + 1:2}: loss {np.mean(losses):.4f}", flush=True)


def export(net):
    emitter = Emitter()
    output = net.emit(emitter, "", "input")
    model = emitter.model("digits", output, [1, 8, 8], 10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, HERE / "digits.onnx")


def choose(probability, classes):
    """The first test picture of each class, then the two that the network gets right with the least confidence."""
    first = {NAMES[c]: int(np.argmax(classes == c)) for c in range(10)}
    right = probability.argmax(1) == classes
    confidence = np.where(right, probability.max(1), np.inf)
    unsure = [int(i) for i in np.argsort(confidence)[:2]]
    return first | {f"{NAMES[classes[i]]}_unsure": i for i in unsure}


def write_pictures(pictures, chosen):
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    grey = {name: np.round(pictures[i, 0] * 255).astype(np.uint8) for name, i in chosen.items()}
    for name, picture in grey.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    framed = [np.pad(picture, 1, constant_values=80) for picture in grey.values()]
    sheet = Image.fromarray(np.hstack(framed))
    sheet.resize((sheet.width * 8, sheet.height * 8), Image.Resampling.NEAREST).save(HERE / "sheet.png")


def main():
    rng = np.random.default_rng(SEED)
    pictures, classes, test_pictures, test_classes = data()
    net = network(rng)
    train(rng, net, pictures, classes)
    export(net)

    session = onnxruntime.InferenceSession(HERE / "digits.onnx", providers=["CPUExecutionProvider"])
    (probability,) = session.run(None, {"input": test_pictures})
    accuracy = float((probability.argmax(1) == test_classes).mean())
    chosen = choose(probability, test_classes)
    write_pictures(test_pictures, chosen)
    golden = test_pictures[list(chosen.values())]
    np.save(HERE / "golden_input.npy", golden)
    np.save(HERE / "golden_output.npy", session.run(None, {"input": golden})[0])
    (HERE / "labels.txt").write_text("".join(f"{name}\n" for name in NAMES))
    record = {
        "test_accuracy": round(accuracy, 4),
        "test_pictures": len(test_classes),
        "parameters": sum(param.size for param in net.params),
        "golden_pictures": list(chosen),
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }
    (HERE / "record.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
