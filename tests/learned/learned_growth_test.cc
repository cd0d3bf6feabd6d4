// Which maps a learned growth has, and which tensors share them.
#include "learned/learned_growth.h"

#include <cmath>
#include <set>

#include "grow/grow_support.h"
#include "laws/growth_cases.h"

using namespace stagedtrain;
using grow::MapProduct;
using grow::MapUse;

namespace {

arch::ModelConfig model_of(const std::string& architecture, bool tied = true) {
  return arch::resolved(test::law_model(architecture, tied, 0));
}

class Learned {
 public:
  explicit Learned(const arch::ModelConfig& from, const std::string& noise = "0.01")
      : recipe(test::recipe_of(
            "[{operator: ligo, layers: 3, width: 24, heads: 8, ffn: 33, fit: {steps: 1, noise: " +
                noise + "}}]",
            from)) {}
  const MapProduct& of(const std::string& name) const {
    const auto& products = recipe.steps[0].tensors[test::index_of(recipe.to, name)].products;
    REQUIRE(products.size() == 1);
    return products.front();
  }
  const grow::DenseMap& map(std::size_t index) const { return recipe.steps[0].maps[index]; }
  grow::GrowthRecipe recipe;
};

bool same(const std::optional<MapUse>& a, const std::optional<MapUse>& b) {
  return a && b && a->map == b->map;
}

}  // namespace

TEST_CASE("tensors share maps by axis: one of the stream, the others of each layer") {
  const Learned gpt2(model_of("gpt2"));
  const auto stream = gpt2.of("embed.token").columns;
  for (const char* name : {"layers.0.norm_1.weight", "layers.2.attention.output.weight",
                           "layers.1.mlp.down.bias", "final_norm.weight"})
    CHECK(same(gpt2.of(name).rows, stream));
  for (const char* name : {"layers.0.attention.query.weight", "layers.2.mlp.up.weight"}) {
    CHECK(same(gpt2.of(name).columns, stream));
    CHECK(gpt2.of(name).columns->reads);
    CHECK(!gpt2.of(name).rows->reads);
  }
  CHECK(gpt2.of("final_norm.weight").rows->reads);  // for the tied head
  CHECK(!Learned(model_of("gpt2", false)).of("final_norm.weight").rows->reads);
  CHECK(same(gpt2.of("layers.1.mlp.down.weight").columns, gpt2.of("layers.1.mlp.up.weight").rows));
  CHECK(same(gpt2.of("layers.1.mlp.up.bias").rows, gpt2.of("layers.1.mlp.up.weight").rows));
  CHECK(!same(gpt2.of("layers.0.mlp.up.weight").rows, gpt2.of("layers.1.mlp.up.weight").rows));
  CHECK(same(gpt2.of("layers.0.attention.output.weight").columns,
             gpt2.of("layers.0.attention.value.weight").rows));
  const auto layers = [&](const char* name) { return gpt2.of(name).layers.value(); };
  CHECK(layers("layers.0.mlp.up.weight").map == layers("layers.2.mlp.up.weight").map);
  CHECK(layers("layers.0.mlp.up.weight").map != layers("layers.0.mlp.up.bias").map);
  CHECK(layers("layers.2.mlp.up.weight").row == 2);
  CHECK(!gpt2.of("embed.token").layers);
}

TEST_CASE("whole heads are mixed where single rows would break them") {
  const Learned gpt2(model_of("gpt2")), neox(model_of("neox")), llama(model_of("llama"));
  const std::string query = "layers.1.attention.query.weight",
                    key = "layers.1.attention.key.weight",
                    value = "layers.1.attention.value.weight",
                    output = "layers.1.attention.output.weight";
  CHECK(!same(gpt2.of(query).rows, gpt2.of(key).rows));
  CHECK(gpt2.of(query).rows->unit == 1);
  CHECK(same(neox.of(query).rows, neox.of(key).rows));  // rotated, four heads of 4
  CHECK(neox.of(query).rows->unit == 4);
  CHECK(neox.of(value).rows->unit == 1);
  CHECK(same(llama.of(query).rows, llama.of(key).rows));  // two queries of 4 for each key
  CHECK(llama.of(query).rows->unit == 8);
  CHECK(llama.of(key).rows->unit == 4);
  CHECK(llama.of(value).rows->unit == 4);
  CHECK(llama.of(output).columns->unit == 8);
  CHECK(same(llama.of(output).columns, llama.of(value).rows));
}

TEST_CASE("maps begin as copies, with noise in the rows that are trained") {
  const Learned plain(model_of("gpt2"), "0"), noisy(model_of("gpt2")), again(model_of("gpt2"));
  const grow::DenseMap& stream = plain.map(plain.of("embed.token").columns->map);
  CHECK(stream.rows == 24);
  CHECK(stream.columns == 12);
  CHECK(stream.fixed == 12);
  for (std::int64_t r = 0; r < 24; ++r)
    for (std::int64_t c = 0; c < 12; ++c)
      CHECK(stream.entries[static_cast<std::size_t>(r * 12 + c)] == (r % 12 == c ? 1 : 0));
  CHECK(stream.read == std::vector<double>(12, 0.5));
  const std::size_t index = noisy.of("embed.token").columns->map;
  CHECK(noisy.map(index).entries == again.map(index).entries);
  double size = 0;
  for (std::size_t i = 0; i < stream.entries.size(); ++i) {
    const double change = noisy.map(index).entries[i] - stream.entries[i];
    if (i < 12 * 12) CHECK(change == 0);
    size += change * change;
  }
  CHECK(std::sqrt(size / 12) == Approx(0.01).epsilon(0.2));  // of each row
  std::set<double> starts;                                   // every map has noise of its own
  for (const grow::DenseMap& map : noisy.recipe.steps[0].maps) starts.insert(map.entries.back());
  CHECK(starts.size() == noisy.recipe.steps[0].maps.size());
  CHECK(grow::needs_fit(noisy.recipe));
  CHECK(!noisy.recipe.exact());
}
