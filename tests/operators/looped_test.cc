// How models with a looped core grow, and what they refuse.
#include "grow/grow_support.h"
#include "operators/looped_growth.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

arch::ModelConfig looped(bool tied) {
  return arch::resolved({.architecture = "llama",
                         .layers = tied ? 4 : 6,
                         .width = 12,
                         .heads = 2,
                         .vocab = 11,
                         .context = 8,
                         .core = 2,
                         .prelude = 1,
                         .coda = 1,
                         .passes = 2,
                         .tied_cores = tied});
}

std::string refused(const std::string& list, const arch::ModelConfig& from) {
  return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, from); });
}

std::vector<std::int64_t> sources(const grow::LayerMap& layers, bool only_new = false) {
  std::vector<std::int64_t> found;
  for (const grow::LayerSource& layer : layers)
    if (!only_new || layer.is_new) found.push_back(layer.layer);
  return found;
}

using Layers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("untie stores what a pass executes") {
  const arch::ModelConfig to = test::recipe_of("[{operator: untie}]", looped(true)).to;
  CHECK(to == looped(false));
  CHECK(sources(grow::untied_layers(looped(true))) == Layers{0, 1, 2, 1, 2, 3});
}

TEST_CASE("passes copies whole cores, and keeps the layers of tied ones") {
  arch::ModelConfig four = looped(false);
  four.passes = 4;
  const auto layers = [&](grow::LayerOrder order) {
    return grow::layers_of_passes(looped(false), four, order);
  };
  CHECK(sources(layers(grow::LayerOrder::alternate)) == Layers{0, 1, 2, 1, 2, 3, 4, 3, 4, 5});
  CHECK(sources(layers(grow::LayerOrder::append)) == Layers{0, 1, 2, 3, 4, 1, 2, 3, 4, 5});
  CHECK(sources(layers(grow::LayerOrder::alternate), true) == Layers{1, 2, 3, 4});
  const arch::ModelConfig tied = test::recipe_of("[{operator: passes}]", looped(true)).to;
  CHECK(tied.passes == 4);
  CHECK(tied.layers == 4);
  const grow::GrowthRecipe more = test::recipe_of("[{operator: passes}]", looped(false));
  CHECK(more.to.layers == 10);
  CHECK_FALSE(more.exact());
}

TEST_CASE("what would break a looped core is refused with the reason") {
  CHECK(contains(refused("[{operator: untie}]", looped(false)), "whose cores are untied"));
  CHECK(contains(refused("[{operator: untie}]", test::tiny_model()), "without a looped core"));
  CHECK(contains(refused("[{operator: passes}]", test::tiny_model()), "without a looped core"));
  CHECK(contains(
      refused("[{operator: passes, factor: 1024}, {operator: passes, factor: 20}]", looped(true)),
      "executed layers, expected at most 65536"));
  for (const char* list : {"[{operator: depth, layers: 8}]", "[{operator: stack, factor: 2}]",
                           "[{operator: llama_pro}]"})
    CHECK(
        contains(refused(list, looped(false)), "expected 6: a prelude of 1, 2 untied cores of 2"));
  CHECK(contains(refused("[{operator: expand, width: 16}]", looped(true)),
                 "expected the operator width or clone"));
  CHECK(contains(refused("[{operator: lemon, width: 24}]", looped(true)),
                 "expected the operator width or clone"));
  CHECK(contains(refused("[{operator: mask, ffn: 64}]", looped(true)), "looped core"));
  arch::ModelConfig without = looped(true);
  without.boundary = false;
  CHECK(test::recipe_of("[{operator: expand, width: 16}]", without).to.width == 16);
}
