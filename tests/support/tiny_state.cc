// Values from the counter-based generator, one stream for each kind and tensor.
#include "support/tiny_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/rng.h"
#include "checkpoint/checkpoint.h"

namespace stagedtrain::test {
namespace {

bool same_bytes(const state::HostTensor& a, const state::HostTensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::ranges::equal(a.bytes(), b.bytes());
}

void fill_moments(state::TrainingState& state, std::uint64_t seed) {
  for (std::size_t i = 0; i < state.of(state::TensorKind::exp_avg).size(); ++i) {
    const CounterRng rng(seed, 1000 + i);
    state::HostTensor& first = state.of(state::TensorKind::exp_avg)[i];
    state::HostTensor& second = state.of(state::TensorKind::exp_avg_sq)[i];
    for (std::int64_t j = 0; j < first.count(); ++j) {
      const auto index = static_cast<std::uint64_t>(j);
      first.set(j, 1e-3 * rng.normal(2 * index));
      second.set(j, 1e-6 * rng.uniform(1000000 + index));
    }
  }
}

}  // namespace

arch::ModelConfig tiny_model(std::int64_t layers, std::int64_t width) {
  arch::ModelConfig model;
  model.layers = layers;
  model.width = width;
  model.heads = 2;
  model.vocab = 32;
  model.context = 16;
  return arch::resolved(model);
}

state::TrainingState tiny_state(std::uint64_t seed, state::DType dtype,
                                const arch::ModelConfig& model) {
  state::TrainingState state = state::fresh(model, seed, dtype);
  fill_moments(state, seed);
  state.histories.front().age.start = 3;
  state.histories.back() = {{7, 2}, 1, 0.5, 2, 1.0 / 3.0};
  state.progress = {.step = 12,
                    .tokens = 24576,
                    .flops = 1.0 / 3.0,
                    .seconds = 1e-300,
                    .stage = "full \"quoted\" \xc3\xa9",
                    .stage_index = 1,
                    .stage_step = 5,
                    .stage_done = true,
                    .total_steps = 3000,
                    .learning_rate = 3e-3,
                    .loss_mean = -0.0,
                    .loss_var = 5e-324,
                    .norm_mean = 1.7976931348623157e308,
                    .norm_var = 0.1};
  state.data = {.seed = ~std::uint64_t{0}, .index = 192};
  state.seed = 0x8000000000000001ull + seed;
  state.lineage = {
      {"runs/a/stages/shallow.h5", "0123abcd", "{operator: depth, layers: 2}", 7, tiny_model(1)}};
  state.run = {"seed: 1\nstages: []\n", std::string("\x0a\x05\0<unk>\xff", 9), "data/train.bin",
               "deadbeef", 4.25};
  return state;
}

state::TrainingState clone(const state::TrainingState& state) {
  state::TrainingState copy = state_of(header_of(state));
  for (const state::TensorKind kind : state::tensor_kinds(state.has_ema()))
    for (const state::HostTensor& tensor : state.of(kind)) copy.of(kind).push_back(tensor.clone());
  return copy;
}

std::string difference(const state::TrainingState& a, const state::TrainingState& b) {
  if (!(a.model == b.model)) return "model";
  if (a.histories != b.histories) return "histories";
  if (!(a.mask == b.mask)) return "mask";
  if (!(a.progress == b.progress)) return "progress";
  if (!(a.data == b.data)) return "data";
  if (a.seed != b.seed) return "seed";
  if (a.lineage != b.lineage) return "lineage";
  if (!(a.run == b.run)) return "run";
  for (const state::TensorKind kind : state::tensor_kinds(true)) {
    if (a.of(kind).size() != b.of(kind).size()) return fmt::format("number of {}", kind_name(kind));
    for (std::size_t i = 0; i < a.of(kind).size(); ++i)
      if (!same_bytes(a.of(kind)[i], b.of(kind)[i]))
        return fmt::format("{} {}", kind_name(kind), i);
  }
  return "";
}

}  // namespace stagedtrain::test
