// Holds the Ranks of this process, and joins them.
#include "replicas/rank_of_process.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "replicas/device_options.h"
#include "replicas/same_everywhere.h"
#include "text/json.h"

namespace stagedtrain::train {
namespace {

std::unique_ptr<dist::Ranks> g_ranks;

}  // namespace

dist::Ranks& ranks_of_process(const at::Device& device) {
  if (g_ranks) return *g_ranks;
  const dist::Place place = dist::place_of_this_process();
  g_ranks = place.alone() ? std::make_unique<dist::Ranks>()
                          : std::make_unique<dist::Ranks>(place, device);
  return *g_ranks;
}

plan::Sharding sharding_of_process(model::Precision precision) {
  const char* word = std::getenv("STAGEDTRAIN_SHARDING");
  const plan::Sharding sharding = plan::sharding_named(word ? word : "none");
  const bool wide = precision == model::Precision::fp64;
  return wide && sharding == plan::Sharding::optimizer ? plan::Sharding::none : sharding;
}

Joined join_ranks(const DeviceRequest& request) {
  const auto device_or_error = [&]() -> std::pair<at::Device, std::optional<Error>> {
    try {
      return {model::parse_device(device_of_rank(request).device), {}};
    } catch (const Error& error) {
      return {at::kCPU, error};
    }
  };
  // A device that does not exist is reported after ranks have met, so that one speaks for all.
  const auto [device, error] = device_or_error();
  dist::Ranks& ranks = ranks_of_process(device);
  if (error) throw *error;
  if (ranks.alone()) return {};
  use_threads(request.threads);
  return {ranks.first(), ranks.size(), launch_text(ranks, device, at::get_num_threads())};
}

void on_first_rank(const std::function<void()>& f) {
  if (!g_ranks || g_ranks->alone()) return f();
  Json thrown;
  if (g_ranks->first()) try {
      f();
    } catch (const Error& error) {
      thrown = {{"kind", error.exit_code()}, {"what", error.what()}, {"hint", error.hint()}};
    }
  const Json said = parse_json(g_ranks->from_first(json_text(thrown, -1)), "rank 0");
  if (said.is_null()) return;
  throw g_ranks->agreed(Error(static_cast<ErrorKind>(said["kind"].get<int>()),
                              said["what"].get<std::string>(), said["hint"].get<std::string>()));
}

Error ending_of(const Error& error) {
  if (!g_ranks || g_ranks->alone()) return error;
  if (!g_ranks->end_by(error)) return Error(error.kind(), "");
  if (g_ranks->all_throw(error)) return error;
  return Error(error.kind(), fmt::format("rank {}: {}", g_ranks->rank(), error.what()),
               error.hint());
}

}  // namespace stagedtrain::train
