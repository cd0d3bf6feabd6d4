// JSON: order kept, errors ours.
#include "text/json.h"

#include "support/catch.h"
#include "support/errors.h"
#include "text/sorted_json.h"

using namespace stagedtrain;

TEST_CASE("bad JSON is refused with its place") {
  const std::string text = GENERATE("", "{", "{\"a\":}", "[1,2", "nul", "{} x",
                                    std::string("{}\0", 3), std::string("{}\0{}", 5));
  INFO(text);
  const std::string message =
      test::refusal(ErrorKind::input, [&] { parse_json(text, "run.jsonl:3"); });
  CHECK(message.starts_with("run.jsonl:3: not valid JSON: "));
  CHECK_FALSE(try_parse_json(text));
}

TEST_CASE("JSON nested deeper than the limit is refused, whoever reads it") {
  const std::string deep = GENERATE(std::string(300000, '['),
                                    "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}");
  CHECK(test::refusal(ErrorKind::input, [&] {
          parse_json(deep, "laws.json");
        }).starts_with("laws.json: JSON nested deeper than 64 levels"));
  CHECK_FALSE(try_parse_json(deep));
  const std::string allowed = std::string(64, '[') + std::string(64, ']');
  CHECK(json_text(parse_json(allowed, "here"), -1) == allowed);
  CHECK(parse_json("[\"" + std::string(1000, '[') + "\\\"[[\"]", "here")[0].is_string());
}

TEST_CASE("a line that was cut short is nothing rather than an error") {
  CHECK_FALSE(try_parse_json("{\"event\":\"st"));
  CHECK(try_parse_json("{}").value() == Json::object());
}

TEST_CASE("JSON is printed whatever bytes are in it, without control characters") {
  const Json json = {{"path",
                      "a\xff\x1b[31m\x7f\xc2\x9b"
                      "b\n\xc3\xbc"}};
  const std::string printed = "{\"path\":\"a\\\\xff\\u001b[31m\\u007f\\u009bb\\n\xc3\xbc\"}";
  CHECK(json_text(json, -1) == printed);
  CHECK(json_text(SortedJson(json), -1) == printed);
}
