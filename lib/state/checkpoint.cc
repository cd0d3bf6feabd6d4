// Whole states to files and back.
#include "state/checkpoint.h"

#include "arch/architectures.h"
#include "state/blocks.h"

namespace stagedtrain::state {

StateHeader header_of(const TrainingState& state) {
  const std::vector<HostTensor>& weights = state.of(Kind::weights);
  ST_CHECK(!weights.empty(), "a state without tensors");
  return {state.model, weights.front().dtype(), state.moment_start, state.progress, state.data,
          state.seed,  state.lineage,           state.run};
}

void save(const Path& target, const TrainingState& state) {
  CheckpointWriter writer(target, header_of(state));
  for (const Kind kind : kKinds)
    for (std::size_t i = 0; i < state.of(kind).size(); ++i) {
      ST_CHECK(state.of(kind)[i].dtype() == state.of(Kind::weights).front().dtype(),
               "tensors of mixed types");
      writer.write(kind, i, state.of(kind)[i].bytes());
    }
  writer.commit();
}

TrainingState load(const Path& path) {
  const CheckpointReader reader(path);
  const StateHeader& header = reader.header();
  TrainingState state;
  state.model = header.model;
  state.moment_start = header.moment_start;
  state.progress = header.progress;
  state.data = header.data;
  state.seed = header.seed;
  state.lineage = header.lineage;
  state.run = header.run;
  for (const Kind kind : kKinds)
    for (std::size_t i = 0; i < reader.table().size(); ++i)
      state.of(kind).push_back(reader.read(kind, i));
  return state;
}

std::uint64_t checkpoint_bytes(const arch::ModelConfig& model, DType dtype) {
  constexpr std::uint64_t kPage = 4096, kDatasetStructure = 512;
  std::uint64_t total = 0;
  for (const arch::ParamSpec& spec : arch::param_table(model)) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(spec.count()) * dtype_size(dtype);
    total += bytes < kPage ? bytes : (bytes + kPage - 1) / kPage * kPage;
    total += kDatasetStructure + 4 * num_blocks(bytes);
  }
  return 3 * total;
}

}  // namespace stagedtrain::state
