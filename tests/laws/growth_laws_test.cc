// The laws of docs/growth.md over every operator, architecture, tied and untied, in float64.
#include <algorithm>
#include <cmath>
#include <set>

#include "checkpoint/checkpoint.h"
#include "laws/running_state.h"
#include "optim/adamw.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"

using namespace stagedtrain;
using model::Precision;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;
using test::batch;
using test::grown;
using test::GrowthCase;
using test::largest;
using test::largest_difference;
using test::loss_of;
using test::OneThread;
using test::put_gradient;
using test::running;

namespace {

// The laws look at lists of one operator.
const std::vector<grow::TensorRecipe>& tensors_of(const grow::GrowthRecipe& recipe) {
  REQUIRE(recipe.steps.size() == 1);
  return recipe.steps.front().tensors;
}

bool is_random(const grow::GrowthRecipe& recipe) {
  for (const grow::TensorRecipe& made : tensors_of(recipe))
    for (const grow::TensorBlock& block : made.value)
      if (block.stream) return true;
  return false;
}

// Pairs of blocks of one tensor that copy the same entries.
template <class F>
void for_each_copy(const grow::TensorRecipe& made, F f) {
  for (std::size_t i = 1; i < made.value.size(); ++i) {
    const grow::TensorBlock &a = made.value[0], &b = made.value[i];
    const bool copies = a.source == b.source && a.state == b.state && a.from == b.from &&
                        a.extent == b.extent && a.scale == b.scale;
    if (copies && a.kind == grow::TensorBlock::Kind::copy && b.kind == a.kind) f(a, b);
  }
}

// How far copies within tensors of the grown model are apart, or -1 if there are none.
double separation(const grow::GrowthRecipe& recipe, const TrainingState& state) {
  double most = -1;
  for (std::size_t i = 0; i < tensors_of(recipe).size(); ++i) {
    const HostTensor& x = state.of(TensorKind::weights)[i];
    const std::int64_t columns = x.shape().size() == 2 ? x.shape()[1] : 1;
    for_each_copy(tensors_of(recipe)[i],
                  [&](const grow::TensorBlock& a, const grow::TensorBlock& b) {
                    for (std::int64_t r = 0; r < a.extent[0]; ++r)
                      for (std::int64_t c = 0; c < a.extent[1]; ++c) {
                        const double one = x.at((a.to[0] + r) * columns + a.to[1] + c),
                                     other = x.at((b.to[0] + r) * columns + b.to[1] + c);
                        most = std::max(most, std::abs(one - other));
                      }
                  });
  }
  return most;
}

TrainingState trained(const TrainingState& from, int steps) {
  const auto model = running(from);
  model::ParamBuffer& params = model->params();
  for (int i = 0; i < steps; ++i) {
    model->loss_and_backward(batch(from.model, i), 1.0, 0);
    train::adamw_step(params, {.eps = 1e-3}, 1e-3, from.progress.step + i + 1, 1.0);
    params.grads().zero_();
    model->weights_changed();
  }
  TrainingState to = test::clone(from);
  params.store(to);
  return to;
}

}  // namespace

TEST_CASE("every operator of the table has cases") {
  std::set<std::string> listed, tested;
  for (const grow::OperatorEntry& entry : grow::operators()) listed.insert(entry.name);
  for (const auto& [name, options] : test::operator_options())
    if (!options.empty()) tested.insert(name);
  CHECK(listed == tested);
}

TEST_CASE("growth that norms of queries and keys would see is refused") {
  const std::vector<GrowthCase> cases = test::growth_cases(1e-2, true);
  CHECK(cases.size() > 20);
  for (const GrowthCase& c : cases) {
    CAPTURE(c.name());
    CHECK(test::refusal(ErrorKind::usage, [&] { c.recipe(); }).find("norms") != std::string::npos);
  }
}

TEST_CASE("law 1: a recipe makes every tensor of the larger model, each entry once at most") {
  for (const GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    grow::check_recipe(recipe);
    const arch::ParamTable table = arch::param_table(recipe.to);
    const TrainingState large = grown(recipe, test::law_state(c.from));
    for (const TensorKind kind : state::kTensorKinds) {
      REQUIRE(large.of(kind).size() == table.size());
      for (std::size_t i = 0; i < table.size(); ++i)
        REQUIRE(large.of(kind)[i].shape() == table[i].shape());
    }
  }
}

TEST_CASE("law 2: the loss is kept where that is promised, and only there") {
  const OneThread quick;
  for (const GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    const TrainingState small = test::law_state(c.from);
    const double before = loss_of(small), after = loss_of(grown(recipe, small));
    const double change = std::abs(after - before) / before;
    CAPTURE(before, after, change);
    if (recipe.exact()) {
      CHECK(change <= 1e-12);
    } else {
      CHECK(change > 1e-6);
    }
  }
}

TEST_CASE("law 2 in float32: the loss is kept to 1e-6") {
  const OneThread quick;
  for (const GrowthCase& c : test::growth_cases(1e-5)) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    if (!recipe.exact()) continue;
    const TrainingState small = test::law_state(c.from, state::DType::f32);
    const double before = loss_of(small, Precision::fp32),
                 after = loss_of(grown(recipe, small), Precision::fp32);
    CHECK(std::abs(after - before) / before <= 1e-6);
  }
}

TEST_CASE("law 3: the gradient is the grown gradient where promised, so both moments are exact") {
  const OneThread quick;
  for (const GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    TrainingState small = test::law_state(c.from);
    put_gradient(small);
    const TrainingState made = grown(recipe, small);
    TrainingState found = test::clone(made);
    put_gradient(found);
    double worst[2] = {};
    for (std::size_t i = 0; i < tensors_of(recipe).size(); ++i)
      for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
        if (!tensors_of(recipe)[i].is_new) {
          double& most = worst[kind == TensorKind::exp_avg_sq];
          most = std::max(most, largest_difference(made.of(kind)[i], found.of(kind)[i]));
        }
    const double scale = largest(found.of(TensorKind::exp_avg));
    CAPTURE(worst[0] / scale, worst[1] / (scale * scale));
    if (recipe.equivariant()) {
      CHECK(worst[0] <= 1e-10 * scale);
      CHECK(worst[1] <= 1e-10 * scale * scale);
    } else {
      CHECK(worst[0] > 1e-6 * scale);
    }
  }
}

TEST_CASE("law 4: copies part under AdamW where the symmetry is broken, and only there") {
  const OneThread quick;
  for (const GrowthCase& c : test::growth_cases()) {
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    const TrainingState large = grown(recipe, test::law_state(c.from));
    const double after = separation(recipe, trained(large, 10));
    if (after < 0) continue;  // nothing is copied within a tensor
    CAPTURE(after);
    if (recipe.symmetric()) {
      CHECK(after <= 1e-10);
    } else {
      CHECK(after >= 1e-3);
    }
  }
}

TEST_CASE("law 5: growing, saving and loading commute to the last bit, and so do repetitions") {
  const test::TempDir dir;
  for (const auto& [name, all] : test::operator_options()) {
    const std::vector<arch::ModelConfig> models = test::all_models();
    const auto model = std::ranges::find_if(
        models, [&](const auto& m) { return test::applies(name, all.front(), m); });
    const GrowthCase c{test::growth_list(name, all.front(), 3), *model};
    CAPTURE(c.name());
    const TrainingState small = test::law_state(c.from), large = grown(c.recipe(), small);
    state::save(dir / "small.h5", small);
    state::save(dir / "large.h5", large);
    CHECK(test::difference(state::load(dir / "large.h5"),
                           grown(c.recipe(), state::load(dir / "small.h5"))) == "");
    CHECK(test::difference(large, grown(c.recipe(), small)) == "");
  }
}

TEST_CASE("law 6: exact growth in depth leaves the gradients of all old tensors as they are") {
  const OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    const GrowthCase c{"[{operator: depth, factor: 2}]", model};
    CAPTURE(c.name());
    const grow::GrowthRecipe recipe = c.recipe();
    TrainingState small = test::law_state(model);
    TrainingState large = grown(recipe, small);
    put_gradient(small);
    put_gradient(large);
    const double scale = largest(small.of(TensorKind::exp_avg));
    const arch::ParamTable sources = arch::param_table(model), table = arch::param_table(recipe.to);
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (tensors_of(recipe)[i].is_new) continue;
      const auto source = static_cast<std::size_t>(sources.index(
          table[i].layer < 0 ? table[i].name : arch::layer_name(table[i].layer / 2, table[i].key)));
      CHECK(largest_difference(large.of(TensorKind::exp_avg)[i],
                               small.of(TensorKind::exp_avg)[source]) <= 1e-12 * scale);
    }
  }
}

TEST_CASE("law 7: with exact dynamics training and growing commute") {
  const OneThread quick;
  for (const auto& [name, options] :
       {std::pair{"width",
                  "factor: $k, symmetry: {noise: 0}, moments: equivariant, dynamics: exact"},
        std::pair{
            "width",
            "factor: $k, axes: [ffn], symmetry: {noise: 0}, moments: equivariant, dynamics: exact"},
        std::pair{"clone",
                  "factor: $k, symmetry: {noise: 0}, moments: equivariant, dynamics: exact"},
        std::pair{"experts",
                  "factor: 2, experts_per_token: 4, symmetry: {noise: 0}, moments: equivariant, "
                  "dynamics: exact"}})
    for (const arch::ModelConfig& model : test::all_models())
      for (const int k : {2, 3}) {
        if (!test::applies(name, options, model)) continue;
        const GrowthCase c{test::growth_list(name, options, k), model};
        CAPTURE(c.name());
        TrainingState small = test::law_state(model);
        put_gradient(small);
        const TrainingState one = grown(c.recipe(), trained(small, 5)),
                            other = trained(grown(c.recipe(), small), 5);
        for (const TensorKind kind : state::kTensorKinds) {
          // Block-diagonal growth spreads the same function over its blocks in another way.
          if (kind == TensorKind::weights && c.list.find("width, factor") != std::string::npos)
            continue;
          CHECK(largest_difference(one.of(kind), other.of(kind)) <= 1e-8 * largest(other.of(kind)));
        }
        CHECK(loss_of(one) == Approx(loss_of(other)).epsilon(1e-10));
      }
}

TEST_CASE("law 7 needs every scale: without exact dynamics the two part") {
  const OneThread quick;
  const GrowthCase c{"[{operator: width, symmetry: {noise: 0}, moments: equivariant}]",
                     test::law_models().front()};
  TrainingState small = test::law_state(c.from);
  put_gradient(small);
  const TrainingState one = grown(c.recipe(), trained(small, 5)),
                      other = trained(grown(c.recipe(), small), 5);
  CHECK(largest_difference(one.of(TensorKind::exp_avg), other.of(TensorKind::exp_avg)) >
        1e-2 * largest(other.of(TensorKind::exp_avg)));
}

namespace {

TrainingState without_lineage(TrainingState state) {
  state.lineage.clear();
  for (state::TensorHistory& history : state.histories) history.generation = 0;
  return state;
}

// Where moments do not follow the gradient, only the weights are looked at.
void check_same(const grow::GrowthRecipe& recipe, const TrainingState& a, const TrainingState& b) {
  if (recipe.equivariant()) {
    CHECK(test::difference(without_lineage(test::clone(a)), without_lineage(test::clone(b))) == "");
    return;
  }
  for (std::size_t i = 0; i < a.of(TensorKind::weights).size(); ++i)
    CHECK(std::ranges::equal(a.of(TensorKind::weights)[i].bytes(),
                             b.of(TensorKind::weights)[i].bytes()));
}

}  // namespace

TEST_CASE("law 8: a factor of 1 changes no bit, and twice 2 is 4 where nothing is random") {
  for (const auto& [name, all] : test::operator_options()) {
    for (const std::string& options : all) {
      if (options.find("factor: $k") == std::string::npos) continue;
      for (const arch::ModelConfig& model : test::all_models()) {
        if (!test::applies(name, options, model)) continue;
        const GrowthCase once{test::growth_list(name, options, 1), model},
            twice{test::growth_list(name, options, 2), model},
            four{test::growth_list(name, options, 4), model};
        CAPTURE(once.name());
        const TrainingState small = test::law_state(model);
        check_same(once.recipe(), grown(once.recipe(), small), small);
        if (is_random(twice.recipe())) continue;
        const TrainingState middle = grown(twice.recipe(), small);
        const GrowthCase again{twice.list, middle.model};
        check_same(twice.recipe(), grown(again.recipe(), middle), grown(four.recipe(), small));
      }
    }
  }
}

TEST_CASE("law 8: coalesce after decoalesce is the identity") {
  const OneThread quick;
  for (const arch::ModelConfig& model : test::law_models()) {
    const GrowthCase c{
        "[{operator: decoalesce, width: 3, layers: 2}, "
        "{operator: coalesce, width: 3, layers: 2}]",
        model};
    CAPTURE(c.name());
    const TrainingState small = test::law_state(model), back = grown(c.recipe(), small);
    for (const TensorKind kind : {TensorKind::weights, TensorKind::exp_avg})
      CHECK(largest_difference(back.of(kind), small.of(kind)) <= 1e-14 * largest(small.of(kind)));
  }
}

TEST_CASE("law 8: ffn then heads is heads then ffn") {
  for (const arch::ModelConfig& model : test::law_models()) {
    const auto both = [&](const std::string& text) {
      return without_lineage(grown(GrowthCase{text, model}.recipe(), test::law_state(model)));
    };
    CHECK(test::difference(both("[{operator: width, axes: [ffn]}, {operator: width, factor: 3, "
                                "axes: [heads]}]"),
                           both("[{operator: width, factor: 3, axes: [heads]}, {operator: width, "
                                "axes: [ffn]}]")) == "");
  }
}
