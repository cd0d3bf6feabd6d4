// Inputs that are no plain text files: JSON lines, compressed files, folders and patterns, in the
// formats of others too.
#include <fstream>

#include "data/token_file.h"
#include "prepare/input_names.h"
#include "prepare/prepare.h"
#include "support/compressed.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "tokenizers/tokenizer.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::string json_line(int i) { return "{\"text\": \"story " + std::to_string(i) + "\"}\n"; }

std::string decoded(const Path& path) {
  const TokenFile file(path);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(file.count()));
  file.read(0, ids, 256);
  return Tokenizer::from_spec("bytes", "")->decode(ids);
}

std::string refused(const PrepareOptions& options) {
  return test::refusal(ErrorKind::input, [&] { prepare(options); });
}

}  // namespace

TEST_CASE("documents of JSON lines stay whole and end with the separator") {
  const test::TempDir folder;
  std::string file, expected;
  for (int i = 0; i < 40; ++i) file += json_line(i);
  file += "{\"text\": \"ends by itself<end>\"}\n";
  const std::string name = GENERATE("a.jsonl", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst");
  INFO(name);
  test::write_text(folder / name, name.ends_with("gz")    ? test::gzipped(file)
                                  : name.ends_with("zst") ? test::zstd_packed(file)
                                                          : file);
  PrepareOptions options{.inputs = {(folder / name).string()}, .folder = folder / "out"};
  options.separator = "<end>";
  options.validation = 0.1;
  const PreparedData data = prepare(options);
  CHECK(data.by_document);
  CHECK(data.documents == 41);
  CHECK(data.separators == 41);
  CHECK(data.validation.units == 4);
  CHECK(data.warnings.empty());
  std::string all = decoded(data.train.path);
  CHECK(all.starts_with("story "));
  CHECK(all.ends_with("ends by itself<end>"));
  CHECK(static_cast<std::uint64_t>(data.train.tokens + data.validation.tokens) == data.text_bytes);
  // Nothing else is left in the folder.
  CHECK(std::distance(std::filesystem::directory_iterator(options.folder), {}) == 2);
}

TEST_CASE("a separator inside a document of JSON lines does not cut it") {
  const test::TempDir folder;
  test::write_text(folder / "a.jsonl", "{\"body\": \"a\\nb\"}\n{\"body\": \"c\"}\n{\"body\": \"\"}\n");
  PrepareOptions options{.inputs = {(folder / "a.jsonl").string()}, .folder = folder / "out"};
  options.field = "body";
  options.separator = "\n";
  options.validation = 0.5;
  const PreparedData data = prepare(options);
  CHECK(data.documents == 2);
  REQUIRE(data.warnings.size() == 1);
  CHECK(contains(data.warnings[0], "skipped 1 line without text in 'body'"));
  options.separator = "";
  options.force = true;
  CHECK(contains(prepare(options).warnings[1], "the next begins: give --separator"));
}

TEST_CASE("compressed text gives the files that plain text gives") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 30000; ++i) text += "line " + std::to_string(i) + "\n";
  test::write_text(folder / "plain.txt", text);
  test::write_text(folder / "packed.txt.gz", test::gzipped(text));
  test::write_text(folder / "packed.any", test::zstd_packed(text));
  const auto made = [&](const char* name) {
    const Path out = folder / (std::string("out-") + name);
    const PreparedData data = prepare({.inputs = {(folder / name).string()}, .folder = out});
    return test::read_text(data.train.path) + test::read_text(data.validation.path);
  };
  const std::string plain = made("plain.txt");
  CHECK(made("packed.txt.gz") == plain);
  CHECK(made("packed.any") == plain);
}

TEST_CASE("the files do not depend on the number of threads, nor does the fault that is found") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 300000; ++i) text += "line " + std::to_string(i) + "\n";
  test::write_text(folder / "text.txt", text);
  PrepareOptions options{.inputs = {(folder / "text.txt").string()}, .folder = folder / "out"};
  options.force = true;
  options.threads = 1;
  const std::string one = test::read_text(prepare(options).train.path);
  options.threads = 3;
  std::uint64_t last = 0;
  options.progress = [&](const char* what, std::uint64_t done, std::uint64_t total) {
    CHECK(std::string(what) == "encoded");
    CHECK(done >= last);
    CHECK(total == text.size());
    last = done;
  };
  CHECK(test::read_text(prepare(options).train.path) == one);
  CHECK(last == text.size());
}

TEST_CASE("a folder and a pattern stand for their files in the order of their names") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder / "in/b");
  std::filesystem::create_directories(folder / "in/.hidden");
  for (const char* name : {"in/c.txt", "in/a.txt", "in/b/x.txt", "in/.secret", "in/.hidden/y.txt"})
    test::write_text(folder / name, name);
  const std::string root = (folder / "in").string();
  const std::vector<std::string> all = {root + "/a.txt", root + "/b/x.txt", root + "/c.txt"};
  CHECK(expand_inputs({root}) == all);
  CHECK(expand_inputs({root + "/*.txt"}) == std::vector<std::string>{all[0], all[2]});
  CHECK(expand_inputs({root + "/[b]"}) == std::vector<std::string>{all[1]});
  test::write_text(folder / "in/x*y", "a name that looks like a pattern");
  CHECK(expand_inputs({root + "/x*y", "-"}) == std::vector<std::string>{root + "/x*y", "-"});
  std::filesystem::create_directories(folder / "none");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { expand_inputs({(folder / "none").string()}); }),
                 "a folder without files"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { expand_inputs({root + "/*.md"}); }),
                 "matches no file"));
}

TEST_CASE("files of other kinds are refused by name, and nothing is left behind") {
  const test::TempDir folder;
  PrepareOptions options{.inputs = {(folder / "a.parquet").string()}, .folder = folder / "out"};
  test::write_text(folder / "a.parquet", "PAR1 and so on");
  CHECK(contains(refused(options), "a.parquet: is a Parquet file, expected text"));
  test::write_text(folder / "b.jsonl.gz", test::gzipped(json_line(1) + "{\n"));
  options.inputs = {(folder / "b.jsonl.gz").string()};
  CHECK(contains(refused(options), "b.jsonl.gz:2: not valid JSON"));
  CHECK_FALSE(std::filesystem::exists(options.folder));
}

TEST_CASE("the formats of llm.c and nanoGPT are written as they are read") {
  const test::TempDir folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i) + "\n";
  test::write_text(folder / "text.txt", text);
  PrepareOptions options{.inputs = {(folder / "text.txt").string()}, .folder = folder / "out"};
  const std::string own = decoded(prepare(options).train.path);
  for (const TokenLayout layout : {TokenLayout::llmc, TokenLayout::nanogpt}) {
    options.format = layout;
    options.force = true;
    const PreparedData data = prepare(options);
    CHECK(data.bytes_per_token == 2);
    CHECK(data.validation.path.filename() == "val.bin");
    const std::size_t header = layout == TokenLayout::llmc ? 1024 : 0;
    CHECK(std::filesystem::file_size(data.train.path) == header + 2 * own.size());
    CHECK(data.train.file_bytes == header + 2 * own.size());
    CHECK(std::string(TokenFile(data.train.path).info().format) ==
          (layout == TokenLayout::llmc ? "llm.c" : "raw uint16"));
    CHECK(decoded(data.train.path) == own);
  }
}
