// Saves a whole training state to a checkpoint and loads it back.
#include "checkpoint/checkpoint.h"

#include "arch/distinct_tensors.h"
#include "checkpoint/layout.h"

namespace stagedtrain::state {

StateHeader header_of(const TrainingState& state) {
  const std::vector<HostTensor>& weights = state.of(TensorKind::weights);
  ST_CHECK(!weights.empty(), "a state without tensors");
  return {state.model,    weights.front().dtype(), state.histories,
          state.mask,     state.progress,          state.data,
          state.seed,     state.lineage,           state.run,
          state.has_ema()};
}

TrainingState state_of(const StateHeader& header) {
  TrainingState state;
  state.model = header.model;
  state.histories = header.histories;
  state.mask = header.mask;
  state.progress = header.progress;
  state.data = header.data;
  state.seed = header.seed;
  state.lineage = header.lineage;
  state.run = header.run;
  return state;
}

void save(const Path& target, const TrainingState& state, Replace replace) {
  CheckpointWriter writer(target, header_of(state), replace);
  for (const TensorKind kind : tensor_kinds(state.has_ema()))
    for (std::size_t i = 0; i < state.of(kind).size(); ++i) {
      const HostTensor& tensor = state.of(kind)[i];
      ST_CHECK(tensor.dtype() == state.of(TensorKind::weights).front().dtype(),
               "tensors of mixed types");
      writer.write(kind, i, tensor.bytes(), nullptr);
    }
  writer.commit();
}

TrainingState load(const Path& path) {
  const CheckpointReader reader(path);
  TrainingState state = state_of(reader.header());
  for (const TensorKind kind : reader.header().kinds())
    for (std::size_t i = 0; i < reader.table().size(); ++i)
      state.of(kind).push_back(reader.read(kind, i));
  return state;
}

std::uint64_t checkpoint_bytes(const arch::ModelConfig& model, DType dtype, bool ema) {
  std::vector<RepeatedDataset> repeated;
  for (const arch::DistinctTensor& tensor : arch::distinct_tensors(model))
    for (Dataset& dataset : tensor_datasets(arch::ParamTable({tensor.spec}), dtype, ema))
      repeated.push_back({std::move(dataset), static_cast<std::uint64_t>(tensor.copies)});
  return expected_file_bytes(repeated);
}

}  // namespace stagedtrain::state
