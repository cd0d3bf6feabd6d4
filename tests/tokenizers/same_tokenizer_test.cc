// Two tokenizers are compared, and named when they differ.
#include "tokenizers/same_tokenizer.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/sentencepiece_model.h"
#include "support/text_file.h"
#include "tokenizers/tokenizer_json.h"

using namespace stagedtrain;
using data::describe_tokenizer;
using data::require_same_tokenizer;
using test::contains;

TEST_CASE("the same tokenizer passes, and so does one that is not recorded") {
  const std::string words = test::sentencepiece_model({"light"});
  CHECK_NOTHROW(require_same_tokenizer("a", "bytes", "b", "bytes"));
  CHECK_NOTHROW(require_same_tokenizer("a", words, "b", words));
  CHECK_NOTHROW(require_same_tokenizer("a", "", "b", words));
  CHECK_NOTHROW(require_same_tokenizer("a", "bytes", "b", ""));
}

TEST_CASE("a tokenizer.json is the same with and without the ids that begin and end a text") {
  const std::string plain = R"({"model":{"type":"BPE"}})", other = R"({"model":{"type":"BPE2"}})";
  const std::string with = data::with_special_ids(plain, 1, 2, -1);
  CHECK(with != plain);
  CHECK_NOTHROW(require_same_tokenizer("a", plain, "b", with));
  CHECK_NOTHROW(require_same_tokenizer("a", with, "b", data::with_special_ids(plain, 0, 2, 3)));
  test::refusal(ErrorKind::input, [&] { require_same_tokenizer("a", other, "b", with); });
}

TEST_CASE("two tokenizers that differ are both named") {
  const std::string one = test::sentencepiece_model({"light"}),
                    other = test::sentencepiece_model({"might"});
  for (const auto& [a, b] : {std::pair{one, other}, {one, std::string("bytes")}}) {
    const std::string said =
        test::refusal(ErrorKind::input, [&] { require_same_tokenizer("a.bin", a, "b.h5", b); });
    INFO(said);
    CHECK(contains(said, "a.bin: its tokenizer is " + describe_tokenizer(a)));
    CHECK(contains(said, "that of b.h5 is " + describe_tokenizer(b)));
  }
  CHECK(describe_tokenizer(one) != describe_tokenizer(other));
  CHECK(describe_tokenizer("") == "not recorded");
}
