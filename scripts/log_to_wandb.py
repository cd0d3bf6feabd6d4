#!/usr/bin/env python3
"""Sends the log of a run to Weights & Biases. Run again, it adds what is new.

usage: log_to_wandb.py RUN [--project stagedtrain] [--name NAME]   Needs `pip install wandb`, h5py and numpy.

WANDB_MODE=offline writes into ./wandb, for `wandb sync`.
"""
import hashlib

import wandb

import run_metrics


def main():
    options = run_metrics.arguments(__doc__, "--project")
    path = options.run.resolve()
    identity = hashlib.sha1(str(path).encode()).hexdigest()[:12]  # the same run when called again
    run = wandb.init(project=options.project, name=options.name or path.name, id=identity, resume="allow",
                     config=run_metrics.settings(path))
    known = run.step  # steps below it were sent before
    sent = 0
    for step, numbers in run_metrics.metrics(path):
        if step >= known:
            run.log(numbers, step=step)
            sent += 1
    run.finish()
    print(f"{path}: {sent} steps sent")


if __name__ == "__main__":
    main()
