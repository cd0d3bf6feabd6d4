// Writes and reads the law file, by one list of members for each struct.
#include "fit/law_file.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cost/json_members.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::plan {
// MemberWriter and MemberReader must find these functions, so they are not in an anonymous
// namespace.
template <class V>
void members(V& v, scaling::StageCurve& l) {
  v("E", l.E), v("B", l.B), v("b", l.b), v("x0", l.x0);
}
template <class V>
void members(V& v, scaling::Chinchilla& l) {
  v("E", l.E), v("A", l.A), v("B", l.B), v("a", l.a), v("b", l.b);
}
template <class V>
void members(V& v, scaling::JointLaw& l) {
  v("E", l.E), v("A", l.A), v("a", l.a), v("B", l.B), v("b", l.b), v("beta", l.beta);
  v("C", l.C), v("gamma", l.gamma), v("x0", l.x0), v("size", l.size), v("tokens", l.tokens);
  v("relaxation", l.response.relaxation), v("rate_exponent", l.response.rate_exponent);
}
template <class V>
void members(V& v, FittedJoint::Size& s) {
  v("parameters", s.parameters), v("runs", s.runs), v("most_tokens", s.most_tokens);
}
template <class V>
void members(V& v, FittedJoint::End& e) {
  v("parameters", e.shape.parameters), v("tokens", e.shape.tokens), v("fall", e.shape.fall);
  v("miss", e.miss), v("misses", e.misses);
}
template <class V>
void members(V& v, FittedJoint& j) {
  v("parameters", j.law), v("low", j.low), v("high", j.high), v("sizes", j.sizes);
  v("scatter", j.scatter), v("freedom", j.freedom), v("gap", j.gap);
  v("training_noise", j.training_noise), v("validation_noise", j.validation_noise);
  v("points", j.points), v("objective", j.objective), v("gradient", j.gradient);
  v("least_decay", j.least_decay), v("most_decay", j.most_decay);
  v("decayed", j.decayed), v("samples", j.samples), v("tilts", j.tilts);
  v("ends", j.ends);
}
template <class V>
void members(V& v, PrefixRefit& p) {
  v("share", p.share), v("parameters", p.law), v("end_error", p.end_error);
}
template <class V>
void members(V& v, FittedCurve& c) {
  v("name", c.name), v("model_parameters", c.model_parameters);
  v("tokens_per_step", c.tokens_per_step);
  v("parameters", c.law), v("low", c.low), v("high", c.high);
  v("huber", c.huber), v("noise", c.noise), v("objective", c.objective);
  v("gradient", c.gradient), v("points", c.points), v("spikes", c.spikes);
  v("agreeing_starts", c.agreeing_starts), v("starts", c.starts);
  v("begin", c.begin), v("first_step", c.first_step), v("last_step", c.last_step);
  v("last_x", c.last_x), v("warmup_steps", c.warmup_steps), v("peak_rate", c.peak_rate);
  v("prefixes", c.prefixes), v("samples", c.samples), v("annealing_gain", c.annealing);
  v("validation_gap", c.validation_gap);
}
template <class V>
void members(V& v, FittedChinchilla& c) {
  v("name", c.name), v("parameters", c.law), v("low", c.low), v("high", c.high);
  v("huber", c.huber), v("objective", c.objective), v("gradient", c.gradient);
  v("points", c.points), v("dropped", c.dropped);
  v("agreeing_starts", c.agreeing_starts), v("starts", c.starts);
  v("largest_parameters", c.largest_parameters), v("most_tokens", c.most_tokens);
  v("noise", c.noise);
  v("samples", c.samples), v("tilts", c.tilts);
}
template <class V>
void members(V& v, FittedRecipe& r) {
  v("data", r.data), v("tokens_per_step", r.tokens_per_step), v("peak_rate", r.peak_rate);
  v("architecture", r.architecture), v("optimizer", r.optimizer);
  v("parameterization", r.parameterization);
  v("vocab", r.vocab), v("context", r.context);
}
template <class V>
void members(V& v, FittedLaws& l) {
  v("recipe", l.recipe);
  v("curves", l.curves), v("joint", l.joint), v("chinchilla", l.chinchilla), v("notes", l.notes);
}

namespace {

constexpr const char* kFormat = "stagedtrain laws";
constexpr int kVersion = 3;  // 1: another annealing law; 2: without rate_exponent
constexpr const char* kHint = "write it again with stagedtrain plan --fit RUN... --out FILE";

// No law of losses in nats comes near these.
constexpr double kMostExponent = 10, kMostLoss = 1000, kMostRelaxation = 100, kMostCount = 1e18;

// Return the values as the file holds them, with null for an unknown number.
std::string as_written(double number) { return json_text(Json(number), -1); }
template <class Members>
std::string as_written(const Members& values) {
  return json_text(MemberWriter::of(values), -1);
}

// A parameter of a law, and the range in which planning can use it, both ends included.
struct Parameter {
  const char* name;
  double value, least, most = std::numeric_limits<double>::max();
};
constexpr double kAboveZero = std::numeric_limits<double>::min();

std::string range_text(const Parameter& p) {
  std::string text = p.least == kAboveZero
                         ? "a finite number above 0"
                         : "a finite number of at least " + format_number(p.least);
  if (p.most < std::numeric_limits<double>::max()) text += ", at most " + format_number(p.most);
  return text;
}

// Throws Error(input) at the first parameter outside its range; NaN and infinities are.
void check_ranges(const std::string& where, std::initializer_list<Parameter> parameters) {
  for (const Parameter& p : parameters)
    if (!(p.value >= p.least && p.value <= p.most))
      throw input_error("{}: {}: found {}, expected {}", where, p.name, as_written(p.value),
                        range_text(p))
          .with_hint(kHint);
}
void check_law(const scaling::StageCurve& l, const std::string& where) {
  constexpr double most = std::numeric_limits<double>::max();
  check_ranges(
      where, {{"E", l.E, 0}, {"B", l.B, kAboveZero}, {"b", l.b, kAboveZero}, {"x0", l.x0, -most}});
}
void check_law(const scaling::Chinchilla& l, const std::string& where) {
  check_ranges(where, {{"E", l.E, 0},
                       {"A", l.A, kAboveZero},
                       {"B", l.B, kAboveZero},
                       {"a", l.a, kAboveZero},
                       {"b", l.b, kAboveZero}});
}
void check_law(const scaling::JointLaw& l, const std::string& where) {
  const double start = l.E + l.A + l.B;
  check_ranges(where, {{"E", l.E, kAboveZero},
                       {"A", l.A, kAboveZero},
                       {"B", l.B, kAboveZero},
                       {"C", l.C, 0, start},
                       {"E + A + B + C", start + l.C, 0, kMostLoss},
                       {"a", l.a, kAboveZero, kMostExponent},
                       {"b", l.b, kAboveZero, kMostExponent},
                       {"beta", l.beta, -kMostExponent, kMostExponent},
                       {"gamma", l.gamma, -kMostExponent, kMostExponent},
                       {"size", l.size, 1, kMostCount},
                       {"tokens", l.tokens, 1, kMostCount},
                       {"x0 + tokens", l.x0 + l.tokens, kAboveZero},
                       {"relaxation", l.response.relaxation, kAboveZero, kMostRelaxation},
                       {"rate_exponent", l.response.rate_exponent, kAboveZero, 1}});
}
template <class Fitted>
void check_all(const Fitted& fitted, const std::string& where) {
  check_law(fitted.law, where + ": parameters");
  for (const auto& sample : fitted.samples) check_law(sample, where + ": samples");
}
// Every count that is known must be one that runs can have; NaN means unknown.
void check_recipe(const FittedRecipe& recipe, const std::string& where) {
  const auto bad = [](double value, double least) {
    return !std::isnan(value) && !(value >= least && value < kMostCount);
  };
  if (bad(recipe.tokens_per_step, 1) || bad(recipe.peak_rate, 0) ||
      bad(recipe.vocab.value_or(1), 1) || bad(recipe.context.value_or(1), 1))
    throw input_error("{}: recipe: found {}, expected counts of 1 or more and a rate of 0 or more",
                      where, as_written(recipe))
        .with_hint(kHint);
}
// Returns whether sizes ascend, each size has a run, and the range of decays is not empty.
bool describes_runs(const FittedJoint& joint) {
  double last = 0;
  for (const FittedJoint::Size& size : joint.sizes) {
    if (!(size.parameters > last && size.parameters < kMostCount && size.runs >= 1 &&
          size.most_tokens > 0 && size.most_tokens < kMostCount))
      return false;
    last = size.parameters;
  }
  return joint.least_decay >= 0 && joint.least_decay <= joint.most_decay &&
         joint.most_decay < kMostCount;
}
// Refuses tilts unless there is one between -1 and 1 for each sample.
template <class Fitted>
void check_tilts(const Fitted& fitted, const std::string& where) {
  if (!fitted.tilts) return;
  const bool finite = std::ranges::all_of(*fitted.tilts, [](double t) { return std::fabs(t) < 1; });
  if (finite && fitted.tilts->size() == fitted.samples.size()) return;
  throw input_error(
      "{}: found {} tilts{}, expected one between -1 and 1 for each of the {} samples", where,
      fitted.tilts->size(), finite ? "" : ", not all between -1 and 1", fitted.samples.size())
      .with_hint(kHint);
}

// Refuses ends that no run can have, or that lack a plausible miss for some sample.
void check_ends(const FittedJoint& joint, const std::string& where) {
  if (!joint.ends) return;
  if (joint.ends->size() > FittedJoint::kMostEnds)
    throw input_error("{}: found {} ends, expected at most {}", where, joint.ends->size(),
                      FittedJoint::kMostEnds)
        .with_hint(kHint);
  const auto likely = [](double miss) { return std::fabs(miss) < 1; };
  for (const FittedJoint::End& end : *joint.ends) {
    const scaling::RunShape& shape = end.shape;
    if (shape.parameters >= 1 && shape.parameters < kMostCount && shape.tokens >= 1 &&
        shape.tokens < kMostCount && shape.fall >= 0 && shape.fall <= 1 && likely(end.miss) &&
        end.misses.size() == joint.samples.size() && std::ranges::all_of(end.misses, likely))
      continue;
    throw input_error(
        "{}: ends: found an end after {} tokens of {} parameters with a fall of {}, a miss of {} "
        "and {} misses; expected counts of 1 or more, a fall from 0 to 1, and misses between -1 "
        "and 1, "
        "one for each of the {} samples",
        where, as_written(shape.tokens), as_written(shape.parameters), as_written(shape.fall),
        as_written(end.miss), end.misses.size(), joint.samples.size())
        .with_hint(kHint);
  }
}

}  // namespace

std::string runs_text(const FittedJoint& joint) {
  double runs = 0;
  std::vector<std::string> sizes;
  for (const FittedJoint::Size& size : joint.sizes) {
    runs += size.runs;
    sizes.push_back(short_count(size.parameters));
  }
  return fmt::format("{} runs of {} parameters without embeddings", runs, join(sizes, ", "));
}

Json to_json(const FittedLaws& laws) {
  Json json = {{"format", kFormat}, {"version", kVersion}};
  json.update(MemberWriter::of(laws));
  return json;
}

FittedLaws laws_from_json(const Json& json, const std::string& where) {
  FittedLaws laws;
  MemberReader reader(json, where, kHint);
  reader.expect_format(kFormat, kVersion);
  members(reader, laws);
  reader.refuse_others();
  if (laws.recipe) check_recipe(*laws.recipe, where);
  for (const FittedCurve& curve : laws.curves) check_all(curve, where + ": " + curve.name);
  if (laws.joint) {
    check_all(*laws.joint, where + ": joint");
    check_tilts(*laws.joint, where + ": joint");
    check_ends(*laws.joint, where + ": joint");
    if (laws.joint->sizes.size() < 2 || !(laws.joint->freedom > 0 && laws.joint->scatter >= 0))
      throw input_error(
          "{}: joint: {} sizes, scatter {} with {} degrees of freedom; expected 2 or more sizes, a "
          "scatter of 0 or more, and degrees of freedom above 0",
          where, laws.joint->sizes.size(), as_written(laws.joint->scatter),
          as_written(laws.joint->freedom))
          .with_hint(kHint);
  }
  if (laws.joint && !describes_runs(*laws.joint))
    throw input_error(
        "{}: joint: expected sizes with ascending parameters, runs and tokens above 0, and "
        "least_decay "
        "at most most_decay",
        where)
        .with_hint(kHint);
  if (laws.chinchilla) {
    check_all(*laws.chinchilla, where + ": chinchilla");
    check_tilts(*laws.chinchilla, where + ": chinchilla");
  }
  return laws;
}

void write_law_file(const FittedLaws& laws, const Path& path, bool force) {
  refuse_overwrite(path, force);
  write_file_atomically(path, json_text(to_json(laws), 1) + "\n",
                        force ? Replace::yes : Replace::no);
}

FittedLaws read_law_file(const Path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw input_error("{}: there is no such law file", path.string())
        .with_hint(
            "a schedule's plan.law is looked for from the current folder, then from the "
            "schedule's folder up; `--law chinchilla` or `--set plan.law=chinchilla` does "
            "without the file");
  return laws_from_json(parse_json(read_text_file(path), path.string()), path.string());
}

}  // namespace stagedtrain::plan
