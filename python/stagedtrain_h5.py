"""Reads checkpoints and run logs of stagedtrain with h5py and numpy (docs/checkpoint-format.md, docs/run-log.md).

    import stagedtrain_h5 as st
    with st.Checkpoint("runs/first/stages/full.h5") as checkpoint:
        print(checkpoint.step, checkpoint.config["layers"], checkpoint.weights["embed.token"].shape)
        model.load_state_dict(checkpoint.torch_state_dict())    # needs PyTorch
    table = st.run_log("runs/first")                            # {"step": array, "loss": array, ...}
    pandas.DataFrame(st.run_log("runs/first", event="evaluate"))
From a shell: python stagedtrain_h5.py FILE.h5 says what a checkpoint is.
"""
import collections.abc
import json
import pathlib
import sys

import h5py
import numpy as np

FORMAT, VERSION = b"stagedtrain training state", 3


class Tensors(collections.abc.Mapping):
    """The tensors of one group by name; each is read from the file when it is asked for."""

    def __init__(self, group):
        self._group = group

    def __getitem__(self, name):
        return self._group[name][()]

    def __iter__(self):
        return iter(self._group)

    def __len__(self):
        return len(self._group)


class Checkpoint:
    """A training state: weights, exp_avg and exp_avg_sq are mappings from names to numpy arrays."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._file = h5py.File(self.path, "r")
        if self._file.attrs.get("format") not in (FORMAT, FORMAT.decode()):
            raise ValueError(f"{path}: not a checkpoint of stagedtrain")
        if self._file.attrs["format_version"] != VERSION:
            raise ValueError(f"{path}: format version {self._file.attrs['format_version']}, expected {VERSION}")
        self.metadata = json.loads(self._file["metadata"][()].tobytes())
        self.weights, self.exp_avg, self.exp_avg_sq = (Tensors(self._file[g]) for g in ("weights", "exp_avg", "exp_avg_sq"))
        self.ema = Tensors(self._file["ema"]) if "ema" in self._file else None  # moving average of the weights
        self.config = self.metadata["model"]  # architecture, layers, width, heads, ...
        self.lineage = self.metadata["lineage"]  # one entry for each growth, oldest first
        self.step, self.tokens = (self.metadata["progress"][key] for key in ("step", "tokens"))

    def tokenizer(self):
        """Bytes of the tokenizer.json or SentencePiece model; b"bytes" or b"" where there is no such file."""
        if "tokenizer" in self._file:
            return self._file["tokenizer"][()].tobytes()
        return self.metadata["run"]["tokenizer"].encode()

    def offset(self, name, group="weights"):
        """(byte in the file, dtype, shape) of a tensor, for numpy.memmap: tensors are contiguous and uncompressed."""
        dataset = self._file[group][name]
        return dataset.id.get_offset(), dataset.dtype, dataset.shape

    def torch_state_dict(self, group="weights"):
        """The tensors of a group as PyTorch's, under the names that this project gives them."""
        import torch

        return {name: torch.from_numpy(array) for name, array in Tensors(self._file[group]).items()}

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def events(run):
    """The events of a run (its folder, or a run.jsonl) as dictionaries. What a resume made void is left out."""
    path = pathlib.Path(run)
    path = path / "run.jsonl" if path.is_dir() else path
    found, lines = [], path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            event = json.loads(line)
        except ValueError as error:
            after = "".join(lines[number : number + 1])  # a crash cuts the last line of a process
            if after and '"start"' not in after and '"resume"' not in after:
                raise ValueError(f"{path}:{number}: {error}") from None
            continue
        if event["event"] == "resume":
            found = [e for e in found if e.get("step", 0) <= event["step"]]
        found.append(event)
    return found


def run_log(run, event="step"):
    """One kind of event as a table: {column: numpy array}. Numbers that are not known are NaN."""
    rows = [e for e in events(run) if e["event"] == event]
    rows = list({(row.get("step"), row.get("stage")): row for row in rows}.values())  # a later line replaces
    columns = dict.fromkeys(key for row in rows for key in row if key != "event")
    table = {}
    for key in columns:
        values = [row.get(key) for row in rows]
        number = all(isinstance(v, (int, float)) or v is None for v in values)
        table[key] = np.array([np.nan if v is None and number else v for v in values], dtype=None if number else object)
    return table


if __name__ == "__main__":
    with Checkpoint(sys.argv[1]) as shown:
        print(json.dumps({"step": shown.step, "model": shown.config, "lineage": shown.lineage}, indent=2))
        for tensor in shown.weights:
            print(f"{tensor:48} {shown.offset(tensor)[2]}")
