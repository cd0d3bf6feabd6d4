// JSON that can be understood in two ways is refused.
#include "text/strict_json.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::string refused(const std::string& text) {
  return test::refusal(ErrorKind::input, [&] { parse_strict_json(text, "x.json"); });
}

}  // namespace

TEST_CASE("strict JSON reads what is sound") {
  const SortedJson json = parse_strict_json(R"({"a": {"b": [1, -2, 3.5, null]}, "b": 1})", "x");
  CHECK(json["a"]["b"][2] == 3.5);
}

TEST_CASE("strict JSON refuses duplicates, depth and what is no JSON") {
  CHECK(contains(refused(R"({"a": 1, "b": {"a": 2, "a": 3}})"), "'a' appears twice"));
  CHECK(contains(refused(std::string(9, '[') + std::string(9, ']')), "deeper than 8"));
  CHECK(contains(refused(std::string(200000, '[')), "deeper than 8"));
  CHECK(contains(refused(R"({"a": 1)"), "x.json: not valid JSON"));
  CHECK(contains(refused("{} {}"), "not valid JSON"));
  CHECK(contains(refused(std::string("{}\0", 3)), "a null character at byte 2"));
  CHECK(contains(refused("\"\xff\""), "not valid JSON"));
  CHECK(contains(refused("{\"\x1b[2J\": 1, \"\x1b[2J\": 1}"), "not valid JSON"));
  CHECK(contains(refused(R"({"\u001b": 1, "\u001b": 1})"), "'\\x1b' appears twice"));
}
