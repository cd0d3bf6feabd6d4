// Sums of gradients that begin before a backward pass ends; here threads are the ranks.
#include "optim/gradient_sum.h"

#include "model/models.h"
#include "optim/gradients.h"
#include "optim/matrix_units.h"
#include "support/catch.h"
#include "support/rank_threads.h"

using namespace stagedtrain;
using test::on_ranks;

namespace {

arch::ModelConfig config_of(const std::string& architecture, bool tied, std::int64_t experts = 0) {
  return arch::resolved({.architecture = architecture,
                         .layers = 4,
                         .width = 192,
                         .heads = 2,
                         .vocab = 300,
                         .context = 16,
                         .tied = tied,
                         .experts = experts});
}

std::unique_ptr<model::Model> made(const arch::ModelConfig& config) {
  auto model = model::make_model(config, {.kernels = model::Kernels::fused});
  const at::Tensor& weights = model->params().weights();
  weights.copy_(at::sin(at::arange(weights.numel(), at::kDouble)).mul_(0.05).to(at::kFloat));
  return model;
}

at::Tensor tokens(std::int64_t rows) {
  return (at::arange(rows * 17, at::kLong) * 7919 % 300).reshape({rows, 17});
}

// Keeps the gradients of each unit as they are when it is reported.
struct Recorded final : model::GradientProgress {
  model::Model& model;
  train::MatrixUnits units = train::matrix_units(model.params());
  std::vector<std::int64_t> reported = {};
  std::vector<at::Tensor> grads = {};

  explicit Recorded(model::Model& model) : model(model) {}
  std::int64_t unit_of_head() const override { return units.head; }
  void gradient_is_complete(std::int64_t unit) override {
    reported.push_back(unit);
    grads.push_back(part(unit).clone());
  }
  at::Tensor part(std::int64_t unit) const {
    const Range run = units.runs[static_cast<std::size_t>(unit)];
    return model.params().grads().narrow(0, run.begin, run.size());
  }
};

}  // namespace

TEST_CASE("fused models report a unit when its gradients have their last bits") {
  const std::string architecture = GENERATE("gpt2", "llama", "olmo2", "neox");
  const bool tied = GENERATE(true, false);
  const std::int64_t experts = tied && architecture != "neox" ? 2 : 0;
  INFO(architecture << ", tied " << tied);
  const auto model = made(config_of(architecture, tied, experts));
  const bool skips = GENERATE(false, true);
  if (skips) model->set_work(arch::scaled_layers({1, 0, 1, 1}));
  Recorded recorded(*model);
  model->loss_and_backward(tokens(2), 1, 1, &recorded);
  std::vector<std::int64_t> expected = skips ? std::vector<std::int64_t>{4, 3, 1, 0}
                                             : std::vector<std::int64_t>{4, 3, 2, 1, 0};
  if (!tied) expected.insert(expected.begin(), 5);
  REQUIRE(recorded.reported == expected);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("unit " << expected[i]);
    CHECK(at::equal(recorded.grads[i], recorded.part(expected[i])));
    CHECK(recorded.grads[i].count_nonzero().item<std::int64_t>() > 0);
  }
}

TEST_CASE("gradients summed during the backward pass have the bits of one process") {
  const int size = GENERATE(1, 2, 3, 5);
  const std::int64_t rows = GENERATE(1, 4, 7);
  const bool own_only = GENERATE(false, true);
  INFO(size << " ranks, " << rows << " passes");
  const arch::ModelConfig config = config_of("gpt2", false);
  // The second pass leaves out a layer, so ranks report different units.
  train::GradientPasses passes;
  passes.work.resize(static_cast<std::size_t>(rows));
  if (rows > 1) passes.work[1] = arch::scaled_layers({1, 0, 0, 1});
  const auto alone = made(config);
  dist::Ranks one;
  train::StepGradient(one).add_up(*alone, tokens(rows), passes);
  const at::Tensor expected = alone->params().grads();
  std::vector<char> same(static_cast<std::size_t>(size), 1);
  on_ranks(size, [&](dist::Ranks& ranks) {
    const auto model = made(config);
    train::StepGradient gradient(ranks);
    for (int step = 0; step < 2; ++step) {
      model->params().grads().zero_();
      gradient.add_up(*model, tokens(rows), passes, own_only);
      const std::vector<Range> all = {{0, expected.numel()}};
      for (const Range& part : own_only ? gradient.exchange_of(*model).own() : all)
        if (!at::equal(model->params().grads().narrow(0, part.begin, part.size()),
                       expected.narrow(0, part.begin, part.size())))
          same[static_cast<std::size_t>(ranks.rank())] = 0;
    }
  });
  for (const char right : same) CHECK(right);
}

TEST_CASE("a bucket is exchanged as soon as all ranks have completed it") {
  const arch::ParamTable table =
      arch::param_table(config_of("gpt2", false));
  on_ranks(2, [&](dist::Ranks& ranks) {
    model::ParamBuffer params(table, at::kFloat, at::kCPU);
    dist::FlatExchange exchange(ranks, train::runs_by_completion(params));
    const at::Tensor& grads = params.grads();
    grads.fill_(1);
    const std::vector<at::Tensor> lefts = {at::full_like(grads, 2), at::full_like(grads, 3)};
    train::GradientSum sum(ranks, exchange, 5, grads, {grads}, lefts, 4);
    const Range first = exchange.bucket(0), last = exchange.bucket(exchange.buckets() - 1);
    const std::int64_t own = ranks.rank() == 0 ? first.begin : first.end - 1;
    const auto has_come = [&] { return grads[own].item<float>() == 12; };
    sum.gradient_is_complete(5);  // too small to be sent alone
    sum.gradient_is_complete(2);
    const bool before_finish = test::comes_true(has_come, 20);
    const float untouched = grads[last.begin].item<float>();
    sum.finish();
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    CHECK(before_finish);
    CHECK(untouched == 1);
    bool right = true;
    for (const Range& part : exchange.own())
      right = right && (grads.narrow(0, part.begin, part.size()) == 12).all().item<bool>();
    CHECK(right);
  });
}

TEST_CASE("a sum that is given up ends its thread, and ranks without passes take part") {
  const arch::ParamTable table = arch::param_table(config_of("gpt2", true));
  std::vector<char> came(3), right(3);
  on_ranks(3, [&](dist::Ranks& ranks) {
    const auto i = static_cast<std::size_t>(ranks.rank());
    model::ParamBuffer params(table, at::kFloat, at::kCPU);
    dist::FlatExchange exchange(ranks, train::runs_by_completion(params));
    {
      train::GradientSum given_up(ranks, exchange, 0, params.grads(), {params.grads()}, {}, 3);
      params.grads().fill_(1);
      given_up.gradient_is_complete(2);
      const Range first = exchange.bucket(0);  // its first, middle or last element is own
      const std::int64_t own = first.begin + ranks.rank() * (first.size() - 1) / 2;
      came[i] = test::comes_true([&] { return params.grads()[own].item<float>() == 3; }, 20);
    }
    ranks.barrier();
    params.grads().fill_(1);
    const bool passes = ranks.rank() > 0;
    std::vector<at::Tensor> nodes;
    if (passes) nodes.push_back(params.grads());
    train::GradientSum sum(ranks, exchange, 0, params.grads(), nodes, {}, 2);
    if (ranks.rank() == 1) sum.gradient_is_complete(0);
    sum.finish();
    exchange.gather(params.grads());
    right[i] = (params.grads() == 2).all().item<bool>();
  });
  CHECK(came == std::vector<char>(3, 1));
  CHECK(right == std::vector<char>(3, 1));
}
