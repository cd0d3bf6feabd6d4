// Which rank of a run this process is, as its launcher says in the environment.
#pragma once

#include <functional>
#include <string>

namespace stagedtrain::dist {

struct Place {
  int rank = 0, size = 1;              // of all processes of the run
  int local_rank = 0, local_size = 1;  // of those on this host
  std::string address = "127.0.0.1";   // of rank 0, where all ranks meet
  int port = 29500;
  std::string launcher;  // "--processes", "torchrun" or "srun"; empty where nobody launched
  int listening = -1;    // a socket that already listens on port, inherited; -1: none
  // torchrun keeps the store itself, and counts its restarts.
  bool others_store = false;
  std::string attempt = "0";
  double join_timeout = 60;  // seconds that ranks wait for each other at the start
  double lost_after = 30;    // seconds without a sign of life after which one is lost

  bool alone() const { return size == 1; }
};

// Reads STAGEDTRAIN_JOIN_TIMEOUT and STAGEDTRAIN_LOST_AFTER, which `train` sets, and RANK,
// WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun and
// `--processes` set them, else SLURM_*, as srun does. variable: the value of one, or null. Throws
// Error(usage) that names the variable and its value.
Place place_in(const std::function<const char*(const char*)>& variable);
// The same from this process's environment.
Place place_of_this_process();

// The first host of a node list of Slurm: "gpu[03-05,9],login" -> "gpu03".
std::string first_host(const std::string& node_list);

}  // namespace stagedtrain::dist
