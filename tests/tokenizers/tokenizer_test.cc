// Text to ids and back, with bytes and with SentencePiece models.
#include "tokenizers/tokenizer.h"

#include "base/rng.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

TEST_CASE("bytes are their own ids, all 256 of them") {
  const auto tokenizer = Tokenizer::from_spec("bytes", "here");
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  const auto ids = tokenizer->encode(all);
  REQUIRE(ids.size() == 256);
  for (int b = 0; b < 256; ++b) CHECK(ids[static_cast<std::size_t>(b)] == b);
  CHECK(tokenizer->decode(ids) == all);
  CHECK(tokenizer->vocab() == 256);
  CHECK(tokenizer->spec() == "bytes");
  CHECK_FALSE(tokenizer->needs_utf8());
  CHECK(tokenizer->encode("").empty());
}

TEST_CASE(
    "a SentencePiece model encodes words as pieces, the rest as bytes, and decodes to the same "
    "text") {
  const std::string model = test::sentencepiece_model({"\u2581the", "cat", "\u2581"});
  const auto tokenizer = Tokenizer::from_spec(model, "here");
  CHECK(tokenizer->vocab() == 3 + 256 + 3);
  CHECK(tokenizer->spec() == model);
  CHECK(tokenizer->needs_utf8());
  CHECK(tokenizer->encode("cat the") == std::vector<std::int32_t>{260, 259});
  CHECK(tokenizer->encode("x") == std::vector<std::int32_t>{3 + 'x'});
  const std::string text = "the cat\n\tça  va? \xf0\x9f\x90\x88 the";
  CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
}

TEST_CASE("ids outside the vocabulary decode to nothing") {
  const std::vector<std::int32_t> ids = {-1, 1 << 20};
  CHECK(Tokenizer::from_spec("bytes", "")->decode(ids).empty());
  CHECK(Tokenizer::from_spec(test::sentencepiece_model({"a"}), "")->decode(ids).empty());
}

TEST_CASE("what is not a model is refused, without a crash") {
  const std::string model = test::sentencepiece_model({"\u2581the", "cat"});
  const CounterRng rng(3, 3);
  std::string noise(20000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(rng.bits(i));
  const std::string bad =
      GENERATE_COPY(std::string(), std::string("plain text, no model"), noise, model.substr(0, 5),
                    model.substr(0, model.size() / 2 + 1), std::string(1 << 20, '\xff'),
                    test::sentencepiece_model({std::string("\0b", 2)}));
  const std::string message =
      test::refusal(ErrorKind::input, [&] { Tokenizer::from_spec(bad, "words.model"); });
  INFO(message);
  CHECK(contains(message, "words.model: not a SentencePiece model"));
}

TEST_CASE("a tokenizer is named by bytes or by the path of a model") {
  const test::TempDir folder;
  test::write_text(folder / "m.model", "content");
  CHECK(read_tokenizer_spec("bytes") == "bytes");
  CHECK(read_tokenizer_spec((folder / "m.model").string()) == "content");
  CHECK(contains(
      test::refusal(ErrorKind::input, [&] { read_tokenizer_spec((folder / "no.model").string()); }),
      "No such file"));
}
