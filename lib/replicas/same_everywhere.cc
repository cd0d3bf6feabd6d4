// Compares the program, schedule and tokens of all ranks.
#include "replicas/same_everywhere.h"

#include <dlfcn.h>

#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "base/host_name.h"
#include "engine/engine.h"
#include "schedule/differences.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

// Returns the schedule without the paths of the tokens, which may differ between hosts.
std::string schedule_text(const plan::RunPlan& plan) {
  schedule::Schedule schedule = schedule::parse(plan::resolved_yaml(plan), "the schedule");
  schedule.data.train = schedule.data.validation = "tokens";
  return schedule::dump(schedule);
}

Json facts_of_this_rank(const plan::RunPlan& plan, const RunData& data, plan::Sharding sharding) {
  return {{"host", host_name()},           {"sharding", plan::sharding_name(sharding)},
          {"program", program_checksum()}, {"schedule", schedule_text(plan)},
          {"tokens", data.fingerprint},    {"train", data.train->path().string()}};
}

std::string difference(const Json& first, const Json& other) {
  const auto text = [](const Json& facts, const char* key) {
    return facts[key].get<std::string>();
  };
  if (first["program"] != other["program"])
    return fmt::format("the programs differ (checksums {} and {})", text(first, "program"),
                       text(other, "program"));
  if (first["schedule"] != other["schedule"]) {
    const auto keys = schedule::key_differences(text(first, "schedule"), text(other, "schedule"));
    std::vector<std::string> words;
    for (const auto& key : keys)
      words.push_back(fmt::format("{}: {} and {}", key.key, key.here, key.there));
    return "the schedules differ (" +
           (words.empty() ? "in keys that do not change what is trained" : join(words, "; ")) + ")";
  }
  if (first["sharding"] != other["sharding"])
    return fmt::format("--sharding differs ({} and {})", text(first, "sharding"),
                       text(other, "sharding"));
  if (first["tokens"] != other["tokens"])
    return fmt::format("the tokens differ ({} has fingerprint {}, and {} has {})",
                       text(first, "train"), text(first, "tokens"), text(other, "train"),
                       text(other, "tokens"));
  return "";
}

}  // namespace

std::string program_checksum() {
  Dl_info module{};
  std::string text = fmt::format("{:08x}", crc32c(MappedFile("/proc/self/exe").bytes()));
  if (::dladdr(reinterpret_cast<void*>(&program_checksum), &module) && module.dli_fname)
    text += fmt::format(" {:08x}", crc32c(MappedFile(module.dli_fname).bytes()));
  return text;
}

void refuse_other_ranks(dist::Ranks& ranks, const plan::RunPlan& plan, const RunData& data,
                        plan::Sharding sharding) {
  if (ranks.alone()) return;
  std::vector<Json> facts;
  for (const std::string& text :
       ranks.gather(json_text(facts_of_this_rank(plan, data, sharding), -1)))
    facts.push_back(parse_json(text, "another rank"));
  for (std::size_t rank = 1; rank < facts.size(); ++rank) {
    const std::string what = difference(facts[0], facts[rank]);
    if (what.empty()) continue;
    throw ranks.agreed(
        usage_error("rank 0 on {} and rank {} on {} would not train the same run: {}",
                    facts[0]["host"].get<std::string>(), rank,
                    facts[rank]["host"].get<std::string>(), what)
            .with_hint("start all ranks with the same program, schedule and token files"));
  }
}

void check_unchanged(dist::Ranks& ranks, const RunData& data) {
  if (ranks.alone()) return data.check_unchanged();
  std::string why;
  try {
    if (ranks.first()) data.check_unchanged();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    why = error.what();
  }
  why = ranks.from_first(why);
  if (!why.empty()) throw ranks.agreed(input_error("{}", why));
}

std::string launch_text(dist::Ranks& ranks, const at::Device& device, int threads) {
  std::set<std::string> hosts, devices;
  for (const std::string& text :
       ranks.gather(fmt::format("{}\n{}", host_name(),
                                device.is_cpu() ? fmt::format("cpu with {} thread{} each", threads,
                                                              threads > 1 ? "s" : "")
                                                : device.str()))) {
    const std::vector<std::string> lines = split(text, '\n');
    hosts.insert(lines[0]);
    devices.insert(lines[1]);
  }
  const std::string which = hosts.size() <= 4 ? fmt::format(" ({})", fmt::join(hosts, ", ")) : "";
  return fmt::format("launched by {}: {} ranks on {} host{}{}, {}, by {}", ranks.place().launcher,
                     ranks.size(), hosts.size(), hosts.size() > 1 ? "s" : "", which,
                     fmt::join(devices, ", "), ranks.backend());
}

}  // namespace stagedtrain::train
