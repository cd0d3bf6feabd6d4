// What each `moments` rule gives, for every operator and architecture, against an oracle that never
// looks at a recipe.
//
// The oracle treats a growth as a black box from old weights W to new ones, f(W) = A W + random and
// constant parts. Noise is relative to the size of W, so A W = (f(W) - f(-W)) / 2 for any numbers
// that are put in the place of the weights: also the moments, and labels. From that follow
//   copy       the moments that go with the weights, A m / A 1 (1: all ones), where A 1 is not zero
//   reset_new  the equivariant moments where A gives an entry that is the first copy of an old one,
//              or is made of several; zero elsewhere
//   reset      zero
// and law 3 (growth_laws_test.cc) has the equivariant moments themselves.
#include <cmath>
#include <map>
#include <set>

#include "apply/apply.h"
#include "laws/growth_cases.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace stagedtrain;
using state::HostTensor;
using state::TensorKind;
using state::TrainingState;

namespace {

// Options of each operator without `moments`; all have noise 0 where copies need none.
const std::map<std::string, std::vector<std::string>>& moment_options() {
  static const std::map<std::string, std::vector<std::string>> options = {
      {"width", {"factor: 2", "factor: 3, axes: [ffn]", "symmetry: {noise: 0}"}},
      {"clone",
       {"factor: 3", "factor: 2, mixing: [[0.75, 0.25], [0.5, 0.5]]",
        "factor: 2, copies: random, axes: [ffn], symmetry: {noise: 0}",
        "factor: 3, copies: next_layer"}},
      {"depth",
       {"factor: 2, new_layers: copied", "factor: 2", "layers: 3, new_layers: random",
        "factor: 2, new_layers: mean", "factor: 2, new_layers: slerp",
        "layers: 4, order: overlap, new_layers: copied"}},
      {"stack", {"factor: 2", "factor: 2, new_layers: zero_output"}},
      {"llama_pro", {"groups: 2"}},
      {"rms_copy",
       {"width: 31, ffn: 33", "heads: 8", "ffn: 47, copies: random",
        "width: 31, copies: next_layer"}},
      {"lemon", {"width: 24, heads: 8, ffn: 40, layers: 4", "width: 31, ffn: 47", "head_dim: 12"}},
      {"expand", {"width: 17, ffn: 27, layers: 3", "head_dim: 12", "grouped|kv_heads: 4"}},
      {"ligo", {"width: 24, heads: 8, ffn: 40, layers: 4, fit: {steps: 0}"}},
      {"mango", {"width: 24, layers: 4, fit: {steps: 0}"}},
      {"mask", {"width: 24, heads: 8, ffn: 31, layers: 3", "head_dim: 12"}},
      {"untie", {"dynamics: plain", "dynamics: exact"}},
      {"passes", {"factor: 2", "factor: 2, order: append"}},
      {"route", {"every: 1", "every: 2, base: 2, gain: 0"}},
      {"upcycle", {"experts: 3", "experts: 3, symmetry: {noise: 0.1}"}},
      {"experts", {"factor: 3", "factor: 2, experts_per_token: 4, symmetry: {noise: 0}"}},
      {"merge", {"with: [$other]"}},
      {"coalesce", {"width: 2, layers: 2", "width: 2, layers: 1", "width: 1, layers: 2"}},
      {"corner", {"factor: 2"}},
      {"decoalesce", {"width: 2, layers: 1", "width: 1, layers: 2", "width: 3, layers: 2"}},
      {"interpolate", {"with: $other", "with: $other, share: 0.6", "with: $other, share: 1"}},
      {"vocabulary", {"size: 15"}},
      {"context", {"length: 9", "length: 14, positions: tile", "length: 9, positions: random"}},
  };
  return options;
}

// One growth, with another rule each time.
struct MomentCase {
  std::string name, options;
  arch::ModelConfig from;
  std::string text() const { return name + ", " + options + " of " + describe(from); }
  grow::GrowthRecipe recipe(const std::string& moments, const std::string& other) const {
    const std::string list = test::growth_list(name, options + ", moments: " + moments, 1);
    return grow::make_recipe(schedule::parse_yaml(test::replaced(list, "$other", other), ""), from,
                             "grow");
  }
};

std::vector<MomentCase> moment_cases() {
  std::vector<MomentCase> cases;
  for (const auto& [name, all] : moment_options())
    for (const std::string& options : all)
      for (const arch::ModelConfig& model : test::all_models())
        if (test::applies(name, options, model) && !test::refused(name, options, model))
          cases.push_back({name, options, model});
  return cases;
}

using Numbers = std::vector<std::vector<double>>;  // of each tensor

Numbers numbers_of(const TrainingState& state, TensorKind kind) {
  Numbers all;
  for (const HostTensor& tensor : state.of(kind)) {
    all.emplace_back();
    for (std::int64_t j = 0; j < tensor.count(); ++j) all.back().push_back(tensor.at(j));
  }
  return all;
}

// What is put in the place of a state's weights: by tensor, entry, and the moments that are there.
using Filling = double (*)(const TrainingState&, std::size_t, std::int64_t);

// The two states of a case, and A applied to what is put into both.
class Box {
 public:
  explicit Box(const MomentCase& one)
      : case_(one),
        own_(test::law_state(one.from)),
        other_(test::law_state(one.from, state::DType::f64, 12)) {
    state::save(file("other"), other_);
  }
  Numbers grown(const std::string& moments, TensorKind kind) const {
    return numbers_of(grow::apply(recipe(moments), test::clone(own_)), kind);
  }
  state::TrainingState grown(const std::string& moments) const {
    return grow::apply(recipe(moments), test::clone(own_));
  }
  grow::GrowthRecipe recipe(const std::string& moments) const {
    return case_.recipe(moments, file("other"));
  }
  Numbers linear(Filling filling) const {
    Numbers plus = weights(filling, 1);
    const Numbers minus = weights(filling, -1);
    for (std::size_t i = 0; i < plus.size(); ++i)
      for (std::size_t j = 0; j < plus[i].size(); ++j) plus[i][j] = (plus[i][j] - minus[i][j]) / 2;
    return plus;
  }

 private:
  std::string file(const std::string& name) const { return (dir_ / (name + ".h5")).string(); }
  static TrainingState filled(const TrainingState& state, Filling filling, double sign) {
    TrainingState copy = test::clone(state);
    for (std::size_t i = 0; i < copy.of(TensorKind::weights).size(); ++i)
      for (std::int64_t j = 0; j < copy.of(TensorKind::weights)[i].count(); ++j)
        copy.of(TensorKind::weights)[i].set(j, sign * filling(state, i, j));
    return copy;
  }
  Numbers weights(Filling filling, double sign) const {
    state::save(file("filled"), filled(other_, filling, sign));
    const grow::GrowthRecipe recipe = case_.recipe("equivariant", file("filled"));
    return numbers_of(grow::apply(recipe, filled(own_, filling, sign)), TensorKind::weights);
  }

  const MomentCase& case_;
  test::TempDir dir_;
  TrainingState own_, other_;
};

double one(const TrainingState&, std::size_t, std::int64_t) { return 1; }
double first_moment(const TrainingState& state, std::size_t i, std::int64_t j) {
  return state.of(TensorKind::exp_avg)[i].at(j);
}
double second_moment(const TrainingState& state, std::size_t i, std::int64_t j) {
  return state.of(TensorKind::exp_avg_sq)[i].at(j);
}
// Another number for each entry of the own and of the other state.
double label(const TrainingState& state, std::size_t i, std::int64_t j) {
  return 2 + CounterRng(99 + i,
                        static_cast<std::uint64_t>(1e6 * state.of(TensorKind::weights)[0].at(0)))
                 .uniform(static_cast<std::uint64_t>(j));
}

// Layers whose output is silenced have zero weights; what would be there is what the layer has that
// they copy, which stands before them in the cases above (but for `stack`: `layers` before). Layers
// between two take the moments of the one below.
std::size_t stand_in(const arch::ParamTable& table, std::size_t i, const grow::GrowthRecipe& recipe,
                     const MomentCase& c) {
  const std::vector<grow::TensorRecipe>& made = recipe.steps.front().tensors;
  const bool between = c.options.ends_with("mean") || c.options.ends_with("slerp");
  if (!made[i].is_new || table[i].layer < 0 || !(made[i].value.empty() || between)) return i;
  int layer = table[i].layer;
  if (c.name == "stack") layer %= static_cast<int>(c.from.layers);
  for (;; --layer) {
    const std::int64_t at = table.index(arch::layer_name(layer, table[i].key));
    REQUIRE(at >= 0);
    if (!made[static_cast<std::size_t>(at)].is_new) return static_cast<std::size_t>(at);
  }
}

void check_equal(const Numbers& found, const Numbers& expected, const arch::ParamTable& table) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(table[i].name);
    REQUIRE(found[i].size() == expected[i].size());
    double worst = 0, scale = 0;
    for (std::size_t j = 0; j < found[i].size(); ++j) {
      worst = std::max(worst, std::abs(found[i][j] - expected[i][j]));
      scale = std::max(scale, std::abs(expected[i][j]));
    }
    CHECK(worst <= 1e-12 * scale);
  }
}

// A x / A 1; zero where no old entry is.
Numbers carried(const Box& box, Filling filling, const arch::ParamTable& table,
                const MomentCase& c) {
  const Numbers sum = box.linear(filling), ones = box.linear(one);
  const grow::GrowthRecipe recipe = box.recipe("copy");
  Numbers result = sum;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::size_t from = stand_in(table, i, recipe, c);
    for (std::size_t j = 0; j < sum[i].size(); ++j)
      result[i][j] = std::abs(ones[from][j]) < 1e-9 ? 0 : sum[from][j] / ones[from][j];
  }
  return result;
}

// The tensors that may have copies of the same entries: of all layers, or of all experts.
std::string group_of(const arch::ParamSpec& spec, const MomentCase& c, bool from_above) {
  const bool all_layers = c.name == "decoalesce" || c.name == "untie" || from_above;
  std::string group = all_layers && spec.layer >= 0 ? spec.key : spec.name;
  const std::string part = fmt::format("experts.{}.", spec.expert);
  if (c.name == "experts" && spec.expert >= 0) group.erase(group.find(part), part.size());
  return group;
}

// The equivariant moments where an entry is old; the rest zero.
Numbers kept_where_old(const Box& box, TensorKind kind, const arch::ParamTable& table,
                       const MomentCase& c) {
  Numbers moments = box.grown("equivariant", kind);
  const Numbers sum = box.linear(label), ones = box.linear(one);
  std::map<std::string, std::set<std::int64_t>> seen;  // by group of tensors that share entries
  const bool from_above = c.options.find("next_layer") != std::string::npos;
  for (std::size_t n = 0; n < moments.size(); ++n) {
    const std::size_t i = from_above ? moments.size() - 1 - n : n;  // old places first
    const std::string group = group_of(table[i], c, from_above);
    for (std::size_t j = 0; j < moments[i].size(); ++j) {
      const bool made = std::abs(ones[i][j]) > 1e-9;
      const auto which = made ? std::llround(1e9 * sum[i][j] / ones[i][j]) : 0;
      if (!made || !seen[group].insert(which).second) moments[i][j] = 0;
    }
  }
  return moments;
}

void check_ages(const TrainingState& large) {
  for (std::size_t i = 0; i < large.histories.size(); ++i) {
    const HostTensor& m = large.of(TensorKind::exp_avg)[i];
    bool zeroed = false;
    for (std::int64_t j = 0; j < m.count(); ++j) zeroed |= m.at(j) == 0;
    CHECK(zeroed == (large.histories[i].age.start == large.progress.step));
  }
}

}  // namespace

TEST_CASE("every operator has cases of moments") {
  std::set<std::string> listed, tested;
  for (const grow::OperatorEntry& entry : grow::operators()) listed.insert(entry.name);
  for (const auto& [name, options] : moment_options()) tested.insert(name);
  CHECK(listed == tested);
}

TEST_CASE("moments: copy carries both moments with the weights, unscaled") {
  for (const MomentCase& c : moment_cases()) {
    CAPTURE(c.text());
    const Box box(c);
    const arch::ParamTable table = arch::param_table(box.recipe("copy").to);
    check_equal(box.grown("copy", TensorKind::exp_avg), carried(box, first_moment, table, c),
                table);
    check_equal(box.grown("copy", TensorKind::exp_avg_sq), carried(box, second_moment, table, c),
                table);
  }
}

TEST_CASE(
    "moments: reset_new keeps first copies and what is made of several, and zeroes the rest") {
  for (const MomentCase& c : moment_cases()) {
    CAPTURE(c.text());
    const Box box(c);
    const arch::ParamTable table = arch::param_table(box.recipe("copy").to);
    for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
      check_equal(box.grown("reset_new", kind), kept_where_old(box, kind, table, c), table);
  }
}

TEST_CASE("moments: reset zeroes all, and exactly the tensors with zeroed moments have age 0") {
  for (const MomentCase& c : moment_cases()) {
    CAPTURE(c.text());
    const Box box(c);
    for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
      for (const std::vector<double>& tensor : box.grown("reset", kind))
        CHECK(std::all_of(tensor.begin(), tensor.end(), [](double x) { return x == 0; }));
    for (const char* moments : {"equivariant", "reset_new", "reset", "copy"}) {
      CAPTURE(moments);
      check_ages(box.grown(moments));
    }
  }
}

// docs/growth.md says so: squared scales take the terms of a sum for independent, and copies are
// not.
TEST_CASE(
    "coalesce after decoalesce divides exp_avg_sq by the copies of each axis and of the layer") {
  constexpr double kWidth = 3, kLayers = 2;
  for (const arch::ModelConfig& model : test::law_models()) {
    const std::string list =
        "[{operator: decoalesce, width: 3, layers: 2}, {operator: coalesce, width: 3, layers: 2}]";
    const TrainingState small = test::law_state(model),
                        back =
                            grow::apply(test::GrowthCase{list, model}.recipe(), test::clone(small));
    const Numbers before = numbers_of(small, TensorKind::exp_avg_sq),
                  after = numbers_of(back, TensorKind::exp_avg_sq);
    const arch::ParamTable table = arch::param_table(model);
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(table[i].name, describe(model));
      double factor = table[i].layer < 0 ? 1 : 1 / kLayers;
      for (const arch::AxisSize& axis : table[i].axes)
        if (axis.axis != arch::Axis::vocab && axis.axis != arch::Axis::position &&
            axis.axis != arch::Axis::experts && axis.axis != arch::Axis::entry)  // never copied
          factor /= kWidth;
      double worst = 0;
      for (std::size_t j = 0; j < before[i].size(); ++j)
        worst = std::max(worst, std::abs(after[i][j] / before[i][j] / factor - 1));
      CHECK(worst <= 1e-12);
    }
  }
}
