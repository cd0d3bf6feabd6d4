#!/usr/bin/env python3
"""Sends the log of a run to MLflow. Run again, it adds what is new.

usage: log_to_mlflow.py RUN [--experiment stagedtrain] [--name NAME]   Needs `pip install mlflow-skinny`, h5py and numpy.

MLFLOW_TRACKING_URI says where; sqlite:///FILE needs no server (but sqlalchemy and alembic).
"""

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

import run_metrics

MOST_VALUE = 500  # characters of a parameter that MLflow takes


def find_run(client, experiment, path):
    """The MLflow run of this folder from an earlier call, or None."""
    found = client.search_runs([experiment], filter_string=f"tags.`stagedtrain.folder` = '{path}'", max_results=1)
    return found[0] if found else None


def main():
    options = run_metrics.arguments(__doc__, "--experiment")
    path = options.run.resolve()
    experiment = mlflow.set_experiment(options.experiment).experiment_id
    client = MlflowClient()
    run = find_run(client, experiment, path)
    if run is None:
        run = client.create_run(experiment, run_name=options.name or path.name, tags={"stagedtrain.folder": str(path)})
        for key, value in run_metrics.settings(path).items():
            client.log_param(run.info.run_id, key, str(value)[:MOST_VALUE])
    known = int(run.data.tags.get("stagedtrain.step", -1))
    new = [(step, numbers) for step, numbers in run_metrics.metrics(path) if step > known]
    for step, numbers in new:
        time = run.info.start_time + step  # MLflow wants one; only the order counts
        client.log_batch(run.info.run_id, [Metric(name, float(value), time, step) for name, value in numbers.items()])
    if new:
        client.set_tag(run.info.run_id, "stagedtrain.step", str(new[-1][0]))
    print(f"{path}: {len(new)} steps sent")


if __name__ == "__main__":
    main()
