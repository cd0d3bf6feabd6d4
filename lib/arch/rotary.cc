// Computes rotary frequencies as powers of rope_theta, rescaled if the configuration says so.
#include "arch/rotary.h"

#include <cmath>
#include <numbers>

namespace stagedtrain::arch {
namespace {

// Applies the configured scaling. The llama3 rule is that of Llama 3.1; turns is the number of full
// rotations of a pair within the context of the first training.
double scaled(double frequency, const ModelConfig& c) {
  if (c.rope_scaling == "linear") return frequency / c.rope_factor;
  if (c.rope_scaling != "llama3") return frequency;
  const double turns = static_cast<double>(c.rope_original) * frequency / (2 * std::numbers::pi);
  if (turns < c.rope_low) return frequency / c.rope_factor;
  if (turns > c.rope_high) return frequency;
  const double kept = (turns - c.rope_low) / (c.rope_high - c.rope_low);
  return (1 - kept) * frequency / c.rope_factor + kept * frequency;
}

}  // namespace

std::int64_t rotary_entries(const ModelConfig& config) {
  return static_cast<std::int64_t>(static_cast<double>(config.head_dim) * config.rotary_share);
}

std::vector<double> rotary_frequencies(const ModelConfig& config) {
  const std::int64_t entries = rotary_entries(config);
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < entries; i += 2)
    frequencies.push_back(scaled(
        std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(entries)),
        config));
  return frequencies;
}

}  // namespace stagedtrain::arch
