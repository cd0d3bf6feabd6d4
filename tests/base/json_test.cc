// JSON: order kept, errors ours.
#include "base/json.h"

#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;

TEST_CASE("JSON keys keep the order in which they were written") {
  Json json;
  json["z"] = 1;
  json["a"] = "two";
  CHECK(json.dump() == R"({"z":1,"a":"two"})");
  CHECK(parse_json(R"({"z":1,"a":"two"})", "here") == json);
}

TEST_CASE("bad JSON is refused with its place") {
  const std::string text = GENERATE("", "{", "{\"a\":}", "[1,2", "nul", "{} x");
  INFO(text);
  const std::string message =
      test::refusal(ErrorKind::input, [&] { parse_json(text, "run.jsonl:3"); });
  CHECK(message.starts_with("run.jsonl:3: not valid JSON: "));
}
