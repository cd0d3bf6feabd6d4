// Numbers and words as people write them.
#include "text/text.h"

#include <cmath>
#include <limits>

#include "support/catch.h"

using namespace stagedtrain;

TEST_CASE("numbers are read as people write them") {
  const auto [text, value] = GENERATE(table<std::string, double>({{"1e6", 1e6},
                                                                  {"1_000_000", 1e6},
                                                                  {"64K", 64e3},
                                                                  {"64k", 64e3},
                                                                  {"50M", 50e6},
                                                                  {"2.5G", 2.5e9},
                                                                  {"2.5B", 2.5e9},
                                                                  {"1T", 1e12},
                                                                  {"4Ki", 4096},
                                                                  {"1Mi", 1048576},
                                                                  {"2Gi", 2147483648.0},
                                                                  {"-3", -3},
                                                                  {"+3", 3},
                                                                  {"0", 0},
                                                                  {"0.5", 0.5},
                                                                  {".5", 0.5},
                                                                  {"3e-3", 0.003},
                                                                  {"1E3", 1000}}));
  INFO(text);
  REQUIRE(parse_number(text).has_value());
  CHECK(*parse_number(text) == value);
}

TEST_CASE("what is not a number is not read as one") {
  const std::string text =
      GENERATE("", " ", "010", "0x10", "1 000", "1,000", "_1", "1_", "1__0", "1._0", "abc", "1e",
               "e5", "--1", "+-1", "K", "1KK", "1KiK", "nan", "inf", "-inf", "1e999", "1.2.3",
               "1e5.5", "5%", ".", "-", "1-2");
  INFO(text);
  CHECK_FALSE(parse_number(text).has_value());
}

TEST_CASE("counts are whole numbers of at most 2^53") {
  CHECK(parse_count("64K") == 64000);
  CHECK(parse_count("2.5K") == 2500);
  CHECK(parse_count("1e6") == 1000000);
  CHECK(parse_count("-7") == -7);
  CHECK(parse_count("9007199254740992") == 9007199254740992);
  CHECK_FALSE(parse_count("9007199254740994").has_value());
  CHECK_FALSE(parse_count("1e300").has_value());
  CHECK_FALSE(parse_count("2.5").has_value());
  CHECK_FALSE(parse_count("x").has_value());
}

TEST_CASE("the nearest word is found, and none where nothing is near") {
  const std::vector<std::string> words = {"layers", "width", "heads", "context"};
  CHECK(nearest_word("layer", words) == "layers");
  CHECK(nearest_word("widht", words) == "width");
  CHECK(nearest_word("contxt", words) == "context");
  CHECK_FALSE(nearest_word("optimizer", words).has_value());
  CHECK_FALSE(nearest_word("x", {}).has_value());
  CHECK_FALSE(nearest_word(std::string(100000, 'a'), words).has_value());
  CHECK(suggestion("widht", words) == "; did you mean 'width'?");
  CHECK(suggestion("optimizer", words) == "; expected one of layers, width, heads, context");
  CHECK(suggestion("optimizer", {}).empty());
}

TEST_CASE("text is joined, split, trimmed and lowered") {
  CHECK(join({"a", "b", "c"}, ", ") == "a, b, c");
  CHECK(join({}, ", ").empty());
  CHECK(split("a.b..c", '.') == std::vector<std::string>{"a", "b", "", "c"});
  CHECK(split("", '.') == std::vector<std::string>{""});
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n").empty());
  CHECK(lower("GPT-2 Ä") == "gpt-2 Ä");
}

TEST_CASE("formatted numbers read back as themselves") {
  for (double value : {0.003, 1.0, -2.5, 1e-8, 1.0 / 3.0, 854438400.0, 3e15}) {
    INFO(value);
    REQUIRE(parse_number(format_number(value)).has_value());
    CHECK(*parse_number(format_number(value)) == value);
  }
  CHECK(format_number(3e-3) == "0.003");
  CHECK(format_number(200) == "200");
}

TEST_CASE("counts, bytes and times are short") {
  CHECK(short_count(9999) == "9999");
  CHECK(short_count(10000) == "10K");
  CHECK(short_count(1234567) == "1.23M");
  CHECK(short_count(999999) == "1M");
  CHECK(short_count(124439808) == "124M");
  CHECK(short_count(3e15) == "3P");
  CHECK(short_count(4.41e21) == "4.41Z");  // FLOPs of a large model
  CHECK(short_count(2e24) == "2Y");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(grouped(-123456) == "-123,456");
  CHECK(short_bytes(512) == "512 B");
  CHECK(short_bytes(1536) == "1.5 KiB");
  CHECK(short_bytes(1048576) == "1.0 MiB");
  CHECK(short_seconds(3.2) == "3.2s");
  CHECK(short_seconds(75) == "1m15s");
  CHECK(short_seconds(3723) == "1h02m");
  CHECK(short_seconds(90000) == "1d01h");
  CHECK(short_seconds(std::numeric_limits<double>::quiet_NaN()) == "?");
}

TEST_CASE("what a terminal would obey is printed as a number") {
  CHECK(for_terminal("plain, \xc3\xbc \xe2\x89\xa5 \xf0\x9f\x8c\xb1\n\tend") ==
        "plain, \xc3\xbc \xe2\x89\xa5 \xf0\x9f\x8c\xb1\n\tend");
  CHECK(for_terminal("\x1b[31mred\r\b\x7f") == "\\x1b[31mred\\x0d\\x08\\x7f");
  CHECK(for_terminal("\xc2\x9b"
                     "31m \x9b \xff \xc3") == "\\xc2\\x9b31m \\x9b \\xff \\xc3");
  CHECK(for_terminal("\xed\xa0\x80 \xc0\xaf \xf5\x80\x80\x80") ==
        "\\xed\\xa0\\x80 \\xc0\\xaf \\xf5\\x80\\x80\\x80");
  CHECK(for_terminal(std::string(1, '\0')) == "\\x00");
}
