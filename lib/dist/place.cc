// Reads a process's rank from the environment variables of its launcher.
#include "dist/place.h"

#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::dist {
namespace {

using Variable = std::function<const char*(const char*)>;
constexpr int kMostRanks = 1 << 20;

std::optional<int> number(const Variable& variable, const char* name, int least, int most) {
  const char* text = variable(name);
  if (!text || !*text) return {};
  const auto value = parse_count(text);
  if (!value || *value < least || *value > most)
    throw usage_error("{}: found '{}' in the environment; expected a whole number from {} to {}",
                      name, text, least, most)
        .with_hint("the launcher sets it: unset it to train in one process");
  return static_cast<int>(*value);
}

std::string text_or(const Variable& variable, const char* name, const std::string& other) {
  const char* text = variable(name);
  return text && *text ? text : other;
}

void read_address(const Variable& variable, Place& place) {
  place.address = text_or(variable, "MASTER_ADDR", place.address);
  if (const auto port = number(variable, "MASTER_PORT", 1, 65535)) place.port = *port;
}

Place from_torchrun(const Variable& variable, int rank) {
  const auto size = number(variable, "WORLD_SIZE", 1, kMostRanks);
  if (!size)
    throw usage_error("RANK is {} in the environment, but WORLD_SIZE is not set", rank)
        .with_hint("set both, or unset RANK to train in one process");
  if (rank >= *size)
    throw usage_error("RANK is {} and WORLD_SIZE {}; expected a rank from 0 to {}", rank, *size,
                      *size - 1);
  Place place{.rank = rank, .size = *size, .local_rank = rank, .local_size = *size};
  place.local_rank = number(variable, "LOCAL_RANK", 0, kMostRanks).value_or(rank);
  place.local_size = number(variable, "LOCAL_WORLD_SIZE", 1, kMostRanks).value_or(*size);
  place.launcher = variable("TORCHELASTIC_RUN_ID") ? "torchrun" : "RANK and WORLD_SIZE";
  place.others_store = text_or(variable, "TORCHELASTIC_USE_AGENT_STORE", "") == "True";
  place.attempt = text_or(variable, "TORCHELASTIC_RESTART_COUNT", "0");
  if (const auto socket = number(variable, "STAGEDTRAIN_LISTENING", 0, 1 << 20))
    place.listening = *socket;
  if (variable("STAGEDTRAIN_LAUNCHED")) place.launcher = "--processes";
  read_address(variable, place);
  return place;
}

// A batch script has the variables of its job, but it is not one of the job's tasks.
bool is_batch_script(const Variable& variable) {
  return text_or(variable, "ENVIRONMENT", "") == "BATCH" && !variable("SLURM_STEP_NUM_TASKS");
}

Place from_srun(const Variable& variable) {
  Place place;
  const auto rank = number(variable, "SLURM_PROCID", 0, kMostRanks);
  auto size = number(variable, "SLURM_STEP_NUM_TASKS", 1, kMostRanks);
  if (!size) size = number(variable, "SLURM_NTASKS", 1, kMostRanks);
  if (!rank || !size || *size == 1 || is_batch_script(variable)) return place;
  place.rank = *rank;
  place.size = *size;
  place.launcher = "srun";
  place.local_rank = number(variable, "SLURM_LOCALID", 0, kMostRanks).value_or(*rank);
  const std::string each = text_or(variable, "SLURM_STEP_TASKS_PER_NODE",
                                   text_or(variable, "SLURM_NTASKS_PER_NODE", ""));
  // "2(x3),1" starts with the number of this node
  place.local_size = std::max(1, std::atoi(each.c_str()));
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"})
    if (const std::string list = text_or(variable, name, ""); !list.empty()) {
      place.address = first_host(list);
      break;
    }
  // A different port for each job, since jobs can share a node.
  const std::string job = text_or(variable, "SLURM_JOB_ID", "0");
  place.port = 20000 + std::atoi(job.c_str()) % 10000;
  read_address(variable, place);
  return place;
}

}  // namespace

std::string first_host(const std::string& list) {
  const std::size_t open = list.find_first_of("[,");
  if (open == std::string::npos || list[open] == ',') return list.substr(0, open);
  const std::size_t end = list.find_first_of("-,]", open);
  if (end == std::string::npos) return list.substr(0, open);
  const std::size_t close = list.find(']', open);
  const std::size_t next = close == std::string::npos ? close : list.find(',', close);
  const std::string suffix =
      close == std::string::npos ? "" : list.substr(close + 1, next - close - 1);
  return list.substr(0, open) + list.substr(open + 1, end - open - 1) + suffix;
}

Place place_in(const Variable& variable) {
  const auto rank = number(variable, "RANK", 0, kMostRanks);
  Place place = rank ? from_torchrun(variable, *rank) : from_srun(variable);
  // A minimal system may have no /etc/hosts to resolve this name.
  if (place.address == "localhost") place.address = "127.0.0.1";
  const auto seconds = [&](const char* name, double other) {
    return parse_number(text_or(variable, name, "")).value_or(other);
  };
  place.join_timeout = seconds("STAGEDTRAIN_JOIN_TIMEOUT", place.join_timeout);
  place.lost_after = seconds("STAGEDTRAIN_LOST_AFTER", place.lost_after);
  return place;
}

Place place_of_this_process() {
  return place_in([](const char* name) { return std::getenv(name); });
}

}  // namespace stagedtrain::dist
