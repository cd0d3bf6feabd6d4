// What is taken depends on the state, the schedule and the larger model alone, so a run that was
// stopped meanwhile takes the same again. Once a step has been made, checkpoints have A, B and W_0,
// and the larger model is not read any more.
#include "train/transplant.h"

#include <array>
#include <chrono>

#include "adapters/transplant.h"
#include "base/rng.h"
#include "base/stopwatch.h"
#include "policies/transplant.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

// Loads the weights alone, in the precision in which they were saved. Losses are those of the text:
// without the terms of routers, which would count for the sensitivity of weights below them.
std::unique_ptr<model::Model> load_weights(const state::CheckpointReader& reader,
                                           const at::Device& device) {
  const bool fp64 = reader.header().dtype == state::DType::f64;
  arch::ModelConfig config = reader.header().model;
  config.router_loss = config.routed_loss = 0;
  auto model = model::make_model(
      config,
      {.device = device, .precision = fp64 ? model::Precision::fp64 : model::Precision::fp32});
  load_tensors(reader, std::array{state::TensorKind::weights}, *model);
  return model;
}

struct Measured {
  Transplant made;
  double flops = 0;
  std::string identity;  // of the checkpoint
};

Measured measure(RunContext& run, const plan::StagePlan& stage, const DeviceState& live,
                 const arch::AdapterSet& set) {
  const schedule::AdaptersSpec& keys = *stage.policies.adapters;
  const state::CheckpointReader reader(keys.from);
  const std::unique_ptr<model::Model> larger = load_weights(reader, live.options.device);
  const std::int64_t length = plan::sample_length(larger->config(), stage.model);
  const CounterRng seeds(live.header.seed, hash_name("sensitivity samples"));
  data::BatchStream stream(run.data.train, length, stage.model.vocab,
                           {seeds.bits(static_cast<std::uint64_t>(live.header.progress.step)), 0});
  const auto next = [&] { return model::to_device(stream.next(1, length), live.options.device); };
  Measured measured{transplant(*larger, stage.model, set, keys.samples, next),
                    plan::sensitivity_flops(keys, larger->config(), stage.model).total,
                    reader.identity()};
  run.data.train->check_unchanged(run.data.train_fingerprint);
  return measured;
}

// Gives all ranks the first one's numbers. The others have zeros, so the sums are exact.
void share(dist::Ranks& ranks, const arch::AdapterSet& set, const model::ParamBuffer& params,
           Measured& measured) {
  measured.flops = ranks.from_first(measured.flops);
  measured.made.factors.resize(set.matrices.size());
  for (std::size_t i = 0; i < set.matrices.size(); ++i) {
    const auto& axes =
        params.table()[static_cast<std::size_t>(params.table().index(set.matrices[i]))].axes;
    grow::LowRankFactors& factors = measured.made.factors[i];
    factors.a.resize(static_cast<std::size_t>(set.rank * axes[1].size));
    factors.b.resize(static_cast<std::size_t>(set.rank * axes[0].size));
    for (std::vector<double>* one : {&factors.a, &factors.b}) ranks.sum(*one);
  }
}

void log_transplant(RunContext& run, const plan::StagePlan& stage, const state::Progress& progress,
                    const Measured& measured, double seconds) {
  const schedule::AdaptersSpec& keys = *stage.policies.adapters;
  Json event = place_event("transplant", progress);
  event.update({{"from", keys.from},
                {"from_checksum", measured.identity},
                {"samples", keys.samples},
                {"layers", measured.made.layers},
                {"sensitivity_flops", measured.flops},
                {"sensitivity_seconds", seconds}});
  run.log.write(event);
  run.line.print(fmt::format(
      "adapters of {} begin from layers {} of {}, chosen by {} of text; measuring took {} FLOPs, "
      "{}",
      stage.name, fmt::join(measured.made.layers, ", "), keys.from,
      counted(keys.samples, "sequence"), short_count(measured.flops), short_seconds(seconds)));
}

}  // namespace

void begin_from_larger(RunContext& run, const plan::StagePlan& stage, DeviceState& live,
                       const arch::AdapterSet& set) {
  run.ranks.stop_point("measuring the larger model");
  run.ranks.set_phase("measuring the larger model for the adapters of stage " + stage.name);
  const auto start = std::chrono::steady_clock::now();
  Measured measured;
  if (run.ranks.first()) measured = measure(run, stage, live, set);
  model::ParamBuffer& params = live.model->params();
  share(run.ranks, set, params, measured);
  begin_adapters(live, set);
  for (std::size_t i = 0; i < set.matrices.size(); ++i)
    live.adapters->begin_with(measured.made.factors[i], i, params);
  const double seconds = run.ranks.from_first(seconds_since(start));
  state::Progress& progress = live.header.progress;
  progress.flops += measured.flops;
  progress.seconds += seconds;
  if (run.ranks.first()) log_transplant(run, stage, progress, measured, seconds);
}

}  // namespace stagedtrain::train
