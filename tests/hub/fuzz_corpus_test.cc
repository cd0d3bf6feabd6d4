// The seeds of the fuzz targets: each reader accepts one of its own, and refuses what is cut short.
#include <cstdlib>
#include <filesystem>

#include "fuzz/readers.h"
#include "io/file.h"
#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::vector<std::string> corpus(const test::FuzzedReader& reader) {
  std::vector<std::string> files;
  const auto folder = Path(std::getenv("STAGEDTRAIN_SOURCE")) / "tests/fuzz/corpus" / reader.name;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(test::read_text(entry.path()));
  return files;
}

}  // namespace

TEST_CASE("every fuzzed reader accepts a file of its corpus and never fails on one") {
  for (const test::FuzzedReader& reader : test::fuzzed_readers()) {
    INFO(reader.name);
    int accepted = 0;
    for (const std::string& file : corpus(reader)) accepted += test::accepts(reader, bytes_of(file));
    // Rank files are recognised by the sizes of published vocabularies, which are megabytes.
    CHECK((accepted > 0 || reader.name == std::string("tiktoken_ranks")));
  }
}

TEST_CASE("every fuzzed reader takes or refuses each beginning of a file, and with a bit changed") {
  for (const test::FuzzedReader& reader : test::fuzzed_readers()) {
    INFO(reader.name);
    for (const std::string& file : corpus(reader)) {
      const std::size_t step = 1 + file.size() / 200;
      for (std::size_t size = 0; size < file.size(); size += step) {
        test::accepts(reader, bytes_of(file.substr(0, size)));
        std::string changed = file;
        changed[size] = static_cast<char>(changed[size] ^ 1 << size % 8);
        test::accepts(reader, bytes_of(changed));
      }
    }
  }
}
