// JSON lines: documents out of lines, and lines that are named when they are bad.
#include "prepare/json_lines.h"

#include <vector>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::vector<std::string> documents(const std::string& file, std::size_t piece = 1 << 20) {
  std::vector<std::string> found;
  JsonLines lines("web.jsonl", "text", [&](std::string_view text) { found.emplace_back(text); });
  for (std::size_t place = 0; place < file.size(); place += piece)
    lines.feed(std::string_view(file).substr(place, piece));
  lines.finish();
  return found;
}

std::string refused(const std::string& file) {
  return test::refusal(ErrorKind::input, [&] { documents(file); });
}

}  // namespace

TEST_CASE("each line is a document, however the file is cut into pieces") {
  const std::string file =
      "{\"text\": \"one\"}\n\n{\"id\": 3, \"text\": \"two\\nlines \\u00e9\\ud83d\\ude42\"}\r\n"
      "  \n{\"text\":\"three\",\"meta\":{\"a\":[1]}}";
  const std::vector<std::string> expected = {"one", "two\nlines \u00e9\U0001f642", "three"};
  for (const std::size_t piece : {1, 2, 7, 1000}) CHECK(documents(file, piece) == expected);
  CHECK(documents(file + "\n") == expected);
}

TEST_CASE("lines that are no documents are named by file and line") {
  const std::string good = "{\"text\": \"one\"}\n\n";
  CHECK(contains(refused(good + "{\"text\": \"tw"), "web.jsonl:3: not valid JSON at byte"));
  CHECK(contains(refused(good + "[1]\n"), "web.jsonl:3: found array, expected a JSON object"));
  CHECK(contains(refused(good + good + "{\"text\": 7}\n"), "web.jsonl:5: the field 'text' is number"));
  CHECK(contains(refused("{\"text\": null}\n"), "web.jsonl:1: the field 'text' is null"));
  const std::string missing = refused(good + "{\"body\": \"x\", \"id\": 1}\n");
  CHECK(contains(missing, "web.jsonl:3: has no field 'text'"));
  CHECK(contains(missing, "its fields are 'body', 'id'; name the one to read with --field"));
  CHECK(contains(refused("{\"text\": \"a\", \"text\": \"b\"}\n"), "appears twice"));
  CHECK(contains(refused("{\"text\": \"caf\xe9\"}\n"), "web.jsonl:1: not valid JSON"));
  CHECK(contains(refused("{\"text\": \"\\ud800\"}\n"), "web.jsonl:1: not valid JSON"));
  CHECK(contains(refused("{\"text\": \"a\", \"m\": " + std::string(100, '[') + "\n"), "deeper"));
}

TEST_CASE("documents without text are left out and counted") {
  std::vector<std::string> found;
  JsonLines lines("web.jsonl", "t", [&](std::string_view text) { found.emplace_back(text); });
  lines.feed("{\"t\": \"\"}\n{\"t\": \"x\"}\n{\"t\": \"\"}\n");
  lines.finish();
  CHECK(found == std::vector<std::string>{"x"});
  CHECK(lines.without_text() == 2);
}
