// Durations with units.
#include "text/units.h"

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
  CHECK(parse_duration("3h30m") == Duration{12600, DurationUnit::seconds});
  CHECK(parse_duration("1d12h") == Duration{129600, DurationUnit::seconds});
  CHECK(parse_duration(" 1h 2 m 3.5s ") == Duration{3723.5, DurationUnit::seconds});
  CHECK(parse_duration("2e3") == Duration{2000, DurationUnit::steps});
}

TEST_CASE("durations are written as they are read") {
  for (const char* text :
       {"2100 steps", "0.5 epochs", "20%", "10000000 tokens", "12 flops", "1800s"})
    CHECK(to_string(parse_duration(text)) == text);
}

TEST_CASE("a bad duration is refused with the forms that are accepted") {
  const std::string text =
      GENERATE("", "steps", "-5 steps", "10 tokns", "10 steps more", "1e999 steps", "5%%", "%",
               "-5m", "m", "3 mins", "30m3h", "3h30", "1h2h", "3h-5m", "h30m", "3h30mm");
  INFO(text);
  const std::string message = test::refusal(ErrorKind::usage, [&] { parse_duration(text); });
  INFO(message);
  CHECK(test::contains(message, "is not a duration"));
  CHECK(test::contains(message, "2100 steps"));
}

TEST_CASE("what is almost a time is refused with what is wrong in it") {
  const auto says = [](const char* text, const char* fault) {
    const std::string message = test::refusal(ErrorKind::usage, [&] { parse_duration(text); });
    INFO(message);
    CHECK(test::contains(message, fmt::format("'{}' is not a duration: {}", text, fault)));
  };
  says("3h30", "found 30 without a unit, expected 30m");
  says("1d12", "found 12 without a unit, expected 12h");
  says("2m30", "found 30 without a unit, expected 30s");
  says("5s30", "found 30 without a unit, expected 30s");
  says("30m3h", "found 3h after a number of m, expected each unit once and the larger one first");
  says("1h2h", "found 2h after a number of h");
  says("1s 2 m", "found 2m after a number of s");
  says("999999999999d", "expected at most 36500d, a hundred years");
  says("36500d1s", "expected at most 36500d");
  CHECK(parse_duration("36500d") == Duration{36500 * 86400.0, DurationUnit::seconds});
}

TEST_CASE("a misspelt unit names the nearest one") {
  const std::string message = test::refusal(ErrorKind::usage, [] { parse_duration("10 tokns"); });
  INFO(message);
  CHECK(test::contains(message, "did you mean 'tokens'"));
}

TEST_CASE("a suffix without a unit is refused: it nearly always means tokens") {
  for (const char* text : {"10M", "64K", "64k", "2.5G", "1B", "1T", "4Ki", "1Mi"}) {
    const std::string message = test::refusal(ErrorKind::usage, [&] { parse_duration(text); });
    INFO(message);
    CHECK(test::contains(message, fmt::format("found '{0}'; expected a unit, such as '{0} tokens' "
                                              "or '{0} steps'",
                                              text)));
  }
}

TEST_CASE("a unit in other words names the one that is accepted") {
  const auto says = [](const char* text) {
    return test::refusal(ErrorKind::usage, [&] { parse_duration(text); });
  };
  CHECK(test::contains(says("3 hours"), "did you mean '3h'?"));
  CHECK(test::contains(says("20 percent"), "did you mean '20%'?"));
  CHECK(test::contains(says("100steps"), "did you mean '100 steps'?"));
  CHECK(test::contains(says("10Mtokens"), "did you mean '10M tokens'?"));
  CHECK(test::contains(says("1,000 steps"), "it has a comma"));
  CHECK(test::contains(says("0,5 epochs"), "a decimal point"));
}
