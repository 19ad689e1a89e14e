#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes Equant's bundled sample: a drawn data set and a MobileNetV2-style network trained on it.

What it makes, beside this script (or in --out):
    images/<index>_<class>/NNN.png    400 labelled test pictures, 64x64 RGB, 25 of each of 16 shapes
    equant_sample.onnx                the trained network, opset 13, BatchNormalization kept as nodes
    equant_sample.preprocess.json     how a picture becomes the network's input

How to run it (Debian: python3-torch python3-onnx python3-numpy python3-pil):
    /usr/bin/python3 make_sample.py                    the whole of it: about 11 minutes on two cores
    /usr/bin/python3 make_sample.py --epochs 3 --train 3000 --out /tmp/trial    a quick trial

Every picture has a random generator of its own, seeded by (SEED, split, number), so a picture does not
depend on how many others are drawn. Training is seeded too: the same versions of the libraries on the same
kind of processor give the same network again. The network exported is the one after the last epoch, not
the best one on the test pictures. Its weights are what training left; nothing is rescaled.
"""
import argparse
import copy
import json
import math
import shutil
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import nn
from torch.nn import functional as F

SEED = 20
SIZE = 64            # side of a picture, in pixels
OVERSAMPLE = 4       # outlines are drawn this much larger, then averaged down
TEST_PER_CLASS = 25
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
PREPROCESS = {"resize": "none", "channels": "RGB", "scale": 1 / 255, "mean": MEAN, "std": STD}


# ---- shapes: (solid outlines, holes) in a frame from -1 to 1, y pointing down ---------------------------------

def polar(radius, count=120, start=-math.pi / 2):
    """An outline from radius(angle), the angle measured clockwise from the top."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    length = np.broadcast_to(radius(angle), angle.shape)
    return np.stack([length * np.cos(angle + start), length * np.sin(angle + start)], 1)


def disc(radius, centre=(0, 0)):
    return polar(lambda angle: radius) + np.array(centre)


def regular(corners):
    return polar(lambda angle: 1.0, corners)


def box(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def arrow(rng):
    shaft, neck = rng.uniform(0.2, 0.32), rng.uniform(-0.2, 0.1)
    right = [(0, -1), (0.75, neck), (shaft, neck), (shaft, 1)]
    return [np.array(right + [(-x, y) for x, y in right[:0:-1]])], []


def bolt(rng):
    return [np.array([(0.25, -1), (-0.6, 0.15), (-0.08, 0.15), (-0.3, 1), (0.6, -0.25), (0.08, -0.25)])], []


def circle(rng):
    return [disc(0.9)], []


def crescent(rng):
    depth = rng.uniform(0.3, 0.5)
    angle = np.linspace(-2.2, 2.2, 60)
    outer = np.stack([-np.cos(angle), np.sin(angle)], 1)
    inner = np.stack([-np.cos(angle) * (1 - depth) + outer[0, 0] * depth, np.sin(angle)], 1)
    return [np.concatenate([outer, inner[::-1]]) * 0.95 + (0.2, 0)], []


def cross(rng):
    arm = rng.uniform(0.25, 0.38)
    return [box(-arm, -1, arm, 1), box(-1, -arm, 1, arm)], []


def drop(rng):
    angle = np.linspace(0, 2 * math.pi, 100, endpoint=False)
    return [np.stack([0.95 * np.sin(angle) * np.sin(angle / 2) ** 1.6, -np.cos(angle)], 1)], []


def flower(rng):
    petals = rng.integers(5, 8)
    return [polar(lambda a: 0.62 + 0.38 * np.abs(np.cos(a * petals / 2)), 240)], [disc(0.24)]


def gear(rng):
    teeth, root = rng.integers(8, 11), rng.uniform(0.72, 0.78)
    tooth = lambda a: root + (1 - root) * np.clip(2.5 * np.cos(a * teeth) + 0.5, 0, 1)
    return [polar(tooth, 300)], [disc(rng.uniform(0.26, 0.36))]


def heart(rng):
    t = np.linspace(0, 2 * math.pi, 100, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([np.sin(t) ** 3, -(y + 2) / 15], 1)], []


def hexagon(rng):
    return [regular(6)], []


def house(rng):
    wall, door = rng.uniform(0.62, 0.75), rng.uniform(-0.35, 0.15)
    solid = [np.array([(0, -1), (1, -0.1), (-1, -0.1)]), box(-wall, -0.15, wall, 0.9)]
    return solid, [box(door, 0.3, door + 0.3, 0.92)]


def key(rng):
    bow = rng.uniform(0.4, 0.48)
    solid = [disc(bow, (0, -0.55)), box(-0.12, -0.3, 0.12, 1), box(0, 0.45, 0.45, 0.64), box(0, 0.8, 0.45, 1)]
    return solid, [disc(bow * 0.5, (0, -0.55))]


def ring(rng):
    return [disc(0.95)], [disc(rng.uniform(0.5, 0.68))]


def square(rng):
    return [box(-0.8, -0.8, 0.8, 0.8)], []


def star(rng):
    inner = rng.uniform(0.4, 0.52)
    return [regular(10) * np.where(np.arange(10) % 2, inner, 1.0)[:, None]], []


def triangle(rng):
    return [regular(3) + (0, 0.2)], []


SHAPES = [arrow, bolt, circle, crescent, cross, drop, flower, gear,
          heart, hexagon, house, key, ring, square, star, triangle]
CLASSES = [shape.__name__ for shape in SHAPES]


# ---- one picture ----------------------------------------------------------------------------------------------

def coverage(polygons, holes=()):
    """How much of each pixel the outlines (in pixels) cover, from 0 to 1: SIZE x SIZE x 1."""
    big = Image.new("L", (SIZE * OVERSAMPLE,) * 2)
    pen = ImageDraw.Draw(big)
    for value, outlines in ((255, polygons), (0, holes)):
        for outline in outlines:
            pen.polygon([tuple(p) for p in outline * OVERSAMPLE], fill=value)
    return np.asarray(big.reduce(OVERSAMPLE), np.float32)[..., None] / 255


def smooth_noise(rng, cells):
    """Soft blotches from -1 to 1."""
    grid = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((SIZE, SIZE), Image.BICUBIC))[..., None]


def ramp(rng, period=None):
    """A slope from 0 to 1 in a random direction, or a wave of that period in pixels."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2
    along = (x * math.cos(angle) + y * math.sin(angle))[..., None]
    if period is None:
        return np.clip(along / (1.4 * SIZE) + 0.5, 0, 1)
    return np.clip(1.5 * np.sin(2 * math.pi * along / period) + 0.5, 0, 1)


def random_colour(rng):
    hue, saturation, value = rng.random(), rng.uniform(0.15, 0.9), rng.uniform(0.2, 1.0)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation + saturation * wheel)).astype(np.float32)


def contrast(a, b):
    return abs(float((a - b) @ np.array([0.3, 0.59, 0.11]))) + 0.25 * float(np.abs(a - b).mean())


def colour_unlike(rng, other, least=0.4):
    while True:
        colour = random_colour(rng)
        if contrast(colour, other) > least:
            return colour


def surface(rng, colour, liveliness):
    """A colour with a gradient, blotches and sometimes stripes."""
    paint = colour + liveliness * (random_colour(rng) - 0.5) * (ramp(rng) - 0.5)
    paint = paint + liveliness * rng.uniform(0.05, 0.3) * smooth_noise(rng, rng.integers(3, 17))
    if rng.random() < 0.35:
        paint = paint + liveliness * rng.uniform(-0.25, 0.25) * ramp(rng, rng.uniform(5, 16))
    return paint


def line(rng, width):
    start, angle = rng.uniform(0, SIZE, 2), rng.uniform(0, 2 * math.pi)
    along = np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(20, 90) / 2
    across = np.array([-math.sin(angle), math.cos(angle)]) * width / 2
    return np.array([start - along - across, start + along - across, start + along + across, start - along + across])


def scrap(rng):
    """A small many-cornered bit of clutter."""
    corners = polar(lambda a: rng.uniform(0.5, 1.0, a.shape), rng.integers(3, 8), rng.uniform(0, 6))
    return corners * rng.uniform(2, 6) + rng.uniform(0, SIZE, 2)


def placement(rng):
    """A random turn, stretch, size and position: the matrix and the offset from shape frame to pixels."""
    turn, size = rng.uniform(-0.8, 0.8), rng.uniform(13, 25)
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    stretch = np.diag(rng.uniform(0.85, 1.15, 2)) + [[0, rng.uniform(-0.15, 0.15)], [0, 0]]
    return spin @ stretch * size, SIZE / 2 + rng.uniform(-1, 1, 2) * max(3, 30 - size)


def over(canvas, alpha, paint):
    return canvas + alpha * (paint - canvas)


def draw_clutter(rng, canvas, lines, scraps):
    for _ in range(rng.integers(0, lines + 1)):
        canvas = over(canvas, coverage([line(rng, rng.uniform(0.7, 2.5))]), random_colour(rng))
    for _ in range(rng.integers(0, scraps + 1)):
        canvas = over(canvas, coverage([scrap(rng)]), random_colour(rng))
    return canvas


def draw_shape(rng, canvas, shape, ground):
    matrix, offset = placement(rng)
    solid, holes = ([p @ matrix.T + offset for p in part] for part in shape(rng))
    alpha, colour = coverage(solid, holes), colour_unlike(rng, ground)
    if rng.random() < 0.5:
        shift = tuple(rng.integers(1, 4, 2))
        canvas = canvas * (1 - rng.uniform(0.2, 0.5) * np.roll(alpha, shift, (0, 1)))
    canvas = over(canvas, alpha, surface(rng, colour, 0.45))
    if rng.random() < 0.4:
        inside = Image.fromarray((alpha[..., 0] * 255).astype(np.uint8)).filter(ImageFilter.MinFilter(3))
        rim = np.clip(alpha - np.asarray(inside, np.float32)[..., None] / 255, 0, 1)
        canvas = over(canvas, rim, colour * rng.uniform(0.3, 0.7))
    return canvas


def photograph(rng, canvas):
    """What a camera adds: blur, exposure, noise."""
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    values = np.asarray(picture, np.float32) / 255
    values = (values - 0.5) * rng.uniform(0.8, 1.15) + 0.5 + rng.uniform(-0.1, 0.1)
    values = values + rng.normal(0, rng.uniform(0, 0.035), values.shape)
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def draw_picture(split, number):
    """Picture `number` of a split (0 training, 1 test): 64x64x3 bytes. Its class is number % len(SHAPES)."""
    rng = np.random.default_rng([SEED, split, number])
    ground = random_colour(rng)
    canvas = draw_clutter(rng, surface(rng, ground, 0.8), lines=4, scraps=6)
    canvas = draw_shape(rng, canvas, SHAPES[number % len(SHAPES)], ground)
    canvas = draw_clutter(rng, canvas, lines=2, scraps=2)
    return photograph(rng, canvas)


def draw_split(split, count):
    """`count` pictures as an N x 3 x 64 x 64 byte tensor, and their classes."""
    with Pool(2) as pool:
        pictures = pool.starmap(draw_picture, [(split, n) for n in range(count)], chunksize=100)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.arange(count) % len(SHAPES)


# ---- the network ----------------------------------------------------------------------------------------------

class ConvUnit(nn.Module):
    """Convolution, batch normalization and, unless it is a linear projection, ReLU6."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, linear=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu6 = None if linear else nn.ReLU6()

    def forward(self, x):
        x = self.bn(self.conv(x))
        return x if self.relu6 is None else self.relu6(x)


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvUnit(inputs, wide) if expansion > 1 else None
        self.depthwise = ConvUnit(wide, wide, 3, stride, groups=wide)
        self.project = ConvUnit(wide, outputs, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class SampleNet(nn.Module):
    # expansion, output channels, blocks, stride of the first block
    STAGES = [(1, 16, 1, 1), (4, 24, 2, 2), (6, 32, 2, 2), (6, 48, 2, 1), (6, 64, 2, 2)]

    def __init__(self, classes=len(CLASSES), head=256):
        super().__init__()
        self.stem = ConvUnit(3, 16, 3, 2)
        channels, blocks = 16, []
        for expansion, outputs, count, stride in self.STAGES:
            for i in range(count):
                blocks.append(InvertedResidual(channels, outputs, stride if i == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvUnit(channels, head)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(head, classes)
        self.apply(self.initialise)

    @staticmethod
    def initialise(module):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x):
        x = self.pool(self.head(self.blocks(self.stem(x))))
        return self.classifier(x.flatten(1))


# ---- training -------------------------------------------------------------------------------------------------

def normalise(pictures):
    return (pictures.float() / 255 - MEAN[0]) / STD[0]


def augment(pictures):
    """Mirrors half of the batch and shifts all of it by up to 4 pixels."""
    mirrored = torch.rand(len(pictures), 1, 1, 1) < 0.5
    pictures = torch.where(mirrored, pictures.flip(3), pictures)
    dx, dy = torch.randint(0, 9, (2,)).tolist()
    return F.pad(pictures.float(), (4, 4, 4, 4), mode="replicate")[:, :, dy:dy + SIZE, dx:dx + SIZE]


@torch.no_grad()
def accuracy(model, pictures, labels):
    model.eval()
    hits = [(model(normalise(p)).argmax(1) == l).sum() for p, l in zip(pictures.split(100), labels.split(100))]
    return float(sum(hits)) / len(labels)


def parameter_groups(model, decay):
    """Weight decay on dense convolutions and the classifier only, not on depthwise ones nor normalization."""
    dense = [p for p in model.parameters() if p.dim() > 1 and p.shape[1] > 1]
    chosen = {id(p) for p in dense}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [{"params": dense, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def train(model, pictures, labels, epochs, peak, decay, batch=64, prepare=augment):
    model = model.to(memory_format=torch.channels_last)  # about twice as fast on a processor
    optimiser = torch.optim.SGD(parameter_groups(model, decay), lr=peak, momentum=0.9, nesterov=True)
    steps = len(pictures) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak, total_steps=epochs * steps, pct_start=0.15, cycle_momentum=False)
    for epoch in range(epochs):
        model.train()
        begin, losses = time.time(), []
        for chosen in torch.randperm(len(pictures))[:steps * batch].split(batch):
            x = normalise(prepare(pictures[chosen])).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(x), labels[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"  epoch {epoch + 1:2}  loss {np.mean(losses):.4f}  {time.time() - begin:.0f} s", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()


def train_linear(pictures, labels):
    """Logistic regression on raw pixels: what the task costs without looking at shapes."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, len(CLASSES)))
    nn.init.zeros_(model[1].weight)
    return train(model, pictures, labels, 8, 3e-4, 1e-2, prepare=lambda p: p)


# ---- naive rounding of the weights, as a yardstick -------------------------------------------------------------

def folded(model):
    """A copy with every batch normalization merged into its convolution."""
    model = copy.deepcopy(model).eval()
    for unit in [m for m in model.modules() if isinstance(m, ConvUnit)]:
        unit.conv, unit.bn = torch.nn.utils.fuse_conv_bn_eval(unit.conv, unit.bn), nn.Identity()
    return model


@torch.no_grad()
def rounded(model, per_channel, bits=8):
    """The folded copy with its weights rounded to a symmetric grid; activations and biases stay float."""
    model, top = folded(model), 2 ** (bits - 1) - 1
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            w = layer.weight
            step = (w.abs().flatten(1).amax(1) if per_channel else w.abs().max().expand(len(w))) / top
            step = step.clamp_min(1e-12).view(-1, *[1] * (w.dim() - 1))
            layer.weight.copy_((w / step).round().clamp(-top, top) * step)
    return model


# ---- writing --------------------------------------------------------------------------------------------------

def write_images(pictures, labels, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for number, (picture, label) in enumerate(zip(pictures, labels.tolist())):
        home = folder / f"{label:02}_{CLASSES[label]}"
        home.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        image.save(home / f"{number // len(CLASSES):03}.png", optimize=True)


def read_images(folder):
    files = sorted(folder.glob("*/*.png"))
    pictures = np.stack([np.asarray(Image.open(f)) for f in files])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.tensor([int(f.parent.name[:2]) for f in files])


def write_network(model, path):
    torch.onnx.export(
        model.eval(), torch.zeros(1, 3, SIZE, SIZE), str(path), opset_version=13,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})
    network = onnx.load(path)
    onnx.helper.set_model_props(network, {
        "equant.preprocess": json.dumps(PREPROCESS), "equant.classes": json.dumps(CLASSES)})
    network.graph.name = "equant_sample"
    onnx.checker.check_model(network)
    onnx.save(network, path)
    path.with_suffix(".preprocess.json").write_text(json.dumps(PREPROCESS, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--train", type=int, default=16000, help="number of training pictures")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--peak", type=float, default=0.4, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=2e-3, help="weight decay of dense convolutions")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)

    begin = time.time()
    pictures, labels = draw_split(0, options.train)
    write_images(*draw_split(1, TEST_PER_CLASS * len(CLASSES)), options.out / "images")
    test = read_images(options.out / "images")
    print(f"drew {len(pictures)} training and {len(test[0])} test pictures in {time.time() - begin:.0f} s")

    print("linear classifier on raw pixels:")
    linear = train_linear(pictures, labels)
    print("network:")
    model = train(SampleNet(), pictures, labels, options.epochs, options.peak, options.decay)
    write_network(model, options.out / "equant_sample.onnx")

    print(f"parameters                             {sum(p.numel() for p in model.parameters())}")
    for name, candidate in [("linear classifier", linear), ("network", model),
                            ("network, weights W8 per tensor", rounded(model, False)),
                            ("network, weights W8 per channel", rounded(model, True))]:
        print(f"{name:32} {100 * accuracy(candidate, *test):6.2f} % of the test pictures")
    print(f"all done in {(time.time() - begin) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
