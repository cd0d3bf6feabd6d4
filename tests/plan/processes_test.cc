// How a step is shared out over processes: work, partial sums, what is sent, memory, time.
#include "plan/processes.h"

#include "base/sum_order.h"
#include "plan/memory.h"
#include "plan/run_plan.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

schedule::Schedule batch_of(std::int64_t sequences, std::int64_t micro) {
  return test::two_stages({fmt::format("batch={{sequences: {}, micro: {}}}", sequences, micro)});
}

// Flat gradients that are set aside while the sum over a node is made.
std::int64_t set_aside_in(const Range& node) {
  if (node.size() == 1) return 0;
  const std::int64_t middle = middle_of(node);
  return std::max(set_aside_in({node.begin, middle}), 1 + set_aside_in({middle, node.end}));
}

}  // namespace

TEST_CASE("one process keeps as many partial sums as the tree of its passes is deep") {
  const auto sums = [](std::int64_t sequences, std::int64_t micro) {
    return step_share(batch_of(sequences, micro)).partial_sums;
  };
  CHECK(sums(16, 0) == 0);
  CHECK(sums(16, 16) == 0);
  CHECK(sums(16, 8) == 1);
  CHECK(sums(12, 4) == 2);
  CHECK(sums(16, 4) == 2);
  CHECK(sums(15, 3) == 3);
  CHECK(sums(16, 1) == 3);  // 16 passes in 8 leaves
  schedule::Schedule half = batch_of(16, 1);
  half.precision = schedule::Precision::bf16;
  CHECK(step_share(half).partial_sums == 0);
}

TEST_CASE("the busiest process decides: whole leaves, whole passes") {
  CHECK(step_share(batch_of(16, 2), {4}).work == 0.25);
  CHECK(step_share(batch_of(16, 2), {4}).sent == 1);
  CHECK(step_share(batch_of(16, 2), {3}).work == 0.375);  // leaves 0-1, 2-4, 5-7
  CHECK(step_share(batch_of(16, 2), {3}).sent == 2);
  CHECK(step_share(batch_of(10, 0), {4}).work == Approx(0.3));  // 3, 3, 3, 1 sequences
  CHECK(step_share(batch_of(10, 0), {4}).rows == 3);
  CHECK(step_share(batch_of(16, 8), {4}).idle == 2);
  CHECK(step_share(batch_of(16, 8), {4}).work == 0.5);
}

TEST_CASE("the planner counts the nodes of a rank, and no fewer partial sums than it keeps") {
  for (std::int64_t passes = 1; passes <= 20; ++passes)
    for (std::int64_t ranks = 1; ranks <= 20; ++ranks) {
      const std::int64_t leaves = leaves_of(passes, ranks);
      std::int64_t most_nodes = 0, most_kept = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const std::vector<Range> nodes = nodes_of(leaves, rank, ranks);
        const auto count = static_cast<std::int64_t>(nodes.size());
        most_nodes = std::max(most_nodes, count);
        for (std::int64_t i = 0; i < count; ++i)
          most_kept = std::max(most_kept, i + set_aside_in(nodes[static_cast<std::size_t>(i)]));
      }
      const StepShare share = step_share(batch_of(passes, 1), {ranks});
      CAPTURE(passes, ranks);
      CHECK(share.sent == most_nodes);
      CHECK(share.partial_sums >= most_kept);
      CHECK(share.partial_sums <= most_kept + 1);
    }
}

TEST_CASE("gradients are summed and gathered in a step, with full sharding in each pass") {
  schedule::Schedule s = batch_of(16, 2);
  const auto is = [&](const Processes& processes, double summed, double gathered) {
    const StepTraffic traffic = step_traffic(s, 1000, processes);
    return traffic.summed == summed && traffic.gathered == gathered;
  };
  CHECK(is({}, 0, 0));
  CHECK(is({4}, 4000, 4000));
  CHECK(is({3}, 8000, 4000));  // two nodes of the tree
  CHECK(is({4, Sharding::optimizer}, 4000, 4000));
  CHECK(is({4, Sharding::full}, 2 * 4000, 2 * 8000));  // 8 passes in two rounds
  s.precision = schedule::Precision::bf16;             // weights are gathered in 16 bits
  CHECK(is({4, Sharding::full}, 2 * 4000, 2 * 4000));
  s.precision = schedule::Precision::fp64;
  CHECK(is({4}, 8000, 8000));
}

TEST_CASE("processes share moments with --sharding optimizer, and rows where micro is not given") {
  const RunPlan p = resolve(batch_of(16, 0));
  const auto& model = p.stages[0].model;
  const std::int64_t params = p.stages[0].params.total;
  const MemoryParts one = training_memory(p.schedule, model, params);
  const MemoryParts four = training_memory(p.schedule, model, params, {4, Sharding::optimizer});
  CHECK(four.moments == one.moments / 4);
  CHECK(four.activations == one.activations / 4);
  CHECK(four.weights == one.weights);
  CHECK(training_memory(p.schedule, model, params, {4, Sharding::none}).moments == one.moments);
}

TEST_CASE("full sharding divides weights, gradients and moments, and keeps units of them whole") {
  const RunPlan p = resolve(batch_of(16, 2));
  const auto& model = p.stages.back().model;
  const std::int64_t params = p.stages.back().params.total;
  const MemoryParts one = training_memory(p.schedule, model, params);
  const MemoryParts full = training_memory(p.schedule, model, params, {4, Sharding::full});
  CHECK(full.moments == one.moments / 4);
  CHECK(full.weights > one.weights / 4);
  CHECK(full.weights < one.weights);
  CHECK(full.gradients > one.gradients / 4);
  CHECK(full.gradients < one.gradients);
  CHECK(full.activations == one.activations);
  // 8 passes in two rounds: the sum of the first four stays while the others come.
  const StepShare share = step_share(p.schedule, {4, Sharding::full});
  CHECK(share.rounds == 2);
  CHECK(share.partial_sums == 1);
  CHECK(share.work == 0.25);
  CHECK(full.sums == 4.0 * static_cast<double>(params) / 4);
  CHECK(training_memory(p.schedule, model, params, {1, Sharding::full}).weights == one.weights);
}

TEST_CASE("only AdamW may be shared out over processes") {
  for (const char* name : {"muon", "lion", "sgd"})
    for (const Sharding sharding : {Sharding::optimizer, Sharding::full}) {
      const RunPlan p = resolve(test::two_stages({"optimizer={name: " + std::string(name) + "}"}));
      CHECK_NOTHROW(refuse_sharding(p, Sharding::none));
      CHECK(contains(test::refusal(ErrorKind::usage, [&] { refuse_sharding(p, sharding); }), name));
    }
  CHECK_NOTHROW(refuse_sharding(resolve(batch_of(16, 2)), Sharding::full));
}
