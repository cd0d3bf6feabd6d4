// Escapes in options: every one that is listed, and no other.
#include "prepare/escapes.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using data::escaped;
using data::unescaped;
using test::contains;

TEST_CASE("every listed escape becomes its byte") {
  using namespace std::string_literals;
  CHECK(unescaped("a\\r\\nb", "--x") == "a\r\nb");
  CHECK(unescaped("\\n\\t\\\\", "--x") == "\n\t\\");
  CHECK(unescaped("\\0", "--x") == "\0"s);
  CHECK(unescaped("\\x1eA\\xfF", "--x") ==
        "\x1e"
        "A\xff");
  CHECK(unescaped("\\\\n", "--x") == "\\n");
  CHECK(unescaped("<|endoftext|>", "--x") == "<|endoftext|>");
  CHECK(unescaped("", "--x").empty());
}

TEST_CASE("any other backslash is refused, and the list is shown") {
  for (const char* text : {"\\q", "end\\", "\\x1", "\\xg0", "\\x", "\\N"}) {
    INFO(text);
    const std::string said =
        test::refusal(ErrorKind::usage, [&] { unescaped(text, "--separator"); });
    CHECK(contains(said, "--separator: found '\\"));
    CHECK(contains(said, "\\n \\r \\t \\0 \\\\ \\xHH"));
  }
}

TEST_CASE("what is escaped reads back") {
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  CHECK(unescaped(escaped(all), "--x") == all);
  CHECK(escaped("a\r\n\x1b") == "a\\r\\n\\x1b");
}
