// Routers that a growth adds, and how models with routed layers grow.
#include "arch/routed_layers.h"
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::TensorKind;
using test::contains;

namespace {

arch::ModelConfig routed(std::int64_t layers, std::int64_t every) {
  arch::ModelConfig model = test::tiny_model(layers);
  model.routed_every = every;
  return arch::resolved(model);
}

std::string refused(const std::string& list, const arch::ModelConfig& from) {
  return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, from); });
}

// A state whose routers are not zero.
state::TrainingState trained(const arch::ModelConfig& model) {
  state::TrainingState state = test::tiny_state(1, state::DType::f32, model);
  const arch::ParamTable table = arch::param_table(model);
  for (std::size_t i = 0; i < table.size(); ++i)
    if (arch::is_token_router(table[i]))
      for (std::int64_t j = 0; j < model.width; ++j)
        state.of(TensorKind::weights)[i].set(j, 0.25 + static_cast<double>(j));
  return state;
}

bool all_zero(const state::HostTensor& x) {
  for (std::int64_t i = 0; i < x.count(); ++i)
    if (x.at(i) != 0) return false;
  return true;
}

// The layer that each layer of the grown model comes from, as the recipe of its query has it.
std::vector<std::int64_t> sources(const grow::GrowthRecipe& recipe) {
  const arch::ParamTable before = arch::param_table(recipe.steps[0].from);
  std::vector<std::int64_t> found;
  for (int layer = 0; layer < recipe.to.layers; ++layer) {
    const std::size_t i = test::index_of(recipe.to, arch::layer_name(layer, "norm_1.bias"));
    found.push_back(before[*recipe.steps[0].tensors[i].heir_of].layer);
  }
  return found;
}

}  // namespace

TEST_CASE("route adds routers of zeros and leaves everything else as it is") {
  const state::TrainingState small = test::tiny_state();
  const grow::GrowthRecipe recipe = test::recipe_of(
      "[{operator: route, every: 2, share: 0.9, labels: similarity, loss: 1, base: 2, gain: "
      "0.05}]");
  const state::TrainingState large = test::grown(recipe, small);
  CHECK(large.model.routed_every == 2);
  CHECK(large.model.routed_share == 0.9);
  CHECK(large.model.routed_labels == "similarity");
  CHECK(large.model.routed_loss == 1);
  CHECK(large.model.routed_base == 2);
  CHECK(large.model.routed_gain == 0.05);
  CHECK(arch::without_routing(large.model) == small.model);
  const arch::ParamTable table = arch::param_table(large.model);
  std::size_t routers = 0;
  for (const TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (arch::is_token_router(table[i])) {
        CHECK(all_zero(large.of(kind)[i]));
        ++routers;
      } else {
        CHECK(std::ranges::equal(large.of(kind)[i].bytes(),
                                 test::tensor(small, kind, table[i].name).bytes()));
      }
    }
  CHECK(routers == 3);
}

TEST_CASE("route keeps the loss with base 2, and gradients if all tokens pass, too") {
  const auto made = [](const std::string& options) {
    return test::recipe_of("[{operator: route" + options + "}]");
  };
  CHECK_FALSE(made("").exact());
  CHECK(made(", base: 2").exact());
  CHECK_FALSE(made(", base: 2").equivariant());
  CHECK(made(", base: 2, share: 1").equivariant());
  CHECK_FALSE(made(", base: 1, share: 1").equivariant());
}

TEST_CASE("layers are doubled and the new ones routed in one growth") {
  const grow::GrowthRecipe recipe = test::recipe_of(
      "[{operator: depth, factor: 2, new_layers: copied}, {operator: route, every: 2, base: 2}]");
  CHECK(recipe.to.layers == 4);
  CHECK(sources(recipe) == std::vector<std::int64_t>{0, 0, 1, 1});
  const arch::ParamTable table = arch::param_table(recipe.to);
  for (std::size_t i = 0; i < table.size(); ++i)
    if (arch::is_token_router(table[i])) CHECK(table[i].layer % 2 == 1);
}

TEST_CASE("growths in depth that keep layers routed or not are done, with copied routers") {
  const arch::ModelConfig model = routed(2, 2);
  const state::TrainingState small = trained(model);
  const state::TrainingState large =
      test::grown(test::recipe_of("[{operator: stack, factor: 2}]", model), small);
  const auto& router = test::tensor(small, TensorKind::weights, "layers.1.token_router.weight");
  REQUIRE_FALSE(all_zero(router));
  for (const char* layer : {"layers.1.", "layers.3."})
    CHECK(std::ranges::equal(
        test::tensor(large, TensorKind::weights, std::string(layer) + arch::kTokenRouter).bytes(),
        router.bytes()));
  for (const char* kind : {"mean", "slerp", "predicted", "random", "zero_output"}) {
    CAPTURE(kind);
    const state::TrainingState all = test::grown(
        test::recipe_of(std::string("[{operator: depth, layers: 3, new_layers: ") + kind + "}]",
                        routed(2, 1)),
        trained(routed(2, 1)));
    const bool fresh = std::string(kind) == "random";
    CHECK(all_zero(test::tensor(all, TensorKind::weights, "layers.1.token_router.weight")) ==
          fresh);
  }
}

TEST_CASE("growths that would route other layers, or cannot grow routers, are refused") {
  CHECK(contains(refused("[{operator: depth, factor: 2}]", routed(2, 2)),
                 "found routed_every 2 and layer 1 of the larger model routed, made of layer 0, "
                 "which is not"));
  CHECK(contains(refused("[{operator: depth, layers: [0, 1, 1]}]", routed(2, 2)),
                 "layer 2 of the larger model not routed, made of layer 1, which is"));
  CHECK(contains(refused("[{operator: llama_pro}]", routed(2, 2)), "made of layer 1, which is"));
  for (const char* list :
       {"[{operator: mask, ffn: 64}]", "[{operator: coalesce}]", "[{operator: decoalesce}]",
        "[{operator: ligo, layers: 4}]", "[{operator: merge, with: [other.h5]}]",
        "[{operator: mango, width: 16}]"})
    CHECK(contains(refused(list, routed(2, 2)), "found a model with routed layers"));
  CHECK(contains(refused("[{operator: route}]", routed(2, 2)),
                 "route: found a model with routed_every 2"));
  CHECK(contains(refused("[{operator: route, every: 3}]", test::tiny_model()),
                 "model.routed_every is 3, expected at most model.layers 2"));
  CHECK(contains(refused("[{operator: upcycle}]", routed(2, 2)), "routed_every 2 with 8 experts"));
}
