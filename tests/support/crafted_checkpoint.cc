// Laid out by the program's own skeleton, so that only what a test changes is wrong.
#include "support/crafted_checkpoint.h"

#include <cstring>
#include <span>
#include <stdexcept>

#include "arch/architectures.h"
#include "state/blocks.h"
#include "state/layout.h"
#include "state/metadata.h"
#include "support/text_file.h"

namespace stagedtrain::test {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

CraftedCheckpoint::CraftedCheckpoint(const state::TrainingState& state)
    : format(state::kFormatName),
      format_version(state::kFormatVersion),
      datasets(state::tensor_datasets(arch::param_table(state.model),
                                      state.of(state::Kind::weights).front().dtype())) {
  for (const state::Kind kind : state::kKinds)
    for (const state::HostTensor& tensor : state.of(kind))
      contents.push_back(text_of(tensor.bytes()));
  const auto add_text = [&](const char* name, const std::string& text) {
    add({"", name, state::ElementType::u8, {static_cast<std::int64_t>(text.size())}}, text);
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

void CraftedCheckpoint::write(const std::filesystem::path& path) const {
  state::Skeleton skeleton(format, format_version, datasets);
  skeleton.lay_out_rest();
  std::string file(skeleton.file_bytes(), '\0');
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    const state::Dataset& placed = skeleton.datasets()[i];
    if (placed.bytes != contents[i].size())
      throw std::runtime_error("wrong size of " + placed.path());
    skeleton.set_checksums(i, state::block_checksums(std::as_bytes(std::span(contents[i]))));
    std::memcpy(file.data() + placed.offset, contents[i].data(), contents[i].size());
  }
  skeleton.finish().for_each_run([&](std::uint64_t offset, std::span<const std::byte> run) {
    std::memcpy(file.data() + offset, run.data(), run.size());
  });
  write_text(path, file);
}

}  // namespace stagedtrain::test
