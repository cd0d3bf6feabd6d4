// Which datasets a checkpoint has, in which order, where they lie, and that HDF5 agrees.
#include "checkpoint/layout.h"

#include <algorithm>

#include "arch/architectures.h"
#include "checkpoint/checkpoint_index.h"
#include "checkpoint/hdf5_structure.h"
#include "support/catch.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::Dataset;
using state::Layout;
using state::TensorKind;

namespace {

Layout layout_of(const arch::ModelConfig& model, state::DType dtype, std::uint64_t metadata = 5001,
                 std::uint64_t tokenizer = 0) {
  auto datasets = state::tensor_datasets(arch::param_table(model), dtype);
  datasets.push_back(state::text_dataset(state::kMetadata, metadata));
  if (tokenizer) datasets.push_back(state::text_dataset(state::kTokenizer, tokenizer));
  return state::arrange(std::move(datasets));
}

void check_places(const Layout& layout) {
  std::uint64_t end = state::kHeaderBytes + layout.structure_bytes;
  for (const std::size_t i : layout.file_order) {
    const Dataset& dataset = layout.datasets[i];
    CHECK(dataset.offset >= end);
    CHECK(dataset.offset % (dataset.bytes >= state::kLargeBytes       ? state::kPageBytes
                            : dataset.type == state::ElementType::u8  ? 1
                            : dataset.type == state::ElementType::f32 ? 4
                                                                      : 8) ==
          0);
    CHECK(dataset.offset < end + state::kPageBytes);
    end = dataset.offset + dataset.bytes;
  }
  CHECK(layout.file_order.size() == layout.datasets.size());
  CHECK(end == layout.file_bytes);
  CHECK(layout.datasets.back().bytes == state::index_rows(layout).size() * sizeof(state::IndexRow));
}

// The structure fits, with room to spare.
void check_structure(const Layout& layout) {
  const std::vector<std::byte> bytes = state::hdf5_structure(layout);  // compares every place
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(),
                                 [](std::byte byte) { return byte != std::byte{0}; });
  CHECK(static_cast<double>(last - bytes.rbegin()) > 0.05 * static_cast<double>(bytes.size()));
}

}  // namespace

TEST_CASE("datasets stand kind after kind in the table's order") {
  const auto table = arch::param_table(test::tiny_model());
  const auto datasets = state::tensor_datasets(table, state::DType::f64);
  REQUIRE(datasets.size() == 3 * table.size());
  for (const TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < table.size(); ++i) {
      const Dataset& dataset = datasets[state::dataset_index(kind, i, table.size())];
      CHECK(dataset.path() == std::string(state::kind_name(kind)) + "/" + table[i].name);
      CHECK(dataset.shape == table[i].shape());
      CHECK(dataset.type == state::ElementType::f64);
    }
}

TEST_CASE("HDF5 lays a file out as it is arranged here, whatever the model and the texts") {
  const auto layers = GENERATE(1, 3, 100);
  const auto width = GENERATE(2, 104, 364, 1024);
  const auto dtype = GENERATE(state::DType::f32, state::DType::f64);
  const Layout layout = layout_of(test::tiny_model(layers, width), dtype);
  check_places(layout);
  check_structure(layout);
}

TEST_CASE("HDF5 lays out texts of any length and tensors with long names") {
  const auto metadata = GENERATE(1, 65535, 65536, 3000001);
  const auto tokenizer = GENERATE(0, 1, 65537, 800003);
  arch::ModelConfig model = test::tiny_model(4, 96);
  model.architecture = "llama";
  model.experts = 64;
  const Layout layout = layout_of(arch::resolved(model), state::DType::f32, metadata, tokenizer);
  check_places(layout);
  check_structure(layout);
}

TEST_CASE("large tensors begin pages and lie behind the front, all else lies in it") {
  const Layout layout = layout_of(test::tiny_model(1, 256), state::DType::f32);
  for (const Dataset& dataset : layout.datasets) {
    const bool large = dataset.group != "" && dataset.bytes >= state::kLargeBytes;
    CHECK(layout.in_front(dataset) == !large);
  }
}
