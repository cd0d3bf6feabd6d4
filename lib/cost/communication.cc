// Computes what devices send to each other in a step, and how long that takes.
#include "cost/communication.h"

#include <algorithm>

namespace stagedtrain::plan {
namespace {

// A backward pass is two thirds of a step's work (a forward pass is the rest).
constexpr double kBackwardShare = 2.0 / 3;
// Half of the gathers of full sharding are those of the backward pass.
constexpr double kBackwardGathers = 0.5;

double part(std::int64_t some, std::int64_t all) {
  return static_cast<double>(some) / static_cast<double>(all);
}

}  // namespace

Cluster cluster_of(const schedule::MachineSpec& machine, std::int64_t processes) {
  const std::int64_t most = machine.devices > 0 ? machine.devices : processes;
  return {processes, std::min(most, processes), machine.bandwidth, machine.node_bandwidth};
}

std::int64_t processes_of(const schedule::MachineSpec& machine) {
  return std::max<std::int64_t>(1, machine.devices) * machine.nodes;
}

Sent& Sent::operator+=(const Sent& other) {
  within += other.within;
  between += other.between;
  return *this;
}

Sent ring_sent(double bytes, const Cluster& cluster) {
  const double sent = bytes * part(cluster.devices - 1, cluster.devices);
  const double between = cluster.nodes() > 1 ? sent / static_cast<double>(cluster.per_node) : 0;
  return {sent - between, between};
}

Sent all_to_all_sent(double bytes, const Cluster& cluster) {
  return {bytes * part(cluster.per_node - 1, cluster.devices),
          bytes * part(cluster.devices - cluster.per_node, cluster.devices)};
}

double link_seconds(const Sent& sent, const Cluster& cluster) {
  const auto over = [](double bytes, double bandwidth) {
    return bandwidth > 0 ? bytes / bandwidth : 0;
  };
  if (cluster.node_bandwidth == 0) return over(sent.total(), cluster.bandwidth);
  return std::max(
      over(sent.within, cluster.bandwidth),
      over(sent.between * static_cast<double>(cluster.per_node), cluster.node_bandwidth));
}

double hidden_seconds(Sharding sharding, double gather_seconds, double work_seconds) {
  if (sharding != Sharding::full) return 0;
  return std::min(kBackwardGathers * gather_seconds, kBackwardShare * work_seconds);
}

StepExchange step_exchange(const schedule::Schedule& s, std::int64_t parameters,
                           const Processes& processes, double work_seconds) {
  if (processes.count == 1) return {};
  const Cluster cluster = cluster_of(s.machine, processes.count);
  const StepTraffic traffic = step_traffic(s, parameters, processes);
  const bool ring = s.machine.reduce == schedule::Reduce::ring;
  const Sent summed =
      ring ? ring_sent(traffic.summed, cluster) : all_to_all_sent(traffic.summed, cluster);
  const Sent gathered = ring_sent(traffic.gathered, cluster);
  const double gather_seconds = link_seconds(gathered, cluster);
  StepExchange exchange{summed, link_seconds(summed, cluster) + gather_seconds,
                        hidden_seconds(processes.sharding, gather_seconds, work_seconds)};
  exchange.sent += gathered;
  return exchange;
}

}  // namespace stagedtrain::plan
