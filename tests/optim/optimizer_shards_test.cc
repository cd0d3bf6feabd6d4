// AdamW in parts of the flat buffers, and norms of shared gradients: the same bits as of the whole.
#include "optim/adamw.h"
#include "runfolder/device_state.h"
#include "support/catch.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

namespace {

// A model whose tensors have histories of every kind: young ones, ramps, scales, frozen ones.
train::DeviceState made(model::Precision precision) {
  const test::TinyRun tiny;
  const arch::ModelConfig config = tiny.plan({"model.width=48", "model.heads=3"}).stages[1].model;
  train::DeviceState live = train::fresh_live(config, 1, {.precision = precision});
  model::ParamBuffer& params = live.model->params();
  std::vector<state::TensorHistory> histories(params.table().size());
  for (std::size_t i = 0; i < histories.size(); ++i) {
    histories[i].generation = static_cast<std::int64_t>(i % 5);
    histories[i].lr_scale = i % 3 == 0 ? 0.5 : 1;
    if (params.table()[i].axes.size() == 2) histories[i].age = {2, 3};
  }
  params.set_histories(histories, 1);
  at::manual_seed(2);
  params.grads().normal_();
  params.exp_avg().normal_();
  params.exp_avg_sq().uniform_();
  return live;
}

}  // namespace

TEST_CASE("AdamW in parts makes the same bits as in one go") {
  const auto precision = GENERATE(model::Precision::fp32, model::Precision::bf16);
  train::DeviceState whole = made(precision), parts = made(precision);
  const train::AdamWOptions options;
  train::adamw_step(whole.model->params(), options, 1e-2, 5, 0.7);
  const std::int64_t size = parts.model->params().weights().numel();
  std::vector<std::vector<Range>> ranks(3);
  std::int64_t begin = 0;
  for (std::size_t i = 0; begin < size; ++i) {
    const std::int64_t end =
        std::min<std::int64_t>(size, begin + 1 + static_cast<std::int64_t>(i * 37 % 1009));
    ranks[i % 3].push_back({begin, end});
    begin = end;
  }
  const at::Tensor grads = parts.model->params().grads().clone();
  for (const auto& own : ranks) {
    parts.model->params().grads().copy_(grads);
    train::adamw_step_of(own, parts.model->params(), options, 1e-2, 5, 0.7);
    std::int64_t left = 0;
    for (const Range& part : own)
      left += parts.model->params()
                  .grads()
                  .narrow(0, part.begin, part.size())
                  .count_nonzero()
                  .item<std::int64_t>();
    CHECK(left == 0);
  }
  CHECK(at::equal(whole.model->params().weights(), parts.model->params().weights()));
  CHECK(at::equal(whole.model->params().exp_avg(), parts.model->params().exp_avg()));
  CHECK(at::equal(whole.model->params().exp_avg_sq(), parts.model->params().exp_avg_sq()));
}
