// Tells which rank of a run this process is, as its launcher says in the environment.
#pragma once

#include <functional>
#include <string>

namespace stagedtrain::dist {

struct Place {
  int rank = 0, size = 1;              // among all processes of the run
  int local_rank = 0, local_size = 1;  // among the processes on this host
  std::string address = "127.0.0.1";   // the host of rank 0, where all ranks meet
  int port = 29500;
  std::string launcher;  // "--processes", "torchrun" or "srun"; empty without a launcher
  int listening = -1;    // an inherited socket that already listens on port; -1: none
  // Whether the launcher (torchrun) keeps the store, and which restart of the run this is.
  bool others_store = false;
  std::string attempt = "0";
  double join_timeout = 60;  // seconds that ranks wait for each other at the start
  double lost_after = 30;    // seconds without a heartbeat after which a rank counts as lost

  bool alone() const { return size == 1; }
};

// Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, which torchrun
// and `--processes` set, or else SLURM_*, which srun sets. Also reads STAGEDTRAIN_JOIN_TIMEOUT and
// STAGEDTRAIN_LOST_AFTER, which `train` sets. variable(name) returns a variable's value, or null.
// Throws Error(usage) that names the variable and its value.
Place place_in(const std::function<const char*(const char*)>& variable);
// Does the same with this process's environment.
Place place_of_this_process();

// Returns the first host of a Slurm node list: "gpu[03-05,9],login" -> "gpu03".
std::string first_host(const std::string& node_list);

}  // namespace stagedtrain::dist
