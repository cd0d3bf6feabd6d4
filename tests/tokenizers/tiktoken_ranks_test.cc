// Rank files of tiktoken, and the tokenizer that they make.
#include "tokenizers/tiktoken_ranks.h"

#include <array>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "tokenizers/tokenizer.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::string base64(const std::string& bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::array<unsigned, 3> part{};
    for (std::size_t j = 0; j < 3 && i + j < bytes.size(); ++j)
      part[j] = static_cast<unsigned char>(bytes[i + j]);
    const unsigned bits = part[0] << 16 | part[1] << 8 | part[2];
    for (int shift = 18; shift >= 0; shift -= 6) text += kDigits[bits >> shift & 63];
  }
  for (std::size_t i = 0; i < (3 - bytes.size() % 3) % 3; ++i) text[text.size() - 1 - i] = '=';
  return text;
}

// The 256 bytes from the last to the first, then these tokens, then pairs of bytes up to count.
std::string ranks(const std::vector<std::string>& tokens, std::size_t count) {
  std::string text;
  std::size_t rank = 0;
  const auto add = [&](const std::string& token) {
    if (rank < count) text += base64(token) + " " + std::to_string(rank++) + "\n";
  };
  for (int byte = 255; byte >= 0; --byte) add(std::string(1, static_cast<char>(byte)));
  for (const std::string& token : tokens) add(token);
  for (int pair = 0; pair < 65536 && rank < count; ++pair) {
    std::string token{static_cast<char>(pair / 256), static_cast<char>(pair % 256)};
    if (std::ranges::find(tokens, token) == tokens.end()) add(token);
  }
  return text;
}

std::string refused(const std::string& text) {
  return test::refusal(ErrorKind::input, [&] { parse_rank_file(text, "gpt2.tiktoken"); });
}

}  // namespace

TEST_CASE("a rank file merges what makes up the token of the lowest rank") {
  const test::TempDir folder;
  // "cab" is a token that no two tokens make up: it is only found as a whole word. "aaaa" is made of
  // "aa" and "aa", and of "aaa" and "a".
  test::write_text(folder / "gpt2.tiktoken",
                   ranks({"aa", "bc", "aaa", "aaaa", " cab", "ab", "abc"}, 50256));
  const std::string spec = read_tokenizer_spec((folder / "gpt2.tiktoken").string());
  CHECK(is_tokenizer_json(spec));
  const auto tokenizer = Tokenizer::from_spec(spec, "ranks");
  CHECK(tokenizer->vocab() == 50257);
  const auto ids = [&](const char* text) { return tokenizer->encode(text); };
  using Ids = std::vector<std::int32_t>;
  CHECK(ids("a") == Ids{255 - 'a'});
  CHECK(ids("bc") == Ids{257});
  CHECK(ids("xbc")[1] == 257);
  CHECK(ids("abc") == Ids{262});       // a whole word that is a token
  CHECK(ids("aaaa") == Ids{259});
  CHECK(ids(" cab") == Ids{260});
  CHECK(ids("1<|endoftext|>") == Ids{255 - '1', 50256});
  std::string all;
  for (int byte = 0; byte < 128; ++byte) all += static_cast<char>(byte);
  CHECK(tokenizer->decode(tokenizer->encode(all)) == all);
}

TEST_CASE("rank files that are damaged or of unknown patterns are refused by line") {
  CHECK(is_rank_file("IQ== 0\nIg== 1\n"));
  CHECK_FALSE(is_rank_file("{}"));
  CHECK_FALSE(is_rank_file("two words"));
  CHECK(contains(refused("IQ== 0\nIg== 2\n"), "gpt2.tiktoken:2: found 'Ig== 2'"));
  CHECK(contains(refused("IQ== 0\nIQ== 1\n"), "gpt2.tiktoken:2"));
  CHECK(contains(refused("IQ== 0\nI?== 1\n"), "gpt2.tiktoken:2"));
  CHECK(contains(refused("IQ== 0\n\nIg==\n"), "gpt2.tiktoken:3"));
  CHECK(contains(refused(ranks({}, 300)), "holds 300 ranks"));
  CHECK(contains(refused(ranks({}, 300)), "give the tokenizer.json"));
}
