// The header block and the index: written and read back, each lie refused.
#include "checkpoint/checkpoint_index.h"

#include <cstring>

#include "base/crc32c.h"
#include "support/catch.h"
#include "support/crafted_checkpoint.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::HeaderBlock;
using state::IndexRow;
using test::contains;

namespace {

std::vector<state::Extent> read(const std::string& file) {
  return state::read_index(std::as_bytes(std::span(file)), "file.h5");
}

using Rows = std::vector<IndexRow>;

std::string refused_rows(const std::function<void(Rows&)>& change) {
  test::CraftedCheckpoint crafted(test::tiny_state());
  crafted.change_rows = change;
  const std::string file = crafted.bytes();
  return test::refusal(ErrorKind::input, [&] { read(file); });
}

std::string refused_header(const std::function<void(HeaderBlock&)>& change) {
  test::CraftedCheckpoint crafted(test::tiny_state());
  crafted.change_header = change;
  const std::string file = crafted.bytes();
  return test::refusal(ErrorKind::input, [&] { read(file); });
}

}  // namespace

TEST_CASE("a block is counted for each started MiB") {
  CHECK(state::num_blocks(0) == 0);
  CHECK(state::num_blocks(1) == 1);
  CHECK(state::num_blocks(state::kBlockBytes) == 1);
  CHECK(state::num_blocks(state::kBlockBytes + 1) == 2);
  CHECK(state::num_blocks(~std::uint64_t{0}) == (std::uint64_t{1} << 44));
}

TEST_CASE("the index gives back every dataset, its place and the checksums of its blocks") {
  const auto original = test::tiny_state(1, state::DType::f64, test::tiny_model(1, 256));
  const std::string file = test::CraftedCheckpoint(original).bytes();
  const auto extents = read(file);
  const std::size_t tensors = 3 * original.of(state::TensorKind::weights).size();
  REQUIRE(extents.size() == 1 + tensors + 2);
  CHECK(extents[0].path == "structure");
  CHECK(extents[0].offset == state::kHeaderBytes);
  CHECK(extents[1].path == "weights/embed.token");
  CHECK(extents[1 + tensors].path == "metadata");
  for (const state::Extent& extent : extents) {
    REQUIRE(extent.blocks.size() == state::num_blocks(extent.bytes));
    for (const IndexRow& row : extent.blocks)
      REQUIRE(row.crc32c == crc32c(std::as_bytes(std::span(file)).subspan(row.offset, row.bytes)));
  }
}

TEST_CASE("rows that do not lie in the file, or do not follow each other, are refused") {
  const auto change_one = [](auto change) {
    return refused_rows([=](Rows& rows) { change(rows[5]); });
  };
  const auto says = "row 5 of its index";
  CHECK(contains(change_one([](IndexRow& row) { row.offset = 0; }), says));
  CHECK(contains(change_one([](IndexRow& row) { row.offset = ~std::uint64_t{0}; }), says));
  CHECK(contains(change_one([](IndexRow& row) { row.offset = std::uint64_t{1} << 40; }), says));
  CHECK(contains(change_one([](IndexRow& row) { row.bytes = 0; }), says));
  CHECK(contains(change_one([](IndexRow& row) { row.bytes = ~std::uint64_t{0}; }), says));
  CHECK(contains(change_one([](IndexRow& row) { row.bytes = state::kBlockBytes + 1; }), says));
  CHECK(contains(refused_rows([](Rows& rows) {
                   std::memcpy(rows[6].dataset, rows[5].dataset, sizeof rows[5].dataset);
                 }),
                 "row 6 of its index"));
}

TEST_CASE("a header block that leads out of the file is refused") {
  const auto says = "does not lie in the file";
  CHECK(contains(refused_header([](HeaderBlock& h) { h.index_offset = ~std::uint64_t{0}; }), says));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.index_offset += 1; }), says));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.index_rows = ~std::uint64_t{0}; }), says));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.index_rows += 10000; }), says));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.index_rows += 1; }), "is damaged"));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.file_bytes += 1; }), "cut short"));
  CHECK(contains(refused_header([](HeaderBlock& h) { h.file_bytes -= 1; }), "too long"));
}

TEST_CASE("a path fills its field up to the last zero") {
  const Rows rows = [] {
    state::Layout layout = state::arrange({state::text_dataset(state::kMetadata, 10)});
    return state::index_rows(layout);
  }();
  CHECK(rows.size() == 2);
  auto datasets = std::vector{state::text_dataset(std::string(75, 'x').c_str(), 10)};
  CHECK(state::index_rows(state::arrange(datasets)).size() == 2);
  datasets.front().name += 'x';
  test::refusal(ErrorKind::bug, [&] { state::index_rows(state::arrange(datasets)); });
}
