// From text to a pair of token files: nothing lost, nothing half-written.
#include "prepare/prepare.h"

#include <csignal>

#include "base/signals.h"
#include "data/token_file.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"
#include "tokenizers/tokenizer.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + " of the text\n";
  return text;
}

std::string decoded(const Path& path) {
  const TokenFile file(path);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(file.count()));
  file.read(0, ids, file.info().vocab);
  return Tokenizer::from_spec(file.info().tokenizer, "")->decode(ids);
}

PrepareOptions options_for(const test::TempDir& folder, const std::string& text) {
  test::write_text(folder / "text.txt", text);
  return {.inputs = {(folder / "text.txt").string()}, .folder = folder / "out"};
}

std::string refused(const PrepareOptions& options, ErrorKind kind = ErrorKind::input) {
  return test::refusal(kind, [&] { prepare(options); });
}

std::size_t outputs(const PrepareOptions& options) {
  if (!std::filesystem::exists(options.folder)) return 0;
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(options.folder), {}));
}

}  // namespace

TEST_CASE("a text is split in blocks of whole lines, nothing lost or repeated") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(20000));
  options.validation = 0.1;
  const PreparedData data = prepare(options);
  const std::string train = decoded(data.train.path), validation = decoded(data.validation.path);
  CHECK_FALSE(data.by_document);
  CHECK(data.documents == 1);
  CHECK(train.size() + validation.size() == data.text_bytes);
  CHECK(data.train.tokens == static_cast<std::int64_t>(train.size()));
  const double share =
      static_cast<double>(validation.size()) / static_cast<double>(data.text_bytes);
  CHECK(share == Approx(0.1).margin(0.01));
  // Both sides are in order, and their merge is the text.
  const std::string text = test::read_text(folder / "text.txt");
  std::size_t t = 0, v = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = text.find('\n', at) + 1 - at;
    const std::string line = text.substr(at, size);
    if (train.compare(t, size, line) == 0) {
      t += size;
    } else {
      REQUIRE(validation.compare(v, size, line) == 0);
      v += size;
    }
    at += size;
  }
  CHECK(t == train.size());
  CHECK(v == validation.size());
}

TEST_CASE("documents stay whole, their separator with them") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "story " + std::to_string(i) + "\nits end<|end|>";
  PrepareOptions options = options_for(folder, text);
  options.separator = "<|end|>";
  options.validation = 0.1;
  const PreparedData data = prepare(options);
  CHECK(data.by_document);
  CHECK(data.documents == 50);
  CHECK(data.validation.units == 5);
  std::string validation = decoded(data.validation.path);
  for (int found = 0; found < 5; ++found) {
    REQUIRE(validation.starts_with("story "));
    validation.erase(0, validation.find("<|end|>") + 7);
  }
  CHECK(validation.empty());
}

TEST_CASE("each of many files is a document") {
  const test::TempDir folder;
  PrepareOptions options{.folder = folder / "out", .validation = 0.25};
  for (int i = 0; i < 8; ++i) {
    const std::string name = "file" + std::to_string(i);
    test::write_text(folder / name, name + "\n");
    options.inputs.push_back((folder / name).string());
  }
  const PreparedData data = prepare(options);
  CHECK(data.by_document);
  CHECK(data.validation.units == 2);
  CHECK(decoded(data.validation.path).size() == 12);
  CHECK(decoded(data.train.path).size() == 36);
}

TEST_CASE("a text goes through a SentencePiece model and back") {
  const test::TempDir folder;
  const std::string text = lines(5000) + "na\u00efve caf\u00e9\n";
  PrepareOptions options = options_for(folder, text);
  test::write_text(
      folder / "words.model",
      test::sentencepiece_model({"line", "\u2581of", "\u2581the", "\u2581text", "\u2581"}));
  options.tokenizer = (folder / "words.model").string();
  options.validation = 0.1;
  const PreparedData data = prepare(options);
  CHECK(data.vocab == 264);
  CHECK(data.bytes_per_token == 2);
  CHECK(data.train.tokens * 2 < static_cast<std::int64_t>(data.train.text_bytes));
  CHECK(decoded(data.train.path).size() + decoded(data.validation.path).size() == text.size());
  const TokenFile file(data.train.path);
  CHECK(file.info().text_bytes_per_token ==
        Approx(static_cast<double>(data.train.text_bytes) / static_cast<double>(data.train.tokens))
            .epsilon(1e-12));
  CHECK_NOTHROW(file.check_vocab(264));
}

TEST_CASE("the same text and seed give the same files, another seed another split") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(5000));
  options.validation = 0.05;
  prepare(options);
  const std::string first = test::read_text(options.folder / "validation.bin");
  options.force = true;
  prepare(options);
  CHECK(test::read_text(options.folder / "validation.bin") == first);
  options.seed = 2;
  prepare(options);
  CHECK(test::read_text(options.folder / "validation.bin") != first);
}

TEST_CASE(
    "text that is missing, empty, a folder or a token file is refused, and nothing is written") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, "");
  CHECK(contains(refused(options), "text.txt: empty"));
  options.inputs = {(folder / "none.txt").string()};
  CHECK(contains(refused(options), "none.txt: cannot read: No such file"));
  std::filesystem::create_directory(folder / "nothing");
  options.inputs = {(folder / "nothing").string()};
  CHECK(contains(refused(options), "is a folder without files"));
  options.inputs = {"-", "-"};
  CHECK(contains(refused(options, ErrorKind::usage), "given twice"));
  CHECK(outputs(options) == 0);
  options = options_for(folder, lines(1000));
  prepare(options);
  options.inputs = {(options.folder / "train.bin").string()};
  options.folder = folder / "again";
  CHECK(contains(refused(options), "is a token file already"));
  CHECK(outputs(options) == 0);
}

TEST_CASE(
    "text that is not UTF-8 is named by line and byte for SentencePiece, and fine for bytes") {
  const test::TempDir folder;
  const std::string good = lines(6000);
  PrepareOptions options = options_for(folder, good + "caf\xe9\n" + good);
  test::write_text(folder / "words.model", test::sentencepiece_model({"line"}));
  options.tokenizer = (folder / "words.model").string();
  const std::string message = refused(options);
  INFO(message);
  CHECK(contains(
      message, "text.txt:6001: byte " + std::to_string(good.size() + 3) + " (0xe9) is not UTF-8"));
  CHECK(outputs(options) == 0);
  options.tokenizer = "bytes";
  CHECK_NOTHROW(prepare(options));
}

TEST_CASE("a split that leaves one side empty is refused with advice") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, "one line\n");
  const std::string message = refused(options);
  INFO(message);
  CHECK(contains(message, "would be empty"));
  CHECK(contains(message, "--validation 10%"));
  options.split = SplitRule::document;
  CHECK(contains(refused(options), "1 document cannot be split 99 to 1: expected at least 100"));
  CHECK_FALSE(std::filesystem::exists(options.folder));  // made for nothing, so gone again
  CHECK(outputs(options) == 0);
}

TEST_CASE("existing files are replaced only by force, and only when the new ones are whole") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(1000));
  std::filesystem::create_directories(options.folder);
  test::write_text(options.folder / "validation.bin", "old");
  CHECK(contains(refused(options, ErrorKind::usage), "validation.bin: exists already"));
  options.force = true;
  const FileOperation operation = GENERATE(FileOperation::write, FileOperation::sync);
  const std::string message = [&] {
    const test::Fault fault(operation, ENOSPC);
    return refused(options, ErrorKind::resource);
  }();
  CHECK(contains(message, "No space left"));
  CHECK(test::read_text(options.folder / "validation.bin") == "old");
  CHECK(outputs(options) == 1);
  prepare(options);
  CHECK(TokenFile(options.folder / "validation.bin").count() > 0);
}

TEST_CASE("a stop signal leaves nothing behind") {
  const test::TempDir folder;
  const PrepareOptions options = options_for(folder, lines(1000));
  reset_stop_request(SIGTERM);
  const std::string message = test::refusal(ErrorKind::interrupted, [&] { prepare(options); });
  reset_stop_request();
  CHECK(contains(message, "while counting documents"));
  CHECK(outputs(options) == 0);
}

TEST_CASE("an empty file among many is left out, and said") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(1000));
  test::write_text(folder / "empty.txt", "");
  test::write_text(folder / "empty2.txt", "");
  options.inputs.push_back((folder / "empty.txt").string());
  options.inputs.push_back((folder / "empty2.txt").string());
  const PreparedData data = prepare(options);
  CHECK(data.files == 1);
  CHECK(data.documents == 1);
  REQUIRE(data.skipped.size() == 2);
  REQUIRE(data.warnings.size() == 1);
  CHECK(contains(data.warnings[0], "empty.txt: empty, so it is skipped; so is 1 other input"));
  options.inputs = {(folder / "empty.txt").string(), (folder / "empty2.txt").string()};
  options.force = true;
  CHECK(contains(refused(options), "empty.txt: empty, expected text | so are all other inputs"));
}

TEST_CASE("a separator that never occurs is said, one that does is counted") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(1000));
  options.separator = "\r\n";
  const PreparedData none = prepare(options);
  CHECK(none.separators == 0);
  REQUIRE(none.warnings.size() == 1);
  CHECK(contains(none.warnings[0], "--separator '\\r\\n' occurs 0 times in the text"));
  CHECK(to_json(none)["separators"] == 0);
  options.separator = "7 of the text\n";
  options.force = true;
  const PreparedData some = prepare(options);
  CHECK(some.separators == 100);
  CHECK(some.documents == 101);
  CHECK(some.warnings.empty());
}

TEST_CASE("a tokenizer that does not keep the text is marked, in the files too") {
  const test::TempDir folder;
  std::string words = test::sentencepiece_model({"line", "\u2581"});
  const bool folds = GENERATE(false, true);
  if (folds)  // the normalizer removes extra spaces
    words += test::ProtoText().text(3, test::ProtoText().number(4, 1).bytes).bytes;
  test::write_text(folder / "words.model", words);
  PrepareOptions options = options_for(folder, lines(1000) + "two  spaces\n" + lines(1000));
  options.tokenizer = (folder / "words.model").string();
  const PreparedData data = prepare(options);
  CHECK(data.lossless == !folds);
  CHECK(TokenFile(data.train.path).info().lossless == !folds);
  CHECK(TokenFile(data.validation.path).info().lossless == !folds);
  CHECK(data.warnings.size() == (folds ? 1 : 0));
}

TEST_CASE("the counts add up as text and as JSON") {
  const test::TempDir folder;
  PrepareOptions options = options_for(folder, lines(3000));
  const PreparedData data = prepare(options);
  const Json json = to_json(data);
  CHECK(json["tokens"] == json["train"]["tokens"].get<std::int64_t>() +
                              json["validation"]["tokens"].get<std::int64_t>());
  CHECK(json["text_bytes"] == data.text_bytes);
  CHECK(json["train"]["file_bytes"] == std::filesystem::file_size(data.train.path));
  const std::string text = to_text(data);
  INFO(text);
  CHECK(contains(text, "1 file, 1 document"));
  CHECK(contains(text, data.validation.path.string()));
  CHECK(contains(to_text({.text_bytes = 1}), ", 1 byte of text\n"));
  CHECK(contains(to_text({.text_bytes = 2000}), ", 2,000 bytes of text\n"));
}
