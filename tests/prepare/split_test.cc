// The choice of what is for validation.
#include "prepare/split.h"

#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;

namespace {

std::string choices(double fraction, std::uint64_t seed, int units) {
  SplitChooser chooser(fraction, seed);
  std::string text;
  for (int i = 0; i < units; ++i) text += chooser.next_is_validation() ? 'v' : '.';
  return text;
}

}  // namespace

TEST_CASE("the share of validation is exact to one unit, whatever the fraction") {
  const double fraction = GENERATE(0.5, 1.0 / 3, 0.3, 0.1, 0.07, 0.01, 0.001);
  const std::uint64_t seed = GENERATE(1u, 2u, 77u);
  const std::string text = choices(fraction, seed, 20000);
  int chosen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    chosen += text[i] == 'v';
    REQUIRE(std::abs(chosen - fraction * static_cast<double>(i + 1)) <= 1.5);
  }
}

TEST_CASE("the choice depends on the seed alone") {
  CHECK(choices(0.1, 1, 500) == choices(0.1, 1, 500));
  CHECK(choices(0.1, 1, 500) != choices(0.1, 2, 500));
  CHECK(choices(0.1, 1, 500).substr(0, 300) == choices(0.1, 1, 300));
}

TEST_CASE("every place of a group is chosen by some seed") {
  std::string seen(10, '.');
  for (std::uint64_t seed = 0; seed < 200; ++seed) seen[choices(0.1, seed, 10).find('v')] = 'v';
  CHECK(seen == std::string(10, 'v'));
}

TEST_CASE("shares are read in percent or as a fraction") {
  CHECK(parse_fraction("1%") == 0.01);
  CHECK(parse_fraction("0.01") == 0.01);
  CHECK(parse_fraction("50 %") == 0.5);
  CHECK(parse_fraction("0.5") == 0.5);
}

TEST_CASE("a share out of range is refused with what was found") {
  const std::string text =
      GENERATE("0", "0%", "-1%", "51%", "0.6", "1", "", "%", "one", "1%%", "nan");
  const std::string message = test::refusal(ErrorKind::usage, [&] { parse_fraction(text); });
  INFO(message);
  CHECK(test::contains(message, "'" + text + "', expected a share above 0 and at most 50%"));
}

TEST_CASE("blocks are small enough for validation to come from many places") {
  CHECK(block_bytes(1000, 0.01) == 1024);
  CHECK(block_bytes(40'000'000, 0.01) == 6250);
  CHECK(block_bytes(std::uint64_t{1} << 40, 0.01) == 65536);
}
