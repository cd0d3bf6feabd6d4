// Loads the module only if a launcher has started this process, because that takes a second.
#include "cmd/join.h"

#include <cstdlib>

#include "cmd/engine.h"
#include "cmd/output.h"
#include "launch/board.h"

namespace stagedtrain::cmd {
namespace {

int g_ranks = 1;
bool g_has_module = false;

// Returns the rank in the variables of torchrun and srun, or null. The module says more
// (dist/place.h); a process of srun may still be the only one.
const char* rank_text() {
  const char* rank = std::getenv("RANK");
  return rank ? rank : std::getenv("SLURM_PROCID");
}

}  // namespace

bool join_ranks(const train::DeviceRequest& device) {
  if (!rank_text()) return true;
  const train::RanksInterface& calls = ranks_interface();
  g_has_module = true;
  const train::Joined joined = calls.join(device);
  g_ranks = joined.ranks;
  if (joined.first && !joined.how.empty()) print_to_stderr(joined.how + "\n");
  return joined.first;
}

void on_first_rank(const std::function<void()>& f) {
  if (g_ranks > 1) ranks_interface().on_first_rank(f);
}

Error ending_of(const Error& error) {
  const Error own = g_has_module ? ranks_interface().ending(error) : error;
  const std::string text = fmt::format("{}\n{}", own.what(), own.hint());
  if (dist::Board::of_this_process().says_first(text)) return own;
  return Error(own.kind(), "");
}

int ranks_of_run() { return g_ranks; }

bool is_later_rank() { return rank_text() && std::atoi(rank_text()) > 0; }

}  // namespace stagedtrain::cmd
