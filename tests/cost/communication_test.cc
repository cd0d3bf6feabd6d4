// What devices send, how long it takes, and which sharding that makes the fastest: by hand.
#include "cost/communication.h"

#include "cost/run_cost.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

bool is(const Sent& sent, double within, double between) {
  return sent.within == Approx(within) && sent.between == Approx(between);
}

RunPlan plan_with(const std::string& machine,
                  const std::string& batch = "sequences: 16, micro: 2") {
  return resolve(test::two_stages({"batch={" + batch + "}", "machine={" + machine + "}"}));
}

double step_seconds(const RunPlan& p, const StageCost& cost) {
  return cost.seconds_per_token * 16.0 * static_cast<double>(p.stages[1].model.context);
}

}  // namespace

TEST_CASE("processes fill nodes one after the other") {
  const auto nodes = [](std::int64_t devices, std::int64_t processes) {
    schedule::MachineSpec machine;
    machine.devices = devices;
    const Cluster cluster = cluster_of(machine, processes);
    return std::pair(cluster.nodes(), cluster.per_node);
  };
  CHECK(nodes(0, 6) == std::pair<std::int64_t, std::int64_t>(1, 6));
  CHECK(nodes(8, 6) == std::pair<std::int64_t, std::int64_t>(1, 6));
  CHECK(nodes(8, 16) == std::pair<std::int64_t, std::int64_t>(2, 8));
  CHECK(nodes(8, 17) == std::pair<std::int64_t, std::int64_t>(3, 8));
  schedule::MachineSpec machine;
  CHECK(processes_of(machine) == 1);
  machine.nodes = 3;
  CHECK(processes_of(machine) == 3);
  machine.devices = 8;
  CHECK(processes_of(machine) == 24);
}

TEST_CASE("a ring sends (N-1)/N of a buffer, and leaves each node once for each of its devices") {
  CHECK(is(ring_sent(1000, {1, 1}), 0, 0));
  CHECK(is(ring_sent(1000, {8, 8}), 875, 0));
  CHECK(is(ring_sent(1600, {16, 8}), 1500.0 * 7 / 8, 1500.0 / 8));
  CHECK(is(ring_sent(1000, {4, 1}), 0, 750));  // one device on each node
}

TEST_CASE("an all-to-all sends a part to every other device, wherever it is") {
  CHECK(is(all_to_all_sent(1000, {1, 1}), 0, 0));
  CHECK(is(all_to_all_sent(1000, {8, 8}), 875, 0));
  CHECK(is(all_to_all_sent(1600, {16, 8}), 700, 800));
  CHECK(is(all_to_all_sent(1000, {4, 1}), 0, 750));
}

TEST_CASE("the slower link decides; a node's devices share its network") {
  CHECK(link_seconds({1000, 0}, {8, 8, 100, 0}) == 10);
  CHECK(link_seconds({1000, 50}, {16, 8, 100, 80}) == 10);  // 400 bytes of a node at 80: 5 s
  CHECK(link_seconds({1000, 50}, {16, 8, 100, 20}) == 20);
  CHECK(link_seconds({1000, 50}, {16, 8, 100, 0}) == Approx(10.5));  // all at one bandwidth
  CHECK(link_seconds({1000, 50}, {16, 8, 0, 20}) == 20);
  CHECK(link_seconds({1000, 50}, {16, 8, 0, 0}) == 0);
}

TEST_CASE("full sharding hides the gathers of the backward pass, as long as that lasts") {
  CHECK(hidden_seconds(Sharding::none, 10, 100) == 0);
  CHECK(hidden_seconds(Sharding::optimizer, 10, 100) == 0);
  CHECK(hidden_seconds(Sharding::full, 10, 100) == 5);
  CHECK(hidden_seconds(Sharding::full, 10, 3) == 2);
}

TEST_CASE("a step of 16 devices on 2 nodes, by hand") {
  schedule::Schedule s = test::two_stages({"batch={sequences: 16, micro: 1}"});
  s.machine.devices = 8;
  s.machine.bandwidth = 1000;
  s.machine.node_bandwidth = 800;
  // 4,000 bytes of gradients all-to-all: 1,750 within, 2,000 to the other node, which takes 8 x
  // 2,000 / 800 = 20 s. The sums in a ring: 3,750 x 1/8 to the other node, 8 x 468.75 / 800 s.
  const StepExchange all = step_exchange(s, 1000, {16}, 1);
  CHECK(all.sent.between == Approx(2000 + 468.75));
  CHECK(all.sent.total() == Approx(7500));
  CHECK(all.seconds == Approx(20 + 4.6875));
  CHECK(all.hidden == 0);
  s.machine.reduce = schedule::Reduce::ring;
  CHECK(step_exchange(s, 1000, {16}, 1).seconds == Approx(2 * 4.6875));
  // Full sharding gathers 8,000 bytes of weights, half of them in the backward pass.
  const StepExchange full = step_exchange(s, 1000, {16, Sharding::full}, 1000);
  CHECK(full.seconds == Approx(3 * 4.6875));
  CHECK(full.hidden == Approx(4.6875));
  CHECK(step_exchange(s, 1000, {1}, 1).sent.total() == 0);
}

TEST_CASE("a step of several processes takes their share of it, and sending") {
  const RunPlan p = plan_with("flops: 1T, bandwidth: 1G, memory: 1G");
  const RunCost one = run_cost(p), four = run_cost(p, {}, {4});
  const StageCost &alone = one.stages[1], &shared = four.stages[1];
  CHECK(shared.seconds_alone == alone.seconds_per_token);
  CHECK(step_seconds(p, shared) ==
        Approx(step_seconds(p, alone) / 4 + shared.exchange.sent.total() / 1e9));
  CHECK(efficiency(shared, {4}) == Approx(step_seconds(p, alone) / 4 / step_seconds(p, shared)));
  CHECK(efficiency(alone, {1}) == 1);
  CHECK(processes_text(p, one).empty());
  CHECK(to_json(p, four)["processes"] == 4);
  // Without a limit of bandwidth, 4 devices are 4 times as fast.
  CHECK(efficiency(run_cost(plan_with("flops: 1T, bandwidth: 1e30"), {}, {4}).stages[1], {4}) ==
        Approx(1));
}

TEST_CASE("full sharding hides a part of what it sends, and divides the memory of a growth") {
  const RunPlan p = plan_with("flops: 1T, bandwidth: 1G");
  const RunCost none = run_cost(p, {}, {4}), full = run_cost(p, {}, {4, Sharding::full});
  const StageCost& cost = full.stages[1];
  CHECK(cost.exchange.hidden > 0);
  CHECK(step_seconds(p, cost) ==
        Approx(cost.seconds_alone * 16 * 128 / 4 + cost.exchange.seconds - cost.exchange.hidden));
  CHECK(cost.growth_bytes == Approx(none.stages[1].growth_bytes / 4));
  CHECK(none.stages[1].growth_bytes == static_cast<double>(p.stages[1].growth_memory_bytes));
  // Of the whole run: the seconds of one process, divided by four times those of four.
  CHECK(efficiency(p, full) ==
        Approx(run_cost(p).total.training_seconds / 4 / full.total.training_seconds));
}

TEST_CASE("one node takes the same with and without a network between nodes") {
  const RunPlan alone = plan_with("flops: 1T, bandwidth: 1G"),
                networked = plan_with("flops: 1T, bandwidth: 1G, devices: 8, node_bandwidth: 1M");
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::full}) {
    const double one = run_cost(alone, {}, {8, sharding}).stages[1].seconds_per_token;
    CHECK(run_cost(networked, {}, {8, sharding}).stages[1].seconds_per_token == one);
    const RunPlan slow = plan_with("flops: 1T, bandwidth: 1G, devices: 4, node_bandwidth: 1M");
    CHECK(run_cost(slow, {}, {8, sharding}).stages[1].seconds_per_token > 2 * one);
  }
}

TEST_CASE("narrow models reach less of the peak") {
  const auto seconds = [](const std::string& more) {
    const RunPlan p = plan_with("flops: 1T, utilisation: 0.5" + more);
    return run_cost(p).stages[1].seconds_per_token;
  };
  CHECK(seconds(", half_width: 128") == Approx(2 * seconds("")));  // the models' width
  CHECK(seconds(", half_width: 384") == Approx(4 * seconds("")));
}

TEST_CASE("plan names the fastest sharding of those that fit") {
  const auto cheapest = [](const std::string& memory, const std::string& optimizer,
                           const std::string& machine = "") {
    schedule::Schedule s = plan_with(machine).schedule;
    const RunPlan free = resolve(s);
    const std::vector<RunCost> all = run_cost(free, {}, {4}).shardings;
    REQUIRE(all.size() == 3);
    const double none = largest_memory(all[0]), moments = largest_memory(all[1]),
                 full = largest_memory(all[2]);
    REQUIRE(full < moments);
    REQUIRE(moments < none);
    s.machine.memory = memory == "ample" ? none : memory == "tight" ? moments : full;
    s.batch.micro = 2;
    if (optimizer == "lion") s.optimizer.name = schedule::OptimizerName::lion;
    const RunPlan limited = resolve(s);
    try {
      return std::string(
          sharding_name(*cheapest_sharding(limited, run_cost(limited, {}, {4, Sharding::full}))));
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  CHECK(cheapest("ample", "adamw") == "none");
  CHECK(cheapest("tight", "adamw") == "optimizer");
  CHECK(cheapest("scarce", "adamw") == "full");
  CHECK(cheapest("ample", "adamw", "flops: 1T, bandwidth: 1G") == "none");
}
