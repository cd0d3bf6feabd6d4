// A disk that fails while a checkpoint is replaced: the old one stays, to the last byte.
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <map>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"
#include "text/text.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::map<FileOperation, int> operations_of_a_save(const state::TrainingState& state) {
  const test::TempDir dir;
  std::map<FileOperation, int> count;
  const test::Fault fault([&](FileOperation operation, const Path&) {
    ++count[operation];
    return 0;
  });
  state::save(dir / "a.h5", state);
  return count;
}

// Saves over dir/a.h5 while the nth operation of its sort fails; what the refusal says.
std::string failing_save(const test::TempDir& dir, const state::TrainingState& state,
                         FileOperation operation, int nth, int code) {
  const test::Fault fault([=, seen = 0](FileOperation found, const Path&) mutable {
    return found == operation && seen++ == nth ? code : 0;
  });
  return test::refusal(ErrorKind::resource, [&] { state::save(dir / "a.h5", state); });
}

std::size_t files_in(const Path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("whichever operation fails, the older checkpoint stays and nothing else is left") {
  const test::TempDir dir;
  const auto model = test::tiny_model(1);
  const auto old_state = test::tiny_state(1, state::DType::f32, model),
             new_state = test::tiny_state(2, state::DType::f32, model);
  const int code = GENERATE(ENOSPC, EIO);
  state::save(dir / "a.h5", old_state);
  const std::string before = test::read_text(dir / "a.h5");
  const auto counts = operations_of_a_save(new_state);
  CHECK(counts.size() == 6);  // every operation there is
  for (const auto& [operation, count] : counts)
    for (int nth = 0; nth < count; ++nth) {
      const std::string says = failing_save(dir, new_state, operation, nth, code);
      INFO("operation " << static_cast<int>(operation) << " number " << nth << ": " << says);
      CHECK(files_in(dir.path()) == 1);
      if (operation == FileOperation::sync_folder) {
        // The new file has its name, but nobody knows whether a power cut would keep it.
        CHECK(test::difference(state::load(dir / "a.h5"), new_state) == "");
        test::write_text(dir / "a.h5", before);
      } else {
        CHECK(test::read_text(dir / "a.h5") == before);
      }
    }
}

TEST_CASE("a write that fails while others are under way leaves the older checkpoint") {
  const test::TempDir dir;
  arch::ModelConfig model = test::tiny_model(1, 256);
  model.ffn = 6000;  // matrices of several pieces, so that several threads write
  const auto small = test::tiny_state(), large = state::fresh(model, 1);
  state::save(dir / "a.h5", small);
  for (const int nth : {1, 5, 10, 20}) {
    const std::string says = failing_save(dir, large, FileOperation::write, nth, ENOSPC);
    CHECK(contains(says, "MiB needed, "));
    CHECK(files_in(dir.path()) == 1);
    CHECK(test::difference(state::load(dir / "a.h5"), small) == "");
  }
  state::save(dir / "a.h5", large);
  CHECK(test::difference(state::load(dir / "a.h5"), large) == "");
}

TEST_CASE("a full disk is met before the first tensor and says how much is needed") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  state::save(dir / "a.h5", original);
  const std::uint64_t bytes = state::CheckpointReader(dir / "a.h5").file_bytes();
  const auto operation =
      GENERATE(FileOperation::allocate, FileOperation::write, FileOperation::sync);
  const std::string says = failing_save(dir, original, operation, 0, ENOSPC);
  INFO(says);
  CHECK(contains(says, short_bytes(static_cast<double>(bytes)) + " needed, "));
  CHECK(contains(says, "free some space and run the same command again"));
}

TEST_CASE("a state that holds a NaN or an infinity is not written, and the older file stays") {
  const test::TempDir dir;
  const auto width = GENERATE(8, 256);  // tensors that are gathered, and tensors of several blocks
  const auto model = test::tiny_model(1, width);
  const auto good = test::tiny_state(1, state::DType::f32, model);
  state::save(dir / "a.h5", good);
  const auto kind = GENERATE(state::TensorKind::weights, state::TensorKind::exp_avg,
                             state::TensorKind::exp_avg_sq);
  auto broken = test::clone(good);
  for (std::size_t i = 0; i < broken.of(kind).size(); i += 5) {
    state::HostTensor& tensor = broken.of(kind)[i];
    const double before = tensor.at(tensor.count() - 1);
    tensor.set(tensor.count() - 1, i % 2 ? std::nan("") : -HUGE_VAL);
    const std::string says =
        test::refusal(ErrorKind::diverged, [&] { state::save(dir / "a.h5", broken); });
    INFO(says);
    CHECK(contains(says, "a.h5: was not written: " + std::string(kind_name(kind)) + "/"));
    CHECK(contains(says, "holds a NaN or an infinity"));
    tensor.set(tensor.count() - 1, before);
  }
  CHECK(files_in(dir.path()) == 1);
  CHECK(test::difference(state::load(dir / "a.h5"), good) == "");
}

TEST_CASE("a file that appears while a checkpoint is written is replaced only if asked") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  state::CheckpointWriter writer(dir / "a.h5", header_of(original), Replace::no);
  for (const state::TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < original.of(kind).size(); ++i)
      writer.write(kind, i, original.of(kind)[i].bytes());
  state::save(dir / "a.h5", test::tiny_state(2), Replace::no);
  const std::string other = test::read_text(dir / "a.h5");
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { writer.commit(); }), "exists already"));
  CHECK(test::read_text(dir / "a.h5") == other);
  state::save(dir / "a.h5", original);
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
}

TEST_CASE("a file system that cannot reserve space is written to all the same") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  {
    const test::Fault fault([](FileOperation operation, const Path&) {
      return operation == FileOperation::allocate ? EOPNOTSUPP : 0;
    });
    state::save(dir / "a.h5", original);
  }
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
}

TEST_CASE("what the disk gives back wrong never takes the checkpoint's name") {
  const test::TempDir dir;
  const auto old_state = test::tiny_state(1);
  state::save(dir / "a.h5", old_state);
  // The last write is followed by a sync; there the disk loses a byte.
  const test::Fault fault([](FileOperation operation, const Path& path) {
    if (operation != FileOperation::sync) return 0;
    std::string bytes = test::read_text(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    test::write_text(path, bytes);
    return 0;
  });
  const std::string says =
      test::refusal(ErrorKind::resource, [&] { state::save(dir / "a.h5", test::tiny_state(2)); });
  CHECK(contains(says, "what was read back is not what was written"));
  CHECK(files_in(dir.path()) == 1);
  CHECK(test::difference(state::load(dir / "a.h5"), old_state) == "");
}

TEST_CASE("a folder that is not there is refused") {
  const test::TempDir dir;
  const std::string says = test::refusal(
      ErrorKind::resource, [&] { state::save(dir / "none/a.h5", test::tiny_state()); });
  CHECK(contains(says, "none/a.h5"));
}
