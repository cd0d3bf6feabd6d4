"""What a run.jsonl tells other trackers: names and numbers over steps. Shared by log_to_wandb.py and log_to_mlflow.py."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import stagedtrain_h5  # noqa: E402

# The names that `train --tensorboard` uses too.
NAMES = {
    "step": {
        "loss": "train/loss",
        "grad_norm": "train/grad_norm",
        "lr": "train/lr",
        "tokens_per_second": "perf/tokens_per_second",
        "flops_per_second": "perf/flops_per_second",
        "mfu": "perf/mfu",
        "tokens": "progress/tokens",
        "flops": "progress/flops",
    },
    "evaluate": {"loss": "val/loss", "stderr": "val/stderr", "ema_loss": "val/ema_loss"},
    "stage_end": {"loss": "val/loss", "stderr": "val/stderr", "ema_loss": "val/ema_loss"},
    "grow": {"params_after": "growth/params", "loss_before": "growth/loss_before", "loss_after": "growth/loss_after"},
    "end": {"bits_per_byte": "val/bits_per_byte"},
}


def metrics(run):
    """(step, {name: number}) in the order of steps, those of one step together."""
    by_step = {}
    for event in stagedtrain_h5.events(run):
        for key, name in NAMES.get(event["event"], {}).items():
            if event.get(key) is not None:
                by_step.setdefault(event["step"], {})[name] = event[key]
    return sorted(by_step.items())


def settings(run):
    """What the last process was started with: model, data, seed, and the keys of the schedule."""
    starts = [event for event in stagedtrain_h5.events(run) if event["event"] == "start"]
    if not starts:
        raise SystemExit(f"{run}: the log has no start event yet")
    start = dict(starts[-1])
    start.update(start.pop("settings", {}))
    return {key: value for key, value in start.items() if key != "event"}


def arguments(description, group):
    """Options of a script: the run, the name it gets, and the tracker's word for what runs belong to."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument(group, default="stagedtrain")
    parser.add_argument("--name")
    return parser.parse_args()
