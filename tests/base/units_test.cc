// Durations with units.
#include "base/units.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;

TEST_CASE("durations are read with their units") {
  CHECK(parse_duration("2100 steps") == Duration{2100, DurationUnit::steps});
  CHECK(parse_duration("1 step") == Duration{1, DurationUnit::steps});
  CHECK(parse_duration("700") == Duration{700, DurationUnit::steps});
  CHECK(parse_duration("10M tokens") == Duration{10e6, DurationUnit::tokens});
  CHECK(parse_duration("3e15 FLOPs") == Duration{3e15, DurationUnit::flops});
  CHECK(parse_duration("1.5 epochs") == Duration{1.5, DurationUnit::epochs});
  CHECK(parse_duration("20%") == Duration{20, DurationUnit::percent});
  CHECK(parse_duration(" 20 % ") == Duration{20, DurationUnit::percent});
  CHECK(parse_duration("30m") == Duration{1800, DurationUnit::seconds});
  CHECK(parse_duration("1.5 h") == Duration{5400, DurationUnit::seconds});
  CHECK(parse_duration("90s") == Duration{90, DurationUnit::seconds});
  CHECK(parse_duration("30M") == Duration{30e6, DurationUnit::steps});
}

TEST_CASE("durations are written as they are read") {
  for (const char* text :
       {"2100 steps", "0.5 epochs", "20%", "10000000 tokens", "12 flops", "1800s"})
    CHECK(to_string(parse_duration(text)) == text);
}

TEST_CASE("a bad duration is refused with the forms that are accepted") {
  const std::string text = GENERATE("", "steps", "-5 steps", "10 tokns", "10 steps more",
                                    "1e999 steps", "5%%", "%", "-5m", "m", "3 mins");
  INFO(text);
  const std::string message = test::refusal(ErrorKind::usage, [&] { parse_duration(text); });
  INFO(message);
  CHECK(test::contains(message, "is not a duration"));
  CHECK(test::contains(message, "2100 steps"));
}

TEST_CASE("a misspelt unit names the nearest one") {
  const std::string message = test::refusal(ErrorKind::usage, [] { parse_duration("10 tokns"); });
  INFO(message);
  CHECK(test::contains(message, "did you mean 'tokens'"));
}
