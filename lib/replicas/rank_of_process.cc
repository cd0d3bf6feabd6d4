// Holds the Ranks of this process.
#include "replicas/rank_of_process.h"

#include <cstdlib>
#include <memory>
#include <string>

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

DeviceRequest device_of_rank(DeviceRequest request) {
  const dist::Place place = dist::place_of_this_process();
  if (place.alone() || (request.device != "auto" && request.device != "cuda")) return request;
  const at::Device device = model::parse_device(request.device);
  if (device.is_cuda()) request.device = "cuda:" + std::to_string(place.local_rank);
  return request;
}

Error ending_of(const Error& error) {
  if (!g_ranks || g_ranks->alone()) return error;
  const bool agreed = g_ranks->all_throw(error);
  if (!g_ranks->end_by(error)) return Error(error.kind(), "");
  if (agreed) return error;
  return Error(error.kind(), fmt::format("rank {}: {}", g_ranks->rank(), error.what()),
               error.hint());
}

}  // namespace stagedtrain::train
