// Which datasets a checkpoint has, in which order, and what its first bytes must be.
#include "state/layout.h"

#include <algorithm>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::Kind;
using test::contains;

namespace {

// The first 48 bytes of a file that ends there.
std::vector<std::byte> superblock() {
  std::vector<std::byte> bytes(48, std::byte{0});
  const unsigned char first[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 2, 8, 8, 0};
  std::transform(std::begin(first), std::end(first), bytes.begin(),
                 [](unsigned char c) { return std::byte{c}; });
  std::fill(bytes.begin() + 20, bytes.begin() + 28, std::byte{255});
  bytes[28] = std::byte{48};
  return bytes;
}

std::string refused(std::span<const std::byte> bytes) {
  return test::refusal(ErrorKind::input, [&] { state::check_superblock(bytes, "file.h5"); });
}

}  // namespace

TEST_CASE("datasets stand kind after kind in the table's order") {
  const auto table = arch::param_table(test::tiny_model());
  const auto datasets = state::tensor_datasets(table, state::DType::f64);
  REQUIRE(datasets.size() == 3 * table.size());
  for (const Kind kind : state::kKinds)
    for (std::size_t i = 0; i < table.size(); ++i) {
      const state::Dataset& dataset = datasets[state::dataset_index(kind, i, table.size())];
      CHECK(dataset.path() == std::string(state::kind_name(kind)) + "/" + table[i].name);
      CHECK(dataset.shape == table[i].shape());
      CHECK(dataset.type == state::ElementType::f64);
    }
}

TEST_CASE("a superblock of version 2 or 3 whose file is whole is accepted") {
  auto bytes = superblock();
  bytes[8] = static_cast<std::byte>(GENERATE(2, 3));
  CHECK_NOTHROW(state::check_superblock(bytes, "file.h5"));
}

TEST_CASE("each fault of a superblock is told") {
  auto bytes = superblock();
  CHECK(contains(refused({}), "file.h5: is empty"));
  CHECK(contains(refused(std::span(bytes).first(20)), "cut short: has 20 bytes"));
  const auto with = [&](std::size_t place, int value) {
    auto changed = bytes;
    changed[place] = static_cast<std::byte>(value);
    return refused(changed);
  };
  CHECK(contains(with(1, 'h'), "is not a checkpoint"));
  CHECK(contains(with(8, 0), "version 0, expected 2 or 3 | that format has no checksums"));
  CHECK(contains(with(8, 9), "version 9, expected 2 or 3"));
  CHECK(contains(with(9, 4), "not one that stagedtrain writes"));
  CHECK(contains(with(12, 1), "not one that stagedtrain writes"));
  CHECK(contains(with(20, 0), "not one that stagedtrain writes"));
  CHECK(contains(with(29, 1), "cut short: has 48 bytes, expected 304"));
}
