// The features of windows, and the gains that follow from them.
#include "eval/window_gains.h"

#include <cmath>
#include <limits>

#include "data/facility_location.h"
#include "model/working_models.h"
#include "state/training_state.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::error_of;

namespace {

struct Tiny {
  test::TinyRun run;
  arch::ModelConfig config = run.plan().final_model;
  std::shared_ptr<const data::TokenFile> file =
      std::make_shared<const data::TokenFile>(run / "data/train.bin");
  data::CandidateWindows windows{file, config.context, config.vocab, 5};
  data::WindowPartitions partitions{windows.count(), 20, 6};
  std::unique_ptr<model::Model> model = test::make_filled(config, {});

  std::vector<float> gains(std::int64_t rows, const eval::EvalShare& share = {}) const {
    return eval::window_gains(*model, {windows, partitions, 1, rows}, share);
  }
};

}  // namespace

TEST_CASE("mean features lead to the mean logits, in every model") {
  test::for_models([](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = test::make_filled(config, options);
    const at::Tensor tokens = test::random_tokens(61, 3, 24);
    const at::Tensor means = model->mean_features(tokens, config.layers);
    const std::int64_t head =
        model->params().table().index(config.tied ? "embed.token" : "head.weight");
    const at::Tensor weight =
        model->params().view(model->params().weights(), static_cast<std::size_t>(head));
    const at::Tensor logits =
        test::in_double(means).matmul(test::in_double(weight).t()) * config.logit_scale;
    CHECK(error_of(logits, model->logits(tokens).to(at::kDouble).mean(1)) < 1e-5);
  });
}

TEST_CASE("features behind the first layers are those of a model of these layers") {
  test::for_models([](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = test::make_filled(config, options);
    arch::ModelConfig shorter = config;
    shorter.layers = 3;
    const auto small = model::make_model(shorter, options);
    model::ParamBuffer &from = model->params(), &to = small->params();
    for (std::size_t i = 0; i < to.table().size(); ++i) {
      const auto source = static_cast<std::size_t>(from.table().index(to.table()[i].name));
      to.view(to.weights(), i).copy_(from.view(from.weights(), source));
    }
    small->weights_changed();
    const at::Tensor tokens = test::random_tokens(61, 3, 24);
    const at::Tensor features = model->mean_features(tokens, 3);
    CHECK(at::equal(features, small->mean_features(tokens, 3)));
    CHECK(error_of(features, model->mean_features(tokens, 4)) > 1e-3);
  });
}

TEST_CASE("gains are those of the partitions, in passes of any number of windows") {
  const Tiny tiny;
  const std::vector<float> gains = tiny.gains(4);
  REQUIRE(std::ssize(gains) == tiny.windows.count());
  for (std::int64_t p = 0; p < tiny.partitions.count(); ++p) {
    const std::vector<std::int64_t> windows = tiny.partitions.windows_of(p);
    const at::Tensor tokens = model::to_device(tiny.windows.batch(windows), at::kCPU);
    const at::Tensor features = tiny.model->mean_features(tokens.narrow(1, 0, 16), 1);
    const data::Ranking ranking = data::rank_by_facility_location(
        {features.const_data_ptr<float>(), static_cast<std::size_t>(features.numel())},
        std::ssize(windows), 16);
    for (std::size_t i = 0; i < windows.size(); ++i)
      CHECK(gains[static_cast<std::size_t>(windows[static_cast<std::size_t>(ranking.order[i])])] ==
            static_cast<float>(ranking.gains[i]));
  }
  CHECK(tiny.gains(7) == gains);
}

TEST_CASE("processes that share the partitions get the bits of one") {
  const Tiny tiny;
  const std::vector<float> gains = tiny.gains(4);
  std::vector<double> sums(gains.size());
  for (int rank = 0; rank < 3; ++rank)
    tiny.gains(4, {rank, 3, [&](std::vector<double>& part) {
                     for (std::size_t i = 0; i < part.size(); ++i) sums[i] += part[i];
                   }});
  CHECK(std::vector<float>(sums.begin(), sums.end()) == gains);
}

TEST_CASE("features that are not finite end a selection") {
  const Tiny tiny;
  tiny.model->params().weights().fill_(std::numeric_limits<float>::quiet_NaN());
  tiny.model->weights_changed();
  CHECK(test::contains(test::refusal(ErrorKind::diverged, [&] { tiny.gains(4); }),
                       "not a finite number"));
}
