// Byte-level BPE: the ids that the `tokenizers` library gives, on random strings and for every split.
#include "tokenizers/bpe_tokenizer.h"

#include <cstdlib>

#include "base/rng.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/text_file.h"
#include "text/strict_json.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/tokenizer_json.h"

using namespace stagedtrain;
using test::contains;

namespace {

// The file that scripts/make_tokenizer_golden.py made.
SortedJson golden() {
  const char* named = std::getenv("STAGEDTRAIN_TOKENIZER_CASES");
  const std::string path = named ? std::string(named)
                                 : std::string(std::getenv("STAGEDTRAIN_SOURCE")) +
                                       "/tests/golden/tokenizers.json";
  return SortedJson::parse(test::read_text(path));
}

// The golden tokenizer with the pre-tokenizer of one of its splits.
std::string tokenizer_of(const SortedJson& all, const SortedJson& split) {
  SortedJson json = all["tokenizer"];
  json["pre_tokenizer"] = split["pre_tokenizer"];
  return json.dump();
}
std::string gpt2_json() {
  const SortedJson all = golden();
  return tokenizer_of(all, all["splits"][0]);
}

std::string refused(const std::string& spec) {
  return test::refusal(ErrorKind::input, [&] { data::make_bpe_tokenizer(spec, "t.json"); });
}
// The golden tokenizer with one member changed.
std::string changed(const char* pointer, const SortedJson& value) {
  SortedJson json = SortedJson::parse(gpt2_json());
  json[SortedJson::json_pointer(pointer)] = value;
  return json.dump();
}

}  // namespace

TEST_CASE("ids are those of the tokenizers library, and decode gives the text again") {
  const SortedJson all = golden();
  for (const SortedJson& entry : all["splits"]) {
    INFO("split " << entry["name"]);
    const auto tokenizer = data::make_bpe_tokenizer(tokenizer_of(all, entry), "golden");
    for (const SortedJson& one : entry["cases"]) {
      const auto text = one[0].get<std::string>();
      INFO("text " << SortedJson(text).dump());
      const std::vector<std::int32_t> ids = tokenizer->encode(text);
      REQUIRE(ids == one[1].get<std::vector<std::int32_t>>());
      REQUIRE(tokenizer->decode(ids) == text);
    }
  }
}

TEST_CASE("a tokenizer that is written again is the same") {
  const SortedJson all = golden();
  for (const SortedJson& entry : all["splits"]) {
    const std::string text = tokenizer_of(all, entry);
    const data::BpeDescription description = data::parse_tokenizer_json(text, "golden");
    const auto again =
        data::make_bpe_tokenizer(data::to_tokenizer_json(description), "written again");
    for (const SortedJson& one : entry["cases"])
      REQUIRE(again->encode(one[0].get<std::string>()) == one[1].get<std::vector<std::int32_t>>());
  }
}

TEST_CASE("ids of special tokens travel with the file and are taken off again") {
  const std::string plain = gpt2_json();
  const std::string marked = data::with_special_ids(plain, 0, -1, 7);
  const data::BpeDescription found = data::parse_tokenizer_json(marked, "marked");
  CHECK(found.begin == 0);
  CHECK(found.end == -1);
  CHECK(found.pad == 7);
  CHECK(data::without_special_ids(marked) == plain);
  CHECK(data::with_special_ids(marked, 1, 2, 3) == data::with_special_ids(plain, 1, 2, 3));
}

TEST_CASE("a long run of one character is encoded in reasonable time") {
  const auto tokenizer = data::make_bpe_tokenizer(gpt2_json(), "golden");
  for (const char c : {' ', 'a', '\n', '1'}) {
    const std::string text(1 << 20, c);
    CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
  }
}

TEST_CASE("every byte has its character") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    CHECK(data::bytes_of_characters(data::character_of_byte(static_cast<unsigned char>(byte))) ==
          one);
  }
  CHECK(data::character_of_byte(' ') == "\u0120");
  CHECK(data::character_of_byte('A') == "A");
  CHECK_FALSE(data::bytes_of_characters("a b"));
  CHECK_FALSE(data::bytes_of_characters("\u0250"));
  CHECK_FALSE(data::bytes_of_characters("\xc4"));
}

TEST_CASE("what is not supported is refused by name") {
  CHECK(contains(refused(changed("/model/type", "Unigram")), "'Unigram' is not supported"));
  CHECK(contains(refused(changed("/normalizer", {{"type", "NFC"}})), "normalizer"));
  CHECK(contains(refused(changed("/pre_tokenizer", {{"type", "Metaspace"}})), "Metaspace"));
  CHECK(contains(refused(changed("/pre_tokenizer", nullptr)), "pre_tokenizer"));
  CHECK(contains(refused(changed("/pre_tokenizer/add_prefix_space", true)), "pre_tokenizer"));
  CHECK(contains(refused(changed("/pre_tokenizer/add_prefix_space", "yes")), "pre_tokenizer"));
  CHECK(contains(refused(changed("/model/byte_fallback", true)), "byte_fallback"));
  CHECK(contains(refused(changed("/model/vocab/zzz", -4)), "id -4"));
  CHECK(contains(refused(changed("/model/vocab/zzz", 300)), "300 has two tokens"));
  CHECK(contains(refused(changed("/model/merges/0", SortedJson{"q", "nothing"})), "merge 0"));
  CHECK(contains(refused(changed("/added_tokens/0/lstrip", true)), "lstrip"));
  CHECK(contains(refused("{}"), "expected a tokenizer.json"));
}
