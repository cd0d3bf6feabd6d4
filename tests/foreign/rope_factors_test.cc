// Rope scalings that become factors and are found again: the same frequencies, for all parameters.
#include "foreign/rope_factors.h"

#include <cmath>

#include "arch/rotary.h"
#include "base/rng.h"
#include "hub/hub_models.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

arch::ModelConfig scaled_model(std::int64_t head_dim, double theta, double factor, double low,
                               double high, std::int64_t original) {
  arch::ModelConfig model = test::small_llama();
  model.head_dim = model.value_dim = head_dim;
  model.rope_theta = theta;
  model.rope_scaling = "llama3";
  model.rope_factor = factor;
  model.rope_low = low;
  model.rope_high = high;
  model.rope_original = original;
  return arch::resolved(model);
}

arch::ModelConfig without_scaling(arch::ModelConfig model) {
  const arch::ModelConfig plain;
  model.rope_scaling = "none";
  model.rope_factor = plain.rope_factor;
  model.rope_low = plain.rope_low;
  model.rope_high = plain.rope_high;
  model.rope_original = plain.rope_original;
  return model;
}

// The largest relative difference of two models' frequencies.
double frequency_distance(const arch::ModelConfig& a, const arch::ModelConfig& b) {
  const std::vector<double> left = arch::rotary_frequencies(a), right = arch::rotary_frequencies(b);
  REQUIRE(left.size() == right.size());
  double most = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    most = std::max(most, std::fabs(left[i] / right[i] - 1));
  return most;
}

}  // namespace

TEST_CASE("the scalings of Llama 3.1 and 3.2 are found as they were") {
  for (const double factor : {8.0, 32.0})
    for (const std::int64_t head_dim : {64, 128}) {
      const arch::ModelConfig model = scaled_model(head_dim, 500000, factor, 1, 4, 8192);
      arch::ModelConfig found = without_scaling(model);
      hub::set_rope_factors(hub::rope_factors(model), found, "x");
      CHECK(found == model);
    }
}

TEST_CASE("factors are those of gguf's converter") {
  const std::vector<float> factors = hub::rope_factors(scaled_model(8, 100, 4, 0.5, 3, 12));
  // Frequencies 1, 10^-0.5, 0.1, 10^-1.5 turn 1.91, 0.604, 0.191 and 0.0604 times in 12 tokens.
  REQUIRE(factors.size() == 4);
  const auto factor = [](double turns) {
    return 1 / ((1 - (turns - .5) / 2.5) / 4 + (turns - .5) / 2.5);
  };
  CHECK(std::fabs(factors[0] - factor(12 / (2 * M_PI))) < 1e-6);
  CHECK(std::fabs(factors[1] - factor(12 * std::pow(10, -.5) / (2 * M_PI))) < 1e-6);
  CHECK(factors[2] == 4);
  CHECK(factors[3] == 4);
}

TEST_CASE("any parameters are found up to those that compute the same") {
  const CounterRng rng(7, 1);
  int scaled = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const auto number = [&](std::uint64_t which, double least, double most) {
      return least * std::pow(most / least, rng.uniform(8 * i + which));
    };
    const std::int64_t head_dim = 2 + 2 * static_cast<std::int64_t>(rng.below(8 * i, 40));
    const double low = number(1, 0.01, 50), factor = number(2, 1.01, 60);
    const arch::ModelConfig model =
        scaled_model(head_dim, number(3, 10, 1e7), factor, low, low * number(4, 1.01, 100),
                     static_cast<std::int64_t>(number(5, 64, 1e6)));
    arch::ModelConfig found = without_scaling(model);
    INFO(describe(model) << ", low " << model.rope_low << ", high " << model.rope_high
                         << ", original " << model.rope_original);
    hub::set_rope_factors(hub::rope_factors(model), found, "x");
    REQUIRE(frequency_distance(found, model) < 2e-5);
    scaled += found.rope_scaling == "llama3";
  }
  CHECK(scaled > 2000);
}

TEST_CASE("factors that are no scaling of Llama 3 are refused") {
  const arch::ModelConfig plain = test::small_llama();  // three pairs
  const auto refused = [&](std::vector<float> factors) {
    arch::ModelConfig model = plain;
    return test::refusal(ErrorKind::input,
                         [&] { hub::set_rope_factors(factors, model, "a.gguf"); });
  };
  for (const std::vector<float>& factors : std::vector<std::vector<float>>{{2, 1, 1},
                                                                           {1, 3, 2},
                                                                           {0.5f, 1, 1},
                                                                           {NAN, 2, 4},
                                                                           {1, NAN, 4},
                                                                           {1, 2, INFINITY},
                                                                           {0, 2, 4},
                                                                           {-1, 2, 4}}) {
    INFO(factors[0] << " " << factors[1] << " " << factors[2]);
    CHECK(contains(refused(factors), "rope_freqs.weight"));
  }
  CHECK(contains(refused({1, 1}), "has 2 numbers, expected 3"));
  arch::ModelConfig model = plain;
  hub::set_rope_factors(std::vector<float>{1, 1, 1}, model, "a.gguf");
  CHECK(model == plain);
  hub::set_rope_factors(std::vector<float>{2.5f, 2.5f, 2.5f}, model, "a.gguf");
  CHECK(model.rope_scaling == "linear");
  CHECK(model.rope_factor == 2.5);
}
