// Looped cores: what is executed, where boundaries are, what it costs, and which sizes are refused.
#include "arch/loops.h"

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/step_flops.h"
#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;

namespace {

// A prelude of 1 layer, 3 passes of a core of 2, and a coda of 1.
arch::ModelConfig looped(bool tied = true) {
  return {.architecture = "llama",
          .layers = tied ? 4 : 8,
          .width = 24,
          .heads = 2,
          .vocab = 31,
          .context = 16,
          .core = 2,
          .prelude = 1,
          .coda = 1,
          .passes = 3,
          .tied_cores = tied};
}

std::vector<std::int64_t> executed(const arch::ModelConfig& config) {
  std::vector<std::int64_t> layers;
  for (const arch::LayerWork& one : arch::whole_work(config).list(config.layers))
    layers.push_back(one.layer);
  return layers;
}

std::string refusal(const arch::ModelConfig& config) {
  return test::refusal(ErrorKind::usage, [&] { arch::resolved(config); });
}

}  // namespace

TEST_CASE("tied cores run the same layers in every pass, untied ones their own") {
  const arch::ModelConfig tied = arch::resolved(looped()), untied = arch::resolved(looped(false));
  CHECK(executed(tied) == std::vector<std::int64_t>{0, 1, 2, 1, 2, 1, 2, 3});
  CHECK(executed(untied) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(arch::executed_layers(tied) == 8);
  CHECK(arch::executed_layers(untied) == 8);
  const std::vector<arch::LayerWork> list = arch::whole_work(tied).list(tied.layers);
  CHECK(list[3].use == 1);
  CHECK(list[6].use == 2);
  CHECK(list[7].use == 0);
}

TEST_CASE("a boundary is before each pass and before the coda") {
  for (const bool tied : {true, false}) {
    const arch::Boundaries boundaries = arch::boundaries_of(arch::resolved(looped(tied)));
    std::vector<std::int64_t> found;
    for (std::int64_t position = 0; position <= 8; ++position)
      found.push_back(boundaries.before(position));
    CHECK(found == std::vector<std::int64_t>{-1, 0, -1, 1, -1, 2, -1, 3, -1});
  }
  arch::ModelConfig none = looped();
  none.boundary = false;
  CHECK(arch::boundaries_of(arch::resolved(none)).count == 0);
  CHECK(arch::boundaries_of(arch::ModelConfig{}).before(0) == -1);
  arch::ModelConfig only_core = looped();
  only_core.layers = 2;
  only_core.prelude = only_core.coda = 0;
  const arch::Boundaries at_ends = arch::boundaries_of(arch::resolved(only_core));
  CHECK(at_ends.before(0) == 0);
  CHECK(at_ends.before(6) == 3);  // before the final norm
}

TEST_CASE("a looped model costs as many FLOPs as its untied twin, and stores fewer weights") {
  const arch::ModelConfig tied = arch::resolved(looped()), untied = arch::resolved(looped(false));
  arch::ModelConfig plain = untied;
  plain.core = plain.prelude = plain.coda = 0;
  plain.passes = 1;
  plain.tied_cores = true;
  plain = arch::resolved(plain);
  CHECK(arch::flops_per_token(tied) == arch::flops_per_token(plain));
  CHECK(arch::flops_per_token(untied) == arch::flops_per_token(plain));
  CHECK(arch::attention_flops_per_token(tied, 9) == arch::attention_flops_per_token(plain, 9));
  CHECK(arch::count_params(untied).total == arch::count_params(plain).total);
  arch::ModelConfig stored = plain;
  stored.layers = 4;
  CHECK(arch::count_params(tied).total == arch::count_params(stored).total);
}

TEST_CASE("frozen layers of a looped model leave out a gradient product in every pass") {
  const arch::ModelConfig tied = arch::resolved(looped());
  // Only the coda is trained: one product of two in the backward pass of the coda, none below.
  const arch::TrainedParts coda{{0, 0, 0, 1}, false, true};
  arch::ModelConfig one_layer = tied, none = tied;
  one_layer.core = one_layer.prelude = one_layer.coda = 0;
  one_layer.passes = 1;
  one_layer.layers = 1;
  none = one_layer;
  none.layers = 0;
  const double head = arch::flops_per_token(none), layer = arch::flops_per_token(one_layer) - head;
  CHECK(arch::step_flops_per_token(tied, {}, coda).total ==
        Approx(7 * layer / 3 + layer + head).epsilon(1e-12));
  // The core alone is trained: below its first pass there is a forward pass only.
  const arch::TrainedParts core{{0, 1, 1, 0}, false, true};
  const double attention = arch::attention_flops_per_token(one_layer), matrices = layer - attention;
  CHECK(arch::step_flops_per_token(tied, {}, core).total ==
        Approx(layer / 3 + 6 * layer + 2 * matrices / 3 + attention + head).epsilon(1e-12));
}

TEST_CASE("sizes of looped cores that do not fit together are refused") {
  arch::ModelConfig more = looped();
  more.layers = 5;
  CHECK(refusal(more).find("model.layers is 5, expected 4: a prelude of 1, a core of 2, and a coda "
                           "of 1") != std::string::npos);
  more = looped(false);
  more.layers = 4;
  CHECK(refusal(more).find("expected 8: a prelude of 1, 3 untied cores of 2") != std::string::npos);
  arch::ModelConfig without = looped();
  without.core = 0;
  CHECK(refusal(without).find("without a core") != std::string::npos);
  without = {
      .architecture = "llama", .layers = 2, .width = 8, .heads = 2, .vocab = 9, .context = 4};
  without.boundary = false;
  CHECK(refusal(without).find("without a core") != std::string::npos);
  arch::ModelConfig endless = looped();
  endless.passes = 65536;
  CHECK(refusal(endless).find("executed layers, expected at most 65536") != std::string::npos);
  endless.passes = 0;
  CHECK(refusal(endless).find("model.passes is 0") != std::string::npos);
}

TEST_CASE("a description names the parts of a looped model") {
  CHECK(arch::describe(arch::resolved(looped())).find(", 1 + 3 x 2 tied + 1, boundary alpha 1") !=
        std::string::npos);
  CHECK(arch::describe(arch::resolved(looped(false))).find("3 x 2 untied") != std::string::npos);
}
