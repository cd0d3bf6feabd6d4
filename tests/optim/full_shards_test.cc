// What a rank holds with full sharding, and the sums of gradients; here threads are the ranks.
#include "optim/full_shards.h"

#include <sys/mman.h>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/rank_threads.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::on_ranks;

namespace {

// The bytes of a flat buffer that are in memory.
double resident(const at::Tensor& flat) {
  const std::size_t pages = (flat.nbytes() + 4095) / 4096;
  std::vector<unsigned char> in(pages);
  if (::mincore(flat.data_ptr(), flat.nbytes(), in.data()) != 0) return -1;
  double count = 0;
  for (const unsigned char page : in) count += page & 1;
  return 4096 * count;
}

arch::ModelConfig eight_layers() {
  const test::TinyRun tiny;
  return tiny
      .plan({"model={layers: 8, width: 128, heads: 2, context: 16, vocab: 256}",
             "stages.small.model={layers: 4}", "stages.full.grow=[{operator: depth, layers: 8}]"})
      .stages[1]
      .model;
}

float number(std::int64_t leaf, std::int64_t i) {
  return 1.0f / static_cast<float>(1 + leaf * 7919 + i % 977);
}
float node_sum(const Range& node, std::int64_t i) {
  if (node.size() == 1) return number(node.begin, i);
  const std::int64_t middle = middle_of(node);
  return node_sum({node.begin, middle}, i) + node_sum({middle, node.end}, i);
}

}  // namespace

TEST_CASE(
    "a rank holds its part of the weights and the units that are acquired, and nothing else") {
  const arch::ParamTable table = arch::param_table(eight_layers());
  on_ranks(2, [&](dist::Ranks& ranks) {
    model::ParamBuffer params(table, at::kFloat, at::kCPU, true);
    train::FullShards shards(ranks, params);
    params.set_shards(&shards);
    at::Tensor values = at::arange(params.weights().numel(), at::kFloat);
    for (std::size_t i = 0; i < table.size(); ++i)
      for (const state::TensorKind kind : state::kTensorKinds) {
        const at::Tensor part = params.view(values, i).contiguous();
        params.set(kind, i, {static_cast<const std::byte*>(part.const_data_ptr()), part.nbytes()});
      }
    shards.own_weights_changed();
    const auto whole = static_cast<double>(values.nbytes());
    bool equal = true, complete = true;
    double most = 0;
    for (std::int64_t unit = 1; unit <= 8; ++unit) {
      shards.acquire(unit);
      if (unit > 1) shards.release(unit - 1);
      const Range m = shards.matrices_of(unit);
      complete = complete && at::equal(params.weights().narrow(0, m.begin, m.size()),
                                       values.narrow(0, m.begin, m.size()));
      most = std::max(most, resident(params.weights()));
    }
    shards.release(8);
    at::Tensor buffer;
    for (std::size_t i = 0; i < table.size(); ++i) {
      params.get(state::TensorKind::exp_avg, i, buffer);
      equal = equal && at::equal(buffer, params.view(values, i).flatten());
    }
    const double moments = resident(params.exp_avg());
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    CHECK(complete);
    CHECK(equal);
    INFO(most / whole << " of the weights and " << moments / whole << " of the moments");
    // Of two of eight blocks, half belongs to the other rank.
    CHECK((most + 2 * moments) / (3 * whole) <= 0.55);
    CHECK(most >= 0.5 * whole);
  });
}

TEST_CASE("shards add gradients in the order of the tree, whatever the ranks and the leaves") {
  const int size = GENERATE(2, 3, 4);
  const std::int64_t leaves = GENERATE(1, 2, 3, 7, 8, 11);
  INFO(size << " ranks, " << leaves << " leaves");
  const arch::ParamTable table = arch::param_table(eight_layers());
  std::vector<char> same(static_cast<std::size_t>(size), 1);
  on_ranks(size, [&](dist::Ranks& ranks) {
    model::ParamBuffer params(table, at::kFloat, at::kCPU, true);
    train::FullShards shards(ranks, params);
    const std::int64_t count = params.grads().numel();
    float* grads = params.grads().data_ptr<float>();
    for (std::int64_t first = 0; first < leaves; first += size) {
      shards.begin_pass(first, leaves, false);
      for (std::int64_t i = 0; i < count; ++i) grads[i] += number(first + ranks.rank(), i);
      for (std::int64_t unit = 8; unit >= 0; --unit)
        if (unit != 3) shards.gradient_is_complete(unit);  // as if block 2 were frozen
      shards.end_pass();
    }
    char& right = same[static_cast<std::size_t>(ranks.rank())];
    std::int64_t done = 0;
    const auto zeros_until = [&](std::int64_t end) {
      for (; done < end; ++done) right = right && grads[done] == 0;
    };
    for (const Range& own : shards.own()) {
      zeros_until(own.begin);
      for (; done < own.end; ++done) right = right && grads[done] == node_sum({0, leaves}, done);
    }
    zeros_until(count);
  });
  for (const char right : same) CHECK(right);
}
