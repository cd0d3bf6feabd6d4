// Shared layers: how deep a pass is, which weights it uses, what that costs, and what is refused.
#include <array>
#include <cmath>

#include "grow/layer_growth.h"
#include "plan/memory.h"
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;
using test::work_at;

namespace {

plan::RunPlan shared(int unique, const std::string& options, std::vector<std::string> more = {}) {
  more.push_back("model.layers=" + std::to_string(unique));
  return planned("layer_sharing: {" + options + "}", more);
}

double mean_depth(const plan::RunPlan& p) {
  const double token = plan::expected_flops_per_token(p.stages[0]).total;
  return (token - test::kHead) / (test::kMatrices + test::kAttention);
}

// Apollo's own way to draw a depth, from a uniform number of [1e-6, 1].
std::int64_t depth_of_the_paper(double x, double unique, double most) {
  const double ratio = most / unique, b = ratio + 0.4, e = 0.6;
  const double c = (b * 1e-6 - e) / (e - b), m = e * (c + 1);
  return static_cast<std::int64_t>(std::clamp(m / (x + c), 1.0, ratio) * unique);
}

}  // namespace

TEST_CASE("the mean depths are those of Apollo's sampling") {
  CHECK(mean_depth(shared(1, "layers: 12")) == Approx(1.7668).margin(5e-5));
  CHECK(mean_depth(shared(3, "layers: 12")) == Approx(4.2256).margin(5e-5));
  CHECK(mean_depth(shared(6, "layers: 12")) == Approx(7.1354).margin(5e-5));
  CHECK(mean_depth(shared(12, "layers: 12")) == 12);
  CHECK(mean_depth(shared(3, "layers: 12, sampling: uniform")) == Approx(7.5));
  // The law of the depth is that of Apollo's formula, for each number of layers.
  constexpr int kDraws = 100000;
  std::array<double, 13> chance = {};
  for (int i = 0; i < kDraws; ++i) {
    const double x = 1e-6 + (i + 0.5) / kDraws * (1 - 1e-6);
    chance[static_cast<std::size_t>(depth_of_the_paper(x, 3, 12))] += 1.0 / kDraws;
  }
  std::array<double, 13> found = {};
  const plan::RunPlan p = shared(3, "layers: 12", {"batch.micro=1"});
  for (std::int64_t step = 0; step < 400; ++step)
    for (std::int64_t pass = 0; pass < 16; ++pass)
      found[work_at(p, step, pass).list(3).size()] += 1.0 / 6400;
  for (std::size_t n = 0; n <= 12; ++n) {
    CAPTURE(n);
    CHECK(std::abs(found[n] - chance[n]) <=
          5 * std::sqrt(chance[n] * (1 - chance[n]) / 6400) + 1e-3);
  }
}

TEST_CASE("executed layer i of n has the weights of layer floor(i u / n), each use its own place") {
  const plan::RunPlan p = shared(3, "layers: 8, sampling: uniform", {"batch.micro=1"});
  std::vector<bool> seen(9);
  for (std::int64_t step = 0; step < 50; ++step) {
    const std::vector<arch::LayerWork> layers = work_at(p, step).list(3);
    const auto n = static_cast<std::int64_t>(layers.size());
    seen[layers.size()] = true;
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK(layers[static_cast<std::size_t>(i)].layer == i * 3 / n);
      places.push_back(layers[static_cast<std::size_t>(i)].place(3));
    }
    std::ranges::sort(places);
    CHECK(std::ranges::adjacent_find(places) == places.end());
  }
  for (const std::size_t n : {3u, 4u, 5u, 6u, 7u, 8u}) CHECK(seen[n]);
}

TEST_CASE("a growth by alternate copies gives each layer the weights that it was executed with") {
  for (const auto& [unique, more] : {std::pair(1, 3), std::pair(3, 6), std::pair(6, 12)}) {
    const grow::LayerMap map = grow::ordered_layers(unique, more, grow::LayerOrder::alternate);
    for (std::int64_t i = 0; i < more; ++i)
      CHECK(map[static_cast<std::size_t>(i)].layer == i * unique / more);
  }
}

TEST_CASE("a deepest pass of the model's own layers is the whole model") {
  const plan::RunPlan p = planned("layer_sharing: {layers: 8}");
  for (std::int64_t step = 0; step < 20; ++step) CHECK(work_at(p, step).is_whole(8));
  CHECK(p.flops == planned("").flops);
}

TEST_CASE(
    "shared layers cost the activations of the deepest pass, and are refused where shallower") {
  const plan::RunPlan deep = shared(3, "layers: 12"), plain = planned("", {"model.layers=3"});
  const double activations =
      plan::activation_memory(deep.schedule, plan::executed_model(deep.stages[0]),
                              schedule::Recompute::none) -
      plan::activation_memory(plain.schedule, plain.final_model, schedule::Recompute::none);
  CHECK(activations > 0);
  CHECK(static_cast<double>(deep.stages[0].memory_bytes - plain.stages[0].memory_bytes) ==
        Approx(activations));
  check_refused("layer_sharing: {layers: 7}", "layers: found 7, expected at least 8");
  check_refused("layer_sharing: {}", "layers");
  check_refused("layer_sharing: {layers: 12}, ffn_path: {}", "expected only one of them");
}
