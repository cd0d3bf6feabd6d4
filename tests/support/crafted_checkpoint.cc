// Laid out by the program's own code, so that only what a test changes is wrong.
#include "support/crafted_checkpoint.h"

#include <cstring>
#include <span>
#include <stdexcept>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "checkpoint/hdf5_structure.h"
#include "checkpoint/metadata.h"
#include "support/text_file.h"
#include "text/json.h"

namespace stagedtrain::test {
namespace {

using state::HeaderBlock;
using state::IndexRow;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Empty if they do not all lie in the text.
std::span<std::byte> part(std::string& text, std::uint64_t offset, std::uint64_t bytes) {
  const auto all = std::as_writable_bytes(std::span(text));
  if (offset > all.size() || bytes > all.size() - offset) return {};
  return all.subspan(offset, bytes);
}

HeaderBlock header_of(const std::string& file) {
  HeaderBlock header;
  std::memcpy(&header, file.data(), sizeof header);
  return header;
}
void set_header(std::string& file, HeaderBlock header) {
  const auto bytes = std::as_bytes(std::span(&header, 1));
  header.crc32c = crc32c(bytes.first(bytes.size() - sizeof header.crc32c));
  std::memcpy(file.data(), &header, sizeof header);
}

void seal_index(std::string& file, const std::function<void(std::vector<IndexRow>&)>& change) {
  HeaderBlock header = header_of(file);
  if (header.index_rows > file.size()) return;
  const auto index = part(file, header.index_offset, header.index_rows * sizeof(IndexRow));
  if (index.empty()) return;
  std::vector<IndexRow> rows(header.index_rows);
  std::memcpy(rows.data(), index.data(), index.size());
  if (change) change(rows);
  for (IndexRow& row : rows)
    if (const auto block = part(file, row.offset, row.bytes); !block.empty())
      row.crc32c = crc32c(block);
  std::memcpy(index.data(), rows.data(), index.size());
  header.index_crc32c = crc32c(index);
  set_header(file, header);
}

}  // namespace

CraftedCheckpoint::CraftedCheckpoint(const state::TrainingState& state)
    : datasets(state::tensor_datasets(arch::param_table(state.model),
                                      state.of(state::TensorKind::weights).front().dtype())) {
  for (const state::TensorKind kind : state::kTensorKinds)
    for (const state::HostTensor& tensor : state.of(kind))
      contents.push_back(text_of(tensor.bytes()));
  const auto add_text = [&](const char* name, const std::string& text) {
    add(state::text_dataset(name, text.size()), text);
  };
  add_text(state::kMetadata, state::metadata_json(state::header_of(state)).dump());
  if (state.run.tokenizer.size() > 5) add_text(state::kTokenizer, state.run.tokenizer);
}

std::size_t CraftedCheckpoint::index(const std::string& path) const {
  for (std::size_t i = 0; i < datasets.size(); ++i)
    if (datasets[i].path() == path) return i;
  throw std::runtime_error("no dataset " + path);
}

void CraftedCheckpoint::remove(const std::string& path) {
  const auto place = static_cast<std::ptrdiff_t>(index(path));
  datasets.erase(datasets.begin() + place);
  contents.erase(contents.begin() + place);
}

void CraftedCheckpoint::add(const state::Dataset& dataset, const std::string& bytes) {
  datasets.push_back(dataset);
  contents.push_back(bytes);
}

std::string CraftedCheckpoint::bytes() const {
  std::vector<state::Dataset> sized = datasets;
  for (std::size_t i = 0; i < sized.size(); ++i)
    if (sized[i].type == state::ElementType::u8)
      sized[i] = state::text_dataset(sized[i].name.c_str(), contents[i].size());
  const state::Layout layout = state::arrange(sized);
  std::string file(layout.file_bytes, '\0');
  const std::vector<std::byte> structure = state::hdf5_structure(layout);
  std::memcpy(file.data(), structure.data(), structure.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const state::Dataset& placed = layout.datasets[i];
    if (placed.bytes != contents[i].size())
      throw std::runtime_error("wrong size of " + placed.path());
    std::memcpy(file.data() + placed.offset, contents[i].data(), contents[i].size());
  }
  state::write_index(layout, state::index_rows(layout), std::as_writable_bytes(std::span(file)));
  seal_index(file, change_rows);
  HeaderBlock header = header_of(file);
  if (change_header) change_header(header);
  set_header(file, header);
  return file;
}

void CraftedCheckpoint::write(const std::filesystem::path& path) const {
  write_text(path, bytes());
}

void seal(std::string& file) {
  seal_index(file, nullptr);
  set_header(file, header_of(file));
}

}  // namespace stagedtrain::test
