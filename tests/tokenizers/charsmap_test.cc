// Character maps of SentencePiece models: sound ones pass, those that lead outside do not.
#include "tokenizers/charsmap.h"

#include <cstring>

#include "support/catch.h"
#include "support/errors.h"
#include "support/sentencepiece_model.h"
#include "tokenizers/tokenizer.h"

using namespace stagedtrain;
using namespace stagedtrain::data;

namespace {

// A map that replaces "a" by "b": the trie's unit 0 leads to block 256, where unit 256 ^ 'a' holds
// the leaf bit and leads to unit 512, whose value is the place of "b".
struct Map {
  std::vector<std::uint32_t> trie = std::vector<std::uint32_t>(768);
  std::string replacements = std::string("b\0", 2);
  Map() {
    for (std::size_t i = 0; i < trie.size(); ++i) trie[i] = 0x80000000u;  // matches nothing
    trie[0] = 256u << 10;
    trie[256 ^ 'a'] = 'a' | 0x100u | (512u ^ (256u ^ 'a')) << 10;
    trie[512] = 0x80000000u;
  }
  std::string bytes() const {
    const auto size = static_cast<std::uint32_t>(4 * trie.size());
    std::string text(4 + size, '\0');
    std::memcpy(text.data(), &size, 4);
    std::memcpy(text.data() + 4, trie.data(), size);
    return text + replacements;
  }
};

std::string model_with(const std::string& charsmap) {
  return test::sentencepiece_model({"b", "\u2581"}) +
         test::ProtoText().text(3, test::ProtoText().text(2, charsmap).bytes).bytes;
}

}  // namespace

TEST_CASE("a sound character map passes and is used") {
  const std::string model = model_with(Map().bytes());
  CHECK(charsmaps_are_sound(model));
  const auto tokenizer = Tokenizer::from_spec(model, "model");
  CHECK(tokenizer->encode("a") == tokenizer->encode("b"));
}

TEST_CASE("models without a character map pass, text that is no record does not") {
  CHECK(charsmaps_are_sound(""));
  CHECK(charsmaps_are_sound(test::sentencepiece_model({"b"})));
  CHECK(charsmaps_are_sound(model_with("")));
  CHECK_FALSE(charsmaps_are_sound("plain text"));
  CHECK_FALSE(charsmaps_are_sound(std::string(100, '\xff')));
}

TEST_CASE("a character map that leads outside itself is refused, not followed") {
  Map map;
  SECTION("a step beyond the trie") { map.trie[0] = 768u << 10; }
  SECTION("a far step beyond the trie") { map.trie[256 ^ 'a'] |= 0x200u | 0x1fffffu << 10; }
  SECTION("a replacement beyond the last") { map.trie[512] = 0x80000002u; }
  SECTION("replacements without an end") { map.replacements = "b"; }
  SECTION("a trie that ends inside a block") { map.trie.resize(700); }
  const std::string model = model_with(map.bytes());
  CHECK_FALSE(charsmaps_are_sound(model));
  test::refusal(ErrorKind::input, [&] { Tokenizer::from_spec(model, "model"); });
}

TEST_CASE("a character map cut short is refused") {
  const std::string whole = Map().bytes();
  for (std::size_t size :
       {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{2000}, whole.size() - 2})
    CHECK_FALSE(charsmaps_are_sound(model_with(whole.substr(0, size))));
}
