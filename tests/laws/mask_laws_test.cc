// Law 2 behind a mask: the trainer, which loads a grown state from its file, sees the old loss.
#include <ATen/Parallel.h>

#include "apply/apply.h"
#include "laws/growth_cases.h"
#include "runfolder/device_state.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::TrainingState;
using test::GrowthCase;

namespace {

// Mean loss on a few tokens, as the trainer would run the state.
double loss_of(const TrainingState& state) {
  const test::TempDir dir;
  state::save(dir / "state.h5", state);
  const train::DeviceState live =
      train::load_live(dir / "state.h5",
                       {.precision = model::Precision::fp64, .kernels = model::Kernels::reference});
  const CounterRng rng(5, 0);
  at::Tensor tokens_BS = at::empty({4, state.model.context + 1}, at::kLong);
  for (std::int64_t i = 0; i < tokens_BS.numel(); ++i)
    tokens_BS.data_ptr<std::int64_t>()[i] = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(state.model.vocab)));
  return live.model->row_losses(tokens_BS).mean().item<double>();
}

}  // namespace

// The mask covers what `mask` added, not what the operators before it did (issue 14, B4).
TEST_CASE("a list that ends in mask keeps the loss if the others do") {
  at::set_num_threads(1);
  for (const char* before : {"width", "depth, factor: 2", "lemon, width: 31, layers: 3",
                             "expand, ffn: 27, heads: 8", "rms_copy, ffn: 33"})
    for (const char* mask : {"layers: 6", "width: 48, heads: 16, ffn: 80", "ffn: 90, layers: 7"})
      for (const arch::ModelConfig& model : test::law_models()) {
        const GrowthCase c{fmt::format("[{{operator: {}}}, {{operator: mask, {}}}]", before, mask),
                           model};
        const bool heads = c.list.find(" heads:") != std::string::npos;
        if (heads && test::refused("mask", "heads: 8", model)) continue;
        CAPTURE(c.name());
        const grow::GrowthRecipe recipe = c.recipe();
        REQUIRE(recipe.exact());
        const TrainingState small = test::law_state(c.from);
        const double loss = loss_of(small);
        CHECK(std::abs(loss_of(grow::apply(recipe, test::clone(small))) - loss) <= 1e-12 * loss);
      }
}

TEST_CASE("a mask that no growth explains is refused as a damaged file") {
  const arch::ModelConfig model = test::law_models().front();
  const GrowthCase c{"[{operator: width}, {operator: mask, layers: 3}]", model};
  const TrainingState masked = grow::apply(c.recipe(), test::law_state(model));
  for (const char* operators :
       {"{operator: width}", "weights alone", "{operator: mask, layers: 4}"}) {
    TrainingState other = test::clone(masked);
    other.lineage.back().operators = operators;
    CAPTURE(operators);
    CHECK(test::contains(test::refusal(ErrorKind::input, [&] { loss_of(other); }),
                         "mask: is still rising, but the newest growth of the lineage is"));
  }
  TrainingState orphan = test::clone(masked);
  orphan.lineage.clear();
  CHECK(test::contains(test::refusal(ErrorKind::input, [&] { loss_of(orphan); }),
                       "mask: is still rising, but the newest growth of the lineage is none"));
}
