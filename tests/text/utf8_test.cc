// Where UTF-8 breaks, and where text is cut.
#include "text/utf8.h"

#include "support/catch.h"

using namespace stagedtrain;

TEST_CASE("well-formed text has no bad byte") {
  for (const char* text : {"", "plain", "a\u00e9\u20ac\U0001f408z",
                           "\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"})
    CHECK_FALSE(first_bad_utf8(text).has_value());
  CHECK_FALSE(first_bad_utf8(std::string_view("nul \0 inside", 12)).has_value());
}

TEST_CASE("the first bad byte is found") {
  using namespace std::string_view_literals;
  CHECK(first_bad_utf8("abc\x92") == 3);
  CHECK(first_bad_utf8("0123456789\xff") == 10);
  CHECK(first_bad_utf8("\x80") == 0);        // a continuation first
  CHECK(first_bad_utf8("a\xc3") == 1);       // cut short
  CHECK(first_bad_utf8("a\xe2\x82") == 1);   // cut short
  CHECK(first_bad_utf8("a\xc3z") == 1);      // no continuation
  CHECK(first_bad_utf8("\xc0\x80"sv) == 0);  // longer than needed
  CHECK(first_bad_utf8("\xe0\x80\x80"sv) == 0);
  CHECK(first_bad_utf8("\xf0\x80\x80\x80"sv) == 0);
  CHECK(first_bad_utf8("\xed\xa0\x80") == 0);      // a surrogate
  CHECK(first_bad_utf8("\xf4\x90\x80\x80") == 0);  // beyond U+10FFFF
  CHECK(first_bad_utf8("\xf5\x80\x80\x80") == 0);
}

TEST_CASE("text is cut behind a line end, else between characters") {
  CHECK(cut_near("short", 10) == 5);
  CHECK(cut_near("0123456789", 10) == 10);
  CHECK(cut_near("01234567\nabc", 8) == 9);
  CHECK(cut_near("0123456\nabcdefgh", 8) == 8);
  CHECK(cut_near("01\n3456789abcdefghijk", 8) == 16);
  CHECK(cut_near("0123456789ab", 8) == 12);
  // Eight bytes wanted, at most sixteen: the character at 15 to 17 moves behind the cut.
  CHECK(cut_near("0123456789abcde\u20acxyz", 8) == 15);
  CHECK(cut_near(std::string(100, '\x80'), 8) == 16);
}

TEST_CASE("cuts put together are the text, and no character is torn") {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += i % 97 == 0 ? "\n" : i % 3 ? "\u20ac" : "x";
  std::string joined;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t cut = cut_near(rest, 64);
    REQUIRE((cut >= 1 && cut <= 128));
    CHECK_FALSE(first_bad_utf8(rest.substr(0, cut)).has_value());
    joined += rest.substr(0, cut);
    rest.remove_prefix(cut);
  }
  CHECK(joined == text);
}
