// Mango's ring of maps: what it starts as, its formula written out, and where it is refused.
#include "learned/ring_growth.h"

#include <cmath>

#include "grow/grow_support.h"
#include "laws/growth_cases.h"
#include "learned/learned_growth.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using grow::GrowthRecipe;
using grow::GrowthStep;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

arch::ModelConfig model_of(std::int64_t width, std::int64_t ffn, bool tied = true) {
  arch::ModelConfig model = test::law_model("gpt2", tied, 0);
  model.width = width;
  model.ffn = ffn;
  return arch::resolved(model);
}

// A growth whose maps count as fitted.
GrowthRecipe learned(const std::string& options, const arch::ModelConfig& from, double noise) {
  GrowthRecipe recipe = test::recipe_of(
      fmt::format("[{{operator: mango, {}, fit: {{steps: 1, noise: {}}}}}]", options, noise), from);
  recipe.steps[0].fit.done = true;
  return recipe;
}

GrowthRecipe copied(const std::string& options, const arch::ModelConfig& from) {
  return test::recipe_of("[{operator: mango, " + options + ", fit: {steps: 0}}]", from);
}

// The kinds of parts in the order of the ring: query, key, value, output, up, down.
const std::vector<std::string> kKeys = {"attention.query.weight", "attention.key.weight",
                                        "attention.value.weight", "attention.output.weight",
                                        "mlp.up.weight",          "mlp.down.weight"};

// All matrices of a state as one tensor [b, o, i, l].
class Parts {
 public:
  explicit Parts(const TrainingState& state)
      : width(state.model.width), layers(state.model.layers), k(state.model.ffn / width) {
    for (std::int64_t l = 0; l < layers; ++l)
      for (const std::string& key : kKeys)
        matrices_.push_back(
            &test::tensor(state, TensorKind::weights, arch::layer_name(static_cast<int>(l), key)));
  }
  double at(std::int64_t b, std::int64_t o, std::int64_t i, std::int64_t l) const {
    const std::int64_t kind = b < 4 ? b : 4 + (b - 4) / k, part = b < 4 ? 0 : (b - 4) % k;
    const state::HostTensor& matrix = *matrices_[static_cast<std::size_t>(6 * l + kind)];
    return kind == 5 ? matrix.at((o * k + part) * width + i)
                     : matrix.at((part * width + o) * width + i);
  }
  const std::int64_t width, layers, k;

 private:
  std::vector<const state::HostTensor*> matrices_;
};

// The maps of the ring as the recipe lists them: outputs, inputs, kinds and layers, rank^2 each.
struct RingMaps {
  const GrowthStep& step;
  std::int64_t rank;
  double at(std::int64_t which, std::int64_t left, std::int64_t right, std::int64_t to,
            std::int64_t from) const {
    const auto& map = step.maps[static_cast<std::size_t>((which * rank + left) * rank + right)];
    const double entry = map.entries[static_cast<std::size_t>(to * map.columns + from)];
    return which == 1 ? entry * map.read[static_cast<std::size_t>(from)] : entry;
  }
};

// W'[b', o', i', l'] by the formula in ring_growth.h.
double by_definition(const RingMaps& maps, const Parts& small, std::int64_t b_new,
                     std::int64_t o_new, std::int64_t i_new, std::int64_t l_new) {
  const std::int64_t width = small.width, kinds = 4 + 2 * small.k;
  double sum = 0;
  for (std::int64_t r1 = 0; r1 < maps.rank; ++r1)
    for (std::int64_t r2 = 0; r2 < maps.rank; ++r2)
      for (std::int64_t r3 = 0; r3 < maps.rank; ++r3)
        for (std::int64_t r4 = 0; r4 < maps.rank; ++r4)
          for (std::int64_t b = 0; b < kinds; ++b)
            for (std::int64_t l = 0; l < small.layers; ++l)
              for (std::int64_t o = 0; o < width; ++o)
                for (std::int64_t i = 0; i < width; ++i)
                  sum += maps.at(2, r1, r2, b_new, b) * maps.at(0, r2, r3, o_new, o) *
                         maps.at(3, r3, r4, l_new, l) * maps.at(1, r4, r1, i_new, i) *
                         small.at(b, o, i, l);
  return sum;
}

std::string refused(const arch::ModelConfig& model, const std::string& options) {
  return test::refusal(ErrorKind::usage,
                       [&] { test::recipe_of("[{operator: mango, " + options + "}]", model); });
}

}  // namespace

TEST_CASE("a ring of rank 1 that is not trained yet makes what copies make, to the bit") {
  const state::DType dtype = GENERATE(state::DType::f32, state::DType::f64);
  const bool tied = GENERATE(true, false);
  const std::string options =
      GENERATE(as<std::string>{}, "layers: 4", "layers: 5, order: alternate", "width: 24",
               "width: 18", "layers: 3, width: 30");
  for (const std::int64_t ffn : {12, 24, 48}) {
    CAPTURE(options, ffn);
    const arch::ModelConfig model = model_of(12, ffn, tied);
    const TrainingState small = test::law_state(model, dtype);
    CHECK(test::difference_in_values(test::grown(learned(options, model, 0), small),
                                     test::grown(copied(options, model), small)) == "");
  }
}

TEST_CASE("without a fit mango is stack and rms_copy, to the bit") {
  const arch::ModelConfig model = model_of(12, 12);
  const TrainingState small = test::law_state(model);
  for (const auto& [options, other] :
       {std::pair<std::string, std::string>{"layers: 4", "{operator: stack, factor: 2"},
        {"layers: 5, order: alternate", "{operator: depth, layers: 5, new_layers: copied"},
        {"width: 30", "{operator: rms_copy, width: 30, heads: 5, ffn: 30, ramp: 0"}})
    CHECK(test::difference_in_values(
              test::grown(copied(options, model), small),
              test::grown(test::recipe_of("[" + other + ", moments: reset}]", model), small)) ==
          "");
  CHECK(copied("width: 24", model_of(12, 24)).exact());
  CHECK(!copied("width: 18", model_of(12, 24)).exact());
  CHECK(!learned("width: 24", model_of(12, 24), 0).exact());
}

TEST_CASE("the matrices are those of the ring's formula") {
  const std::int64_t rank = GENERATE(1, 2);
  arch::ModelConfig model = model_of(4, 8);
  const TrainingState small = test::law_state(model);
  const GrowthRecipe recipe =
      learned(fmt::format("layers: 3, width: 6, rank: {}", rank), model, 0.5);
  const TrainingState large = test::grown(recipe, small);
  const RingMaps maps{recipe.steps[0], rank};
  CHECK(std::ssize(recipe.steps[0].maps) == 4 * rank * rank);
  const Parts parts(small), new_parts(large);
  double most = 0;
  for (std::int64_t b = 0; b < 8; ++b)
    for (const std::int64_t l : {0, 2})
      for (std::int64_t o = 0; o < 6; ++o)
        for (std::int64_t i = 0; i < 6; ++i)
          most = std::max(
              most, std::abs(new_parts.at(b, o, i, l) - by_definition(maps, parts, b, o, i, l)));
  CHECK(most <= 1e-12);
}

TEST_CASE("vectors and embeddings use the ring's maps of rank 0") {
  const arch::ModelConfig model = model_of(4, 8);
  const TrainingState small = test::law_state(model);
  const GrowthRecipe recipe = learned("layers: 3, width: 6, rank: 2", model, 0.5);
  const TrainingState large = test::grown(recipe, small);
  const RingMaps maps{recipe.steps[0], 2};
  const auto check = [&](const std::string& name, std::int64_t entry, double expected) {
    CAPTURE(name, entry);
    CHECK(test::tensor(large, TensorKind::weights, name).at(entry) ==
          Approx(expected).epsilon(1e-10));
  };
  double norm = 0, bias = 0, last = 0, token = 0;
  for (std::int64_t o = 0; o < 4; ++o) {
    for (std::int64_t l = 0; l < 2; ++l) {
      const auto of = [&](const char* key) -> const state::HostTensor& {
        return test::tensor(small, TensorKind::weights, arch::layer_name(static_cast<int>(l), key));
      };
      const double weight = maps.at(3, 0, 0, 2, l) * maps.at(0, 0, 0, 5, o);
      norm += weight * of("norm_1.weight").at(o);
      bias += weight * of("mlp.up.bias").at(4 + o);
    }
    last += maps.at(1, 0, 0, 5, o) *
            test::tensor(small, TensorKind::weights, "final_norm.weight").at(o);
    token += maps.at(0, 0, 0, 5, o) *
             test::tensor(small, TensorKind::weights, "embed.token").at(3 * 4 + o);
  }
  check("layers.2.norm_1.weight", 5, norm);
  check("layers.2.mlp.up.bias", 6 + 5, bias);  // the second part
  check("final_norm.weight", 5, last);         // before a tied head
  check("embed.token", 3 * 6 + 5, token);
}

TEST_CASE("mango refuses what it cannot cut or mix") {
  CHECK(contains(refused(arch::resolved(test::law_model("llama", true, 0)), "layers: 4"),
                 "mango: found llama, expected gpt2 without experts"));
  CHECK(contains(refused(arch::resolved(test::law_model("gpt2", true, 4)), "layers: 4"),
                 "mango: found experts"));
  CHECK(contains(refused(arch::resolved(test::law_model("gpt2", true, 0)), "layers: 4"),
                 "20 hidden units in a width of 12"));
  CHECK(contains(refused(model_of(12, 24), "width: 20"), "expected a multiple of head_dim 6"));
  CHECK(contains(refused(model_of(12, 24), "rank: 2"), "mango needs a size to reach"));
  CHECK(contains(refused(model_of(12, 24), "layers: 4, moments: copy"),
                 "mango: found moments: copy, expected reset"));
}

TEST_CASE("the products of a ring are counted") {
  const arch::ModelConfig model = model_of(4, 8);
  const auto flops = [&](const std::string& options) {
    return grow::map_flops(learned(options, model, 0.1).steps[0]);
  };
  // 8 parts in each of 3 layers: columns, rows, and weights of 16 old parts.
  const double part = 3 * (2 * 4 * 4 * 6 + 2 * 6 * 4 * 6) + 4 * 16 * 4 * 4;
  // Vectors of a layer: four biases of attention, down and two norms (gain and bias) are 4 numbers
  // each, up is two parts of 4. Outside: embeddings of 11 tokens and 7 places, and the final norm.
  const double vectors = (5 + 4 + 2) * (3 * 2 * 4 * 6 + 4 * 2 * 4);
  const double outside = 3 * 2 * (11 + 7) * 4 * 6 + 2 * 3 * 2 * 4 * 6;
  CHECK(flops("layers: 3, width: 6") ==
        Approx(3 * 8 * part + 3 * vectors + outside).epsilon(1e-12));
  CHECK(flops("layers: 3, width: 6, rank: 2") ==
        Approx(16 * 3 * 8 * part + 3 * vectors + outside).epsilon(1e-12));
}
