// Megatron's data sets: read by their index, refused when the two files do not fit.
#include "base/rng.h"
#include "data/token_file.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// An index as Megatron writes it: documents of these lengths, a sequence each.
std::string index_of(const std::vector<std::int32_t>& lengths, std::uint8_t type, int width) {
  std::string bytes("MMIDIDX\0\0", 9);
  put<std::uint64_t>(bytes, 1);
  put(bytes, type);
  put<std::uint64_t>(bytes, lengths.size());
  put<std::uint64_t>(bytes, lengths.size() + 1);
  for (const std::int32_t length : lengths) put(bytes, length);
  std::int64_t place = 0;
  for (const std::int32_t length : lengths) {
    put(bytes, place);
    place += length * width;
  }
  for (std::size_t i = 0; i <= lengths.size(); ++i)
    put<std::int64_t>(bytes, static_cast<std::int64_t>(i));
  return bytes;
}

// Tokens 0, 1, 2, ... of this width.
std::string tokens_of(int count, int width) {
  std::string bytes;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i)
    bytes.append(reinterpret_cast<const char*>(&i), static_cast<std::size_t>(width));
  return bytes;
}

struct DataSet {
  test::TempDir folder;
  Path bin = folder / "text_document.bin", idx = folder / "text_document.idx";
  DataSet(const std::string& index, const std::string& tokens) {
    test::write_text(idx, index);
    test::write_text(bin, tokens);
  }
  std::string refused() const {
    return test::refusal(ErrorKind::input, [&] { TokenFile file(bin); });
  }
};

}  // namespace

TEST_CASE("a data set of every width is read with its documents") {
  const auto [type, width] = GENERATE(table<std::uint8_t, int>({{1, 1}, {8, 2}, {4, 4}}));
  const DataSet set(index_of({5, 1, 94}, type, width), tokens_of(100, width));
  const TokenFile file(set.bin);
  CHECK(file.info().format == "Megatron");
  CHECK(file.info().bytes_per_token == width);
  CHECK(file.info().documents == 3);
  CHECK(file.count() == 100);
  std::vector<std::int32_t> ids(100);
  file.read(0, ids, 100);
  CHECK(ids[0] == 0);
  CHECK(ids[99] == 99);
  CHECK(contains(file.info().note, "3 documents in 3 sequences"));
}

TEST_CASE("types that hold no ids, and indexes that do not fit, are refused") {
  const std::string good = index_of({5, 95}, 8, 2), tokens = tokens_of(100, 2);
  CHECK(contains(DataSet(index_of({5, 95}, 7, 4), tokens_of(100, 4)).refused(),
                 "its tokens are float32, expected uint8, uint16 or int32"));
  CHECK(contains(DataSet(index_of({5, 95}, 9, 4), tokens).refused(), "type of tokens is 9"));
  CHECK(contains(DataSet(good, tokens_of(99, 2)).refused(),
                 "promises 100 tokens (200 bytes), found 198 bytes"));
  CHECK(contains(DataSet(good.substr(0, good.size() - 1), tokens).refused(), "do not make up"));
  CHECK(contains(DataSet(good.substr(0, 20), tokens).refused(), "expected a header of 34"));
  std::string other = good;
  other[9] = 2;
  CHECK(contains(DataSet(other, tokens).refused(), "of version 2, expected version 1"));
}

TEST_CASE("an index with flipped bits is refused or read within the file") {
  const std::string good = index_of({5, 1, 94}, 8, 2), tokens = tokens_of(100, 2);
  const CounterRng rng(3, 3);
  for (std::uint64_t i = 0; i < 500; ++i) {
    std::string bad = good;
    const std::size_t place = 9 + rng.below(2 * i, good.size() - 9);
    bad[place] = static_cast<char>(bad[place] ^ 1 << rng.below(2 * i + 1, 8));
    const DataSet set(bad, tokens);
    INFO("byte " << place);
    try {
      const TokenFile file(set.bin);
      std::vector<std::int32_t> ids(static_cast<std::size_t>(file.count()));
      file.read(0, ids, std::int64_t{1} << 31);
      CHECK(file.count() * file.info().bytes_per_token <= 200);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
    }
  }
}

TEST_CASE("a .bin beside a file that is no index is read as it is") {
  const DataSet set("something else", tokens_of(100, 2));
  CHECK(TokenFile(set.bin).info().format == "raw uint16");
}
