// `stagedtrain data` as a user types it.
#include <algorithm>

#include "data/token_file.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + " of the text\n";
  return text;
}

}  // namespace

TEST_CASE("data writes both token files and prints a table") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  const std::string out = (folder / "out").string();
  const auto result = test::stagedtrain({"data", (folder / "text.txt").string(), "--out", out});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "tokenizer bytes, 256 ids, 1 byte a token"));
  CHECK(contains(result.out, out + "/train.bin"));
  CHECK(contains(result.out, out + "/validation.bin"));
  const auto train = data::TokenFile(out + "/train.bin").count(),
             validation = data::TokenFile(out + "/validation.bin").count();
  CHECK(train + validation == static_cast<std::int64_t>(lines(2000).size()));
}

TEST_CASE("data --json prints JSON and nothing else, from standard input too") {
  const test::TempDir folder;
  const auto result =
      test::run({.arguments = {test::program(), "data", "-", "--out", (folder / "out").string(),
                               "--json", "--validation", "10%"},
                 .input = lines(2000)});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "stdout");
  CHECK(json["text_bytes"] == lines(2000).size());
  CHECK(json["tokenizer"] == "bytes");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "out"), {}) == 2);
}

TEST_CASE("data takes a SentencePiece model") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  test::write_text(folder / "words.model",
                   test::sentencepiece_model({"line", "\u2581of", "\u2581the", "\u2581text"}));
  const auto result =
      test::stagedtrain({"data", (folder / "text.txt").string(), "--out", (folder / "out").string(),
                         "--tokenizer", (folder / "words.model").string()});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "tokenizer SentencePiece, 263 ids, 2 bytes a token"));
}

TEST_CASE("data refuses bad command lines with 2") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  const std::string text = (folder / "text.txt").string(), out = (folder / "out").string();
  check_refused(test::stagedtrain({"data", text}), 2, "--out");
  check_refused(test::stagedtrain({"data", "--out", out}), 2, "text");
  check_refused(test::stagedtrain({"data", text, "--out", out, "--validation", "60%"}), 2,
                "above 0 and at most 50%");
  check_refused(test::stagedtrain({"data", text, "--out", out, "--split", "documents"}), 2,
                "did you mean 'document'?");
  check_refused(test::stagedtrain({"data", text, "--out", out, "--sed", "3"}), 2, "--sed");
  check_refused(test::stagedtrain({"data", text, "--out", out, "--seed", "x"}), 2, "--seed");
  CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("data understands escapes in --separator, and refuses those that it does not") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "story " + std::to_string(i) + "\r\n";
  test::write_text(folder / "text.txt", text);
  const std::string out = (folder / "out").string();
  const auto data = [&](const std::string& separator) {
    return test::stagedtrain({"data", (folder / "text.txt").string(), "--out", out, "--separator",
                              separator, "--json", "--force"});
  };
  for (const char* separator : {"\\r\\n", "\\x0d\\x0a"}) {
    const auto result = data(separator);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(result.err.empty());
    CHECK(parse_json(result.out, "stdout")["documents"] == 2000);
  }
  const auto none = data("<|end|>");
  CHECK(none.exit_code == 0);
  CHECK(contains(none.err, "warning: --separator '<|end|>' occurs 0 times"));
  CHECK(parse_json(none.out, "stdout")["separators"] == 0);
  check_refused(data(""), 2, "--separator: found an empty text");
  check_refused(data("\\q"), 2, "--separator: found '\\q' at character 1, expected one of \\n");
}

TEST_CASE("data leaves out an empty file among others with a warning") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  test::write_text(folder / "empty.txt", "");
  const auto result =
      test::stagedtrain({"data", (folder / "empty.txt").string(), (folder / "text.txt").string(),
                         "--out", (folder / "out").string()});
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, "warning: "));
  CHECK(contains(result.err, "empty.txt: empty, so it is skipped"));
}

TEST_CASE("data refuses bad files with 3") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  test::write_text(folder / "latin1.txt", lines(100) + "caf\xe9\n");
  test::write_text(folder / "empty.txt", "");
  test::write_text(folder / "noise.model", std::string(5000, '\x9d'));
  test::write_text(folder / "words.model", test::sentencepiece_model({"line"}));
  const auto data = [&](const std::string& name, const std::string& tokenizer) {
    return test::stagedtrain({"data", (folder / name).string(), "--out", (folder / "out").string(),
                              "--tokenizer", tokenizer});
  };
  check_refused(data("none.txt", "bytes"), 3, "none.txt: cannot read: No such file or directory");
  check_refused(data("empty.txt", "bytes"), 3, "empty.txt: empty");
  check_refused(data("text.txt", (folder / "none.model").string()), 3, "none.model: cannot read");
  check_refused(data("text.txt", (folder / "noise.model").string()), 3,
                "noise.model: not a SentencePiece model");
  check_refused(data("latin1.txt", (folder / "words.model").string()), 3, "latin1.txt:101: byte");
}

TEST_CASE("data never replaces a file unless told to") {
  const test::TempDir folder;
  test::write_text(folder / "text.txt", lines(2000));
  std::filesystem::create_directories(folder / "out");
  test::write_text(folder / "out/train.bin", "precious");
  std::vector<std::string> arguments = {"data", (folder / "text.txt").string(), "--out",
                                        (folder / "out").string()};
  check_refused(test::stagedtrain(arguments), 2, "train.bin: exists already");
  CHECK(test::read_text(folder / "out/train.bin") == "precious");
  arguments.push_back("--force");
  CHECK(test::stagedtrain(arguments).exit_code == 0);
  CHECK(test::read_text(folder / "out/train.bin") != "precious");
}

TEST_CASE("data explains its options and how it splits") {
  const auto result = test::stagedtrain({"data", "--help"});
  CHECK(result.exit_code == 0);
  for (const char* word : {"--out", "--tokenizer", "--validation", "--split", "--separator",
                           "--seed", "--force", "--json", "Examples:"})
    CHECK(contains(result.out, word));
}
