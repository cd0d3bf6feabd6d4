// A checkpoint that several writers make: the same bytes as one makes, or nothing.
#include <cerrno>
#include <limits>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::TensorKind;
using test::contains;

namespace {

// Some tensors are of several blocks, some of one, some too small to be shared.
state::TrainingState wide_state() {
  arch::ModelConfig model = test::tiny_model(2, 128);
  model.vocab = 5000;
  return test::tiny_state(3, state::DType::f32, model);
}

// The n-th tensor that may be shared is written by writer n % (1 + parts).
void save_in_parts(const Path& target, const state::TrainingState& state, std::size_t parts) {
  const state::StateHeader header = state::header_of(state);
  state::CheckpointWriter writer(target, header);
  std::vector<std::unique_ptr<state::CheckpointPart>> others;
  std::vector<std::vector<std::pair<TensorKind, std::size_t>>> written(parts);
  for (std::size_t i = 0; i < parts; ++i)
    others.push_back(std::make_unique<state::CheckpointPart>(writer.file(), header));
  std::size_t turn = 0;
  for (const TensorKind kind : header.kinds())
    for (std::size_t i = 0; i < state.of(kind).size(); ++i) {
      const std::span<const std::byte> bytes = state.of(kind)[i].bytes();
      const std::size_t who =
          state::CheckpointPart::may_write(bytes.size()) ? turn++ % (1 + parts) : 0;
      if (who == 0) {
        writer.write(kind, i, bytes, nullptr);
      } else {
        others[who - 1]->write(kind, i, bytes, nullptr);
        written[who - 1].push_back({kind, i});
      }
    }
  for (std::size_t part = 0; part < parts; ++part) {
    const std::vector<std::uint32_t> sums = others[part]->finish();
    std::span<const std::uint32_t> left(sums);
    for (const auto& [kind, i] : written[part]) {
      const std::size_t blocks = (state.of(kind)[i].byte_size() + (1 << 20) - 1) >> 20;
      writer.adopt(kind, i, left.first(blocks));
      left = left.subspan(blocks);
    }
    CHECK(left.empty());
  }
  others.clear();
  writer.commit();
}

}  // namespace

TEST_CASE("a checkpoint written in parts has the bytes of one that a single writer made") {
  const test::TempDir dir;
  const state::TrainingState state = wide_state();
  state::save(dir / "one.h5", state);
  for (const std::size_t parts : {1, 2, 5}) {
    save_in_parts(dir / "parts.h5", state, parts);
    CHECK(test::read_text(dir / "one.h5") == test::read_text(dir / "parts.h5"));
  }
}

TEST_CASE("a part does not hide a value that is not finite, nor a wrong checksum") {
  const test::TempDir dir;
  state::TrainingState state = wide_state();
  SECTION("not finite") {
    for (const TensorKind kind : state::tensor_kinds(false))
      state.of(kind)[0].bytes()[3] = state.of(kind)[0].bytes()[2] = std::byte{0xff};
    CHECK(contains(
        test::refusal(ErrorKind::diverged, [&] { save_in_parts(dir / "a.h5", state, 2); }),
        "holds a NaN or an infinity"));
  }
  SECTION("a checksum that is not that of the bytes on the disk") {
    state::CheckpointWriter writer(dir / "a.h5", state::header_of(state));
    state::CheckpointPart part(writer.file(), state::header_of(state));
    bool first = true;
    for (const TensorKind kind : state::tensor_kinds(false))
      for (std::size_t i = 0; i < state.of(kind).size(); ++i) {
        const std::span<const std::byte> bytes = state.of(kind)[i].bytes();
        if (!first || !state::CheckpointPart::may_write(bytes.size())) {
          writer.write(kind, i, bytes, nullptr);
          continue;
        }
        first = false;
        part.write(kind, i, bytes, nullptr);
        std::vector<std::uint32_t> sums = part.finish();
        sums.back() ^= 1;
        writer.adopt(kind, i, sums);
      }
    CHECK(contains(test::refusal(ErrorKind::resource, [&] { writer.commit(); }),
                   "what was read back is not what was written"));
  }
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a part whose disk is full, or that does not see the file, says so; nothing is left") {
  const test::TempDir dir;
  const state::TrainingState state = wide_state();
  SECTION("no such file") {
    const state::CheckpointFile elsewhere{dir / "other/a.h5.tmp-1", 100, 0};
    test::refusal(ErrorKind::resource,
                  [&] { state::CheckpointPart(elsewhere, state::header_of(state)); });
  }
  SECTION("full") {
    const test::Fault fault([](FileOperation operation, const Path&) {
      return operation == FileOperation::write ? ENOSPC : 0;
    });
    CHECK(contains(
        test::refusal(ErrorKind::resource, [&] { save_in_parts(dir / "a.h5", state, 2); }),
        "No space left"));
  }
  CHECK(std::filesystem::is_empty(dir.path()));
}
