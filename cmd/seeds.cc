// Parses lists of seeds and averages the losses of their runs.
#include "cmd/seeds.h"

#include <algorithm>

#include "base/error.h"
#include "base/mean.h"
#include "text/counted.h"
#include "text/error_bar.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

constexpr std::int64_t kMostSeeds = 1000;

std::int64_t read_seed(const std::string& text, const std::string& all) {
  const auto seed = parse_count(text);
  if (!seed || *seed < 0)
    throw usage_error(
        "--seeds: found '{}', expected a number of seeds, such as 3, or a list, such as 1,5,9",
        all);
  return *seed;
}

}  // namespace

std::vector<std::int64_t> read_seeds(const std::string& text, std::int64_t first) {
  std::vector<std::int64_t> seeds;
  if (text.find(',') == std::string::npos) {
    const std::int64_t count = read_seed(text, text);
    if (count < 1 || count > kMostSeeds)
      throw usage_error("--seeds: found {}, expected 1 to {}", count, kMostSeeds)
          .with_hint("for one particular seed, give --set seed=N");
    for (std::int64_t i = 0; i < count; ++i) seeds.push_back(first + i);
    return seeds;
  }
  for (const std::string& one : split(text, ',')) {
    seeds.push_back(read_seed(one, text));
    if (std::ranges::count(seeds, seeds.back()) > 1)
      throw usage_error("--seeds: {} appears twice", seeds.back());
  }
  return seeds;
}

Path seed_folder(const Path& folder, std::int64_t seed) {
  return folder / fmt::format("seed-{}", seed);
}

std::string mean_text(const EndLosses& losses) {
  std::string text;
  for (const auto& [name, all] : losses) {
    const Mean mean = mean_of(all);
    text += fmt::format("{}: validation loss {} over {}\n", name,
                        with_error(mean.value, mean.error, 4), counted(std::ssize(all), "seed"));
  }
  return text;
}

}  // namespace stagedtrain::cmd
