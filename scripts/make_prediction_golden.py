#!/usr/bin/env python3
"""Predicts layers as docs/growth.md ("Operators of depth", predicted) says, with numpy alone, and prints them.

Needs numpy. The numbers stand in tests/learned/layer_prediction_test.cc.

An oracle for lib/learned/layer_prediction.cc: other code for the decomposition, the network and
Adam, with the same random numbers (base/rng.h) and the same order of rows.
"""

import numpy as np

MASK = (1 << 64) - 1
HIDDEN, BATCH, EPOCHS, RATE, NORM_SHARE = 256, 64, 10, 1e-3, 5e-4


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def hash_name(name):
    h = 0xCBF29CE484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001B3) & MASK
    return mix(h)


def bits(seed, index):
    return mix(mix(mix(seed)) ^ mix(index))


def uniform(seed, rows, columns, bound):
    numbers = [(bits(seed, i) >> 11) / 2**53 for i in range(rows * columns)]
    return bound * (2 * np.array(numbers).reshape(rows, columns) - 1)


def factors(layers):
    u, s, vt = np.linalg.svd(np.concatenate(layers, axis=1), full_matrices=False)
    rank = np.sum(s > s[0] * np.finfo(float).eps * max(u.shape[0], vt.shape[1]))
    signs = np.array([1 if u[np.argmax(np.abs(u[:, k])), k] > 0 else -1 for k in range(rank)])
    scale = np.sqrt(vt.shape[1])
    own = np.split(vt[:rank] * signs[:, None] * scale, len(layers), axis=1)
    return u[:, :rank] * signs * s[:rank] / scale, own


class Network:
    def __init__(self, columns, seed):
        self.p = []
        for number, (i, o) in ((1, (2 * columns, HIDDEN)), (2, (HIDDEN, HIDDEN))):
            stream = hash_name(f"prediction {number} {seed}")
            self.p += [uniform(stream, o, i, i**-0.5), uniform(stream + 1, o, 1, i**-0.5)[:, 0]]
        self.p += [np.zeros((columns, HIDDEN)), np.zeros(columns)]
        self.m, self.v, self.t = [0.0 * p for p in self.p], [0.0 * p for p in self.p], 0

    def forward(self, x):
        w1, b1, w2, b2, w3, b3 = self.p
        h1 = np.maximum(x @ w1.T + b1, 0)
        h2 = np.maximum(h1 @ w2.T + b2, 0)
        half = x.shape[1] // 2
        return h1, h2, (x[:, :half] + x[:, half:]) / 2 + h2 @ w3.T + b3

    def train(self, x, y):
        h1, h2, p = self.forward(x)
        norm = np.linalg.norm(p)
        d = (1 - NORM_SHARE) * 2 * (p - y) / p.size + NORM_SHARE * 2 * (norm - np.linalg.norm(y)) * p / norm
        d2 = (d @ self.p[4]) * (h2 > 0)
        d1 = (d2 @ self.p[2]) * (h1 > 0)
        self.t += 1
        for i, g in enumerate([d1.T @ x, d1.sum(0), d2.T @ h1, d2.sum(0), d.T @ h2, d.sum(0)]):
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g
            m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.999**self.t)
            self.p[i] = self.p[i] - RATE * m / (np.sqrt(v) + 1e-8)


def predict(layers, below, seed):
    shared, own = factors(layers)
    x = np.concatenate([np.concatenate([own[i], own[i + 2]], 1) for i in range(len(layers) - 2)])
    y = np.concatenate(own[1:-1])
    network = Network(layers[0].shape[1], seed)
    order = hash_name(f"prediction order {seed}")
    for epoch in range(EPOCHS):
        rows = sorted(range(len(y)), key=lambda i: bits(order, epoch * len(y) + i))
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            network.train(x[batch], y[batch])
    return [shared @ network.forward(np.concatenate([own[i], own[i + 1]], 1))[2] for i in below]


def made_up(layer, rows, columns):
    return np.array([[np.sin(1 + 0.7 * layer * layer + 1.3 * r + 2.1 * c * r + 0.4 * layer * c) for c in range(columns)] for r in range(rows)])


for name, rows, columns, count in (("wide", 4, 6, 5), ("many rows", 30, 5, 6)):
    matrices = [made_up(i, rows, columns) for i in range(count)]
    for matrix in predict(matrices, [0, count - 2], 7):
        print(name, [float(f"{x:.12g}") for x in matrix.flatten()[:12]])
