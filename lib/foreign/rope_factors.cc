// Finds the parameters of a rope scaling from what it does.
//
// With t turns of a pair in rope_original tokens, its frequency is multiplied by
//   1 / factor + (1 - 1 / factor) * kept(t),  kept(t) = (t - low) / (high - low) within [0, 1].
// The largest factor is `factor` itself, or may be taken for it: a smaller one does not occur. So
// kept is known for each pair, and two pairs of 0 < kept < 1 give the line through low and high.
// With one such pair, or none, the line may end at a neighbour, where kept is 0 or 1.
#include "foreign/rope_factors.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "arch/rotary.h"
#include "base/error.h"
#include "modelfiles/checked_config.h"

namespace stagedtrain::hub {
namespace {

constexpr double kTolerance = 1e-5;  // gguf's converter computes in float32
constexpr double kMostTurns = 1e6;   // the largest rope_high

std::vector<double> unscaled_frequencies(arch::ModelConfig model) {
  model.rope_scaling = "none";
  return arch::rotary_frequencies(model);
}

bool fits(const arch::ModelConfig& model, std::span<const float> factors) {
  const std::vector<float> own = rope_factors(model);
  return std::ranges::equal(own, factors, [](float a, float b) {
    return std::fabs(static_cast<double>(a) - static_cast<double>(b)) <=
           kTolerance * static_cast<double>(b);
  });
}

struct Pair {
  double turns, kept;
};

// A line from (low, 0) to (high, 1).
struct Line {
  double low, high;
};
// Each end is computed from the pair beside it, which has the smaller error there.
Line through(const Pair& upper, const Pair& lower) {
  const double slope = (upper.turns - lower.turns) / (upper.kept - lower.kept);
  return {lower.turns - lower.kept * slope, upper.turns + (1 - upper.kept) * slope};
}

// Returns a line of which all pairs are. They are in the order of their turns, the most first.
std::optional<Line> line_of(const std::vector<Pair>& pairs) {
  const auto is_inner = [](const Pair& p) { return p.kept > 0 && p.kept < 1; };
  const auto first = std::ranges::find_if(pairs, is_inner);
  const auto floor = std::ranges::find_if(pairs, [](const Pair& p) { return p.kept <= 0; });
  if (floor == pairs.end()) return {};
  if (first != pairs.end() && floor - first >= 2) return through(*first, *(floor - 1));
  if (first != pairs.end()) {
    const Line line = through(*first, *floor);
    // A pair that is wholly kept has at least `high` turns.
    return first != pairs.begin() && (first - 1)->turns < line.high ? through(*(first - 1), *first)
                                                                    : line;
  }
  return floor != pairs.begin() ? through(*(floor - 1), *floor) : std::optional<Line>();
}

std::vector<Pair> pairs_of(std::span<const float> factors, float factor,
                           const arch::ModelConfig& model) {
  const std::vector<double> frequencies = unscaled_frequencies(model);
  const double radians = static_cast<double>(model.rope_original) / (2 * std::numbers::pi);
  const auto whole = static_cast<double>(factor);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < factors.size(); ++i)
    pairs.push_back(
        {radians * frequencies[i], (whole / static_cast<double>(factors[i]) - 1) / (whole - 1)});
  return pairs;
}

// Rounds to a few digits: parameters are such numbers, and their factors have seven digits.
double rounded(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)) - 3);
  return std::round(value / unit) * unit;
}

// Returns the model with the scaling that has these factors, or nothing.
std::optional<arch::ModelConfig> scaling_of(std::span<const float> factors,
                                            arch::ModelConfig model) {
  if (fits(model, factors)) return model;
  const float factor = *std::ranges::max_element(factors);
  if (!(factor > 1) || !std::isfinite(factor)) return {};
  const double few_digits = rounded(static_cast<double>(factor));
  const bool same = static_cast<float>(few_digits) == factor;
  model.rope_factor = same ? few_digits : static_cast<double>(factor);
  for (const char* kind : {"linear", "llama3"}) {
    model.rope_scaling = kind;
    if (fits(model, factors)) return model;
  }
  auto line = line_of(pairs_of(factors, factor, model));
  if (line && line->high > kMostTurns) {  // the same line, in turns of fewer tokens
    const double share = kMostTurns / line->high;
    const auto fewer = static_cast<std::int64_t>(share * static_cast<double>(model.rope_original));
    const double scale = static_cast<double>(fewer) / static_cast<double>(model.rope_original);
    model.rope_original = fewer;
    line = Line{line->low * scale, line->high * scale};
  }
  if (!line || !(line->low > 0) || !(line->high > line->low)) return {};
  for (const Line& one : {Line{rounded(line->low), rounded(line->high)}, *line}) {
    model.rope_low = one.low;
    model.rope_high = one.high;
    if (one.low < one.high && fits(model, factors)) return model;
  }
  return {};
}

}  // namespace

std::vector<float> rope_factors(const arch::ModelConfig& model) {
  const std::vector<double> plain = unscaled_frequencies(model),
                            scaled = arch::rotary_frequencies(model);
  std::vector<float> factors;
  for (std::size_t i = 0; i < plain.size(); ++i)
    factors.push_back(static_cast<float>(plain[i] / scaled[i]));
  return factors;
}

void set_rope_factors(std::span<const float> factors, arch::ModelConfig& model,
                      const std::string& where) {
  const std::int64_t pairs = arch::rotary_entries(model) / 2;
  if (static_cast<std::int64_t>(factors.size()) != pairs)
    throw input_error("{}: {} has {} numbers, expected {}", where, kRopeFactors, factors.size(),
                      pairs);
  const auto found = scaling_of(factors, model);
  if (!found)
    throw input_error("{}: {} holds factors that no rope scaling of Llama 3 has", where,
                      kRopeFactors);
  model = checked(*found, where);
}

}  // namespace stagedtrain::hub
