// Checks that all ranks score the same before they begin.
#include "scoring/open_checkpoint.h"

#include <optional>

#include "base/host_name.h"
#include "base/single_stops.h"
#include "optim/full_shards.h"
#include "replicas/device_options.h"
#include "replicas/rank_of_process.h"
#include "replicas/same_everywhere.h"
#include "text/json.h"

namespace stagedtrain::train {

namespace {

// Divides the weights among the ranks, as --sharding full asks.
void divide(model::ModelOptions& options) {
  if (sharding_of_process(options.precision) != plan::Sharding::full) return;
  dist::Ranks& ranks = ranks_of_process(options.device);
  if (ranks.alone()) return;
  if (options.precision == model::Precision::fp64 || !options.device.is_cpu())
    throw usage_error("--sharding full: found {}, expected a checkpoint in fp32 on --device cpu",
                      options.device.is_cpu() ? "a checkpoint in fp64" : options.device.str())
        .with_hint("leave --sharding out; every process then holds the whole model");
  options.make_shards = full_shards(ranks);
}

}  // namespace

DeviceState open_checkpoint(const Path& path, const DeviceRequest& device, bool ema) {
  const state::StateHeader header = state::CheckpointReader(path).header();
  if (ema && !header.ema)
    throw usage_error("--ema: {} has no moving average of the weights", path.string())
        .with_hint("leave --ema out, or train with ema in the schedule");
  const auto precision =
      header.dtype == state::DType::f64 ? model::Precision::fp64 : model::Precision::fp32;
  model::ModelOptions options = model_options(device_of_rank(device), precision);
  divide(options);
  DeviceState live = load_live(path, options);
  if (ema) {
    live.model->params().weights().copy_(live.model->params().ema());
    live.model->weights_changed();
  }
  return live;
}

dist::Ranks& scoring_ranks(const DeviceRequest& device) {
  dist::Ranks& ranks = ranks_of_process(model::parse_device(device_of_rank(device).device));
  // Evaluations save nothing.
  static std::optional<StopsAreSingle> stops;
  if (!ranks.alone()) stops.emplace();
  ranks.set_phase("scoring");
  return ranks;
}

ScoredFact file_fact(const std::string& name, const Path& path, const std::string& checksum) {
  return {name, checksum, fmt::format("{} with checksum {}", path.string(), checksum)};
}

void refuse_other_work(dist::Ranks& ranks, std::vector<ScoredFact> facts) {
  if (ranks.alone()) return;
  const std::string program = program_checksum();
  facts.insert(facts.begin(), {"programs", program, "checksum " + program});
  Json own = {{"host", host_name()}};
  for (const ScoredFact& fact : facts) own[fact.name] = {fact.value, fact.shown};
  std::vector<Json> all;
  for (const std::string& text : ranks.gather(json_text(own, -1)))
    all.push_back(parse_json(text, "another rank"));
  const auto text = [](const Json& value) { return value.get<std::string>(); };
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    for (const ScoredFact& fact : facts) {
      // A rank that scores something else has no such fact.
      const Json absent = {"", "nothing"};
      const Json first = all[0].value(fact.name, absent),
                 other = all[rank].value(fact.name, absent);
      if (first[0] == other[0]) continue;
      throw ranks.agreed(
          usage_error(
              "rank 0 on {} and rank {} on {} would not score the same: {} differ ({} and {})",
              text(all[0]["host"]), rank, text(all[rank]["host"]), fact.name, text(first[1]),
              text(other[1]))
              .with_hint("start all ranks with the same program, options and files"));
    }
}

}  // namespace stagedtrain::train
