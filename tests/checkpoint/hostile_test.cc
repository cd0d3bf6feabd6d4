// Files whose checksums are all right and whose content is hostile: whatever they hold, loading one
// either works or is refused, in little time and memory. STAGEDTRAIN_MUTATIONS sets how many are
// tried of each kind.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/crafted_checkpoint.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::HeaderBlock;
using state::IndexRow;

namespace {

int mutations() {
  const char* number = std::getenv("STAGEDTRAIN_MUTATIONS");
  return number ? std::atoi(number) : 150;
}

// Random numbers in the order in which they are asked for.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : rng_(seed, 1) {}
  std::uint64_t below(std::uint64_t count) {
    return static_cast<std::uint64_t>(rng_.uniform(next_++) * static_cast<double>(count));
  }
  // Numbers that break things more often than any others.
  std::uint64_t number(std::uint64_t near) {
    const std::uint64_t choices[] = {0,
                                     1,
                                     near - 1,
                                     near + 1,
                                     near * 2,
                                     near + 4096,
                                     ~std::uint64_t{0},
                                     std::uint64_t{1} << 63,
                                     below(1 << 20),
                                     near ^ (1ull << below(64))};
    return choices[below(std::size(choices))];
  }

 private:
  CounterRng rng_;
  std::uint64_t next_ = 0;
};

// Loads the bytes; every failure must be an Error(input).
bool loads(const std::string& bytes) {
  const test::TempDir dir;
  test::write_text(dir / "a.h5", bytes);
  try {
    state::load(dir / "a.h5");
    return true;
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.kind() == ErrorKind::input);
    return false;
  }
}

template <class T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Runs change on copies of a whole file, makes their checksums right, and loads them.
template <class Change>
int loaded_of(Change change) {
  const std::string whole = test::CraftedCheckpoint(test::tiny_state()).bytes();
  int loaded = 0;
  for (int i = 0; i < mutations(); ++i) {
    INFO("mutation " << i);
    Dice dice(static_cast<std::uint64_t>(i));
    std::string changed = whole;
    change(changed, dice);
    test::seal(changed);
    loaded += loads(changed);
  }
  return loaded;
}

}  // namespace

TEST_CASE("numbers of the header block that lie are refused") {
  const int loaded = loaded_of([](std::string& file, Dice& dice) {
    constexpr std::size_t kFields[] = {offsetof(HeaderBlock, file_bytes),
                                       offsetof(HeaderBlock, index_offset),
                                       offsetof(HeaderBlock, index_rows)};
    const std::size_t field = kFields[dice.below(3)];
    const auto value = dice.number(at<std::uint64_t>(file, field));
    std::memcpy(file.data() + field, &value, sizeof value);
  });
  CHECK(loaded < mutations() / 4);
}

TEST_CASE("rows of the index that lie are refused, or lead to other bytes of the file") {
  const int loaded = loaded_of([](std::string& file, Dice& dice) {
    const auto header = at<HeaderBlock>(file, 0);
    for (std::uint64_t i = 0; i <= dice.below(3); ++i) {
      const std::size_t place =
          header.index_offset + dice.below(header.index_rows) * sizeof(IndexRow);
      auto row = at<IndexRow>(file, place);
      switch (dice.below(4)) {
        case 0:
          row.offset = dice.number(row.offset);
          break;
        case 1:
          row.bytes = dice.number(row.bytes);
          break;
        case 2:
          row.dataset[dice.below(sizeof row.dataset)] = static_cast<char>(dice.below(256));
          break;
        case 3:
          std::memset(row.dataset, static_cast<int>(dice.below(256)), sizeof row.dataset);
          break;
      }
      std::memcpy(file.data() + place, &row, sizeof row);
    }
  });
  CHECK(loaded < mutations() / 2);
}

TEST_CASE("no byte of HDF5's structure matters to us as long as its checksum is right") {
  const int loaded = loaded_of([](std::string& file, Dice& dice) {
    const auto first = at<IndexRow>(file, at<HeaderBlock>(file, 0).index_offset);
    REQUIRE(std::string(first.dataset) == "structure");
    for (std::uint64_t i = 0; i <= dice.below(20); ++i)
      file[first.offset + dice.below(first.bytes)] = static_cast<char>(dice.below(256));
  });
  CHECK(loaded == mutations());
}

TEST_CASE("metadata with any bytes is refused or read") {
  const int loaded = loaded_of([](std::string& file, Dice& dice) {
    const std::size_t start = file.find("{\"dtype\""), end = file.find("\"histories\"", start);
    REQUIRE(end != std::string::npos);
    constexpr std::string_view kBytes = "0123456789-eE.,:{}[]\"\\\xff\0 ntf";
    for (std::uint64_t i = 0; i <= dice.below(4); ++i)
      file[start + dice.below(end + 300 - start)] = kBytes[dice.below(kBytes.size())];
  });
  CHECK(loaded < mutations());
}

TEST_CASE("metadata that is large or deep for its own sake is refused at once") {
  test::CraftedCheckpoint crafted(test::tiny_state());
  std::string& metadata = crafted.metadata();
  const std::string before = "\"histories\":{";
  const std::size_t place = metadata.find(before) + before.size();
  SECTION("half a million keys") {
    std::string keys;
    for (int i = 0; i < 500000; ++i) keys += fmt::format("\"k{}\":0,", i);
    metadata.insert(place, keys);
  }
  SECTION("half a million ancestors") {
    const std::string empty = "\"lineage\":[";
    std::string ancestors;
    for (int i = 0; i < 500000; ++i) ancestors += "{},";
    metadata.insert(metadata.find(empty) + empty.size(), ancestors);
  }
  SECTION("300,000 brackets") {
    metadata.insert(place, "\"deep\":" + std::string(300000, '[') + std::string(300000, ']') + ",");
  }
  SECTION("a model of as many layers as there may be") {
    metadata.replace(metadata.find("\"layers\":2"), 10, "\"layers\":65536");
  }
  SECTION("a model whose sizes overflow when multiplied") {
    metadata.replace(metadata.find("\"ffn\":32"), 8, "\"ffn\":16777216");
  }
  const std::string file = crafted.bytes();
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(loads(file));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
