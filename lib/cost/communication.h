// How long do devices take to exchange gradients and weights, within a node and between nodes?
#pragma once

#include "plan/processes.h"

namespace stagedtrain::plan {

// The devices that train together, one process on each. They fill nodes one after the other.
struct Cluster {
  std::int64_t devices = 1;
  std::int64_t per_node = 1;  // at most `devices`
  // Bytes per second that a device sends within its node, and that all devices of a node together
  // send to other nodes. 0: unknown; see link_seconds.
  double bandwidth = 0, node_bandwidth = 0;
  std::int64_t nodes() const { return (devices + per_node - 1) / per_node; }
};
Cluster cluster_of(const schedule::MachineSpec& machine, std::int64_t processes);
// Returns nodes x devices, for which `plan` plans if nothing else is asked for.
std::int64_t processes_of(const schedule::MachineSpec& machine);

// The bytes that a device sends to others of its node and to other nodes, on average.
struct Sent {
  double within = 0, between = 0;
  double total() const { return within + between; }
  Sent& operator+=(const Sent& other);
};

// An all-gather or a reduce-scatter of a buffer of so many bytes in a ring: each of N devices sends
// (N-1)/N of the buffer to the next one (doc/PERFORMANCE.md of NVIDIA's nccl-tests). With several
// nodes there is a ring through each of a node's n devices, and each ring leaves the node once, so
// a device sends 1/n of this to another node.
Sent ring_sent(double bytes, const Cluster& cluster);
// An all-to-all of such a buffer: each device sends 1/N of it to each other one, of which N-n are
// on other nodes.
Sent all_to_all_sent(double bytes, const Cluster& cluster);

// Returns the seconds that this takes. Both links work at once, so the slower one decides. The time
// of a link whose bandwidth is not known is left out; if node_bandwidth is 0, devices send to all
// others at `bandwidth`.
double link_seconds(const Sent& sent, const Cluster& cluster);

// What a device sends in a step, and the seconds of it.
struct StepExchange {
  Sent sent;
  double seconds = 0;
  double hidden = 0;  // seconds of these during which the device computes
};
// Exchanges what step_traffic() says: sums by machine.reduce, gathers in a ring. work_seconds are
// those that a device computes in a step.
StepExchange step_exchange(const schedule::Schedule& schedule, std::int64_t parameters,
                           const Processes& processes, double work_seconds);

// Returns the seconds of gathering weights that a run hides behind its own work. Without full
// sharding there are none: gradients are sent after the backward pass, and weights after AdamW.
// With it, weights of the next block are gathered during the backward pass of one
// (optim/full_shards.h), so half of all gathers is hidden, as far as the backward pass lasts. (The
// forward pass gathers during attention only, and with fused kernels only; this is not counted.)
double hidden_seconds(Sharding sharding, double gather_seconds, double work_seconds);

}  // namespace stagedtrain::plan
