// Checkpoints: everything comes back to the last bit, and the file is laid out as documented.
#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::CheckpointReader;
using state::CheckpointWriter;
using state::DType;
using state::TensorKind;

TEST_CASE("a state comes back to the last bit") {
  const test::TempDir dir;
  const DType dtype = GENERATE(DType::f32, DType::f64);
  auto model = test::tiny_model();
  model.tied = GENERATE(true, false);
  const auto original = test::tiny_state(4, dtype, model);
  state::save(dir / "a.h5", original);
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
}

TEST_CASE("tensors of more than one block come back too") {
  const test::TempDir dir;
  const auto original = test::tiny_state(4, DType::f64, test::tiny_model(1, 256));
  state::save(dir / "a.h5", original);
  const CheckpointReader reader(dir / "a.h5");
  CHECK(reader.blocks() > 3 * reader.table().size() + 2);
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
}

TEST_CASE("a moving average of the weights comes back, and counts in size and identity") {
  const test::TempDir dir;
  const DType dtype = GENERATE(DType::f32, DType::f64);
  auto original = test::tiny_state(4, dtype);
  state::save(dir / "without.h5", original);
  for (const state::HostTensor& tensor : original.of(TensorKind::exp_avg))
    original.of(TensorKind::ema).push_back(tensor.clone());
  state::save(dir / "a.h5", original);
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
  const CheckpointReader with(dir / "a.h5"), without(dir / "without.h5");
  CHECK(with.header().ema);
  CHECK_FALSE(without.header().ema);
  CHECK(with.tensors_identity() != without.tensors_identity());
  const auto predicted = state::checkpoint_bytes(original.model, dtype, true);
  CHECK(with.file_bytes() > predicted);
  CHECK(with.file_bytes() < predicted + 8192);  // metadata
  original.of(TensorKind::ema)[5].set(0, std::numeric_limits<double>::quiet_NaN());
  test::refusal(ErrorKind::diverged, [&] { state::save(dir / "b.h5", original); });
}

TEST_CASE("numbers that JSON does not have and text that is not UTF-8 come back") {
  const test::TempDir dir;
  auto original = test::tiny_state();
  original.progress.loss_mean = std::numeric_limits<double>::infinity();
  original.progress.loss_var = -std::numeric_limits<double>::infinity();
  original.run.data_path = "data/\xff\xfe.bin";
  original.run.tokenizer = "bytes";
  original.lineage.clear();
  state::save(dir / "a.h5", original);
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
  original.progress.loss_mean = std::numeric_limits<double>::quiet_NaN();
  original.run.tokenizer = "";
  state::save(dir / "a.h5", original);
  const auto loaded = state::load(dir / "a.h5");
  CHECK(std::isnan(loaded.progress.loss_mean));
  CHECK(loaded.run == original.run);
}

TEST_CASE("equal states make equal files, and a file is replaced whole") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  state::save(dir / "a.h5", original);
  state::save(dir / "b.h5", test::tiny_state(2));
  state::save(dir / "b.h5", original);
  CHECK(test::read_text(dir / "a.h5") == test::read_text(dir / "b.h5"));
  CHECK(CheckpointReader(dir / "a.h5").identity() == CheckpointReader(dir / "b.h5").identity());
}

TEST_CASE("states that differ in one bit have different identities") {
  const test::TempDir dir;
  auto changed = test::tiny_state();
  state::save(dir / "a.h5", changed);
  const std::string before = CheckpointReader(dir / "a.h5").identity();
  const std::string tensors = CheckpointReader(dir / "a.h5").tensors_identity();
  CHECK(before.size() == 8);
  bool same_tensors = true;
  SECTION("a moment") {
    changed.of(TensorKind::exp_avg_sq).back().bytes().back() ^= std::byte{1};
    same_tensors = false;
  }
  SECTION("the metadata") { changed.progress.step += 1; }
  SECTION("the tokenizer") { changed.run.tokenizer.back() ^= 1; }
  state::save(dir / "a.h5", changed);
  CHECK(CheckpointReader(dir / "a.h5").identity() != before);
  CHECK((CheckpointReader(dir / "a.h5").tensors_identity() == tensors) == same_tensors);
}

TEST_CASE("tensors may be written in any order, each once, all of them") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  const std::size_t count = original.of(TensorKind::weights).size();
  {
    CheckpointWriter writer(dir / "a.h5", state::header_of(original));
    for (std::size_t i = count; i-- > 0;)
      for (const TensorKind kind :
           {TensorKind::exp_avg_sq, TensorKind::weights, TensorKind::exp_avg})
        writer.write(kind, i, original.of(kind)[i].bytes());
    const auto bytes = original.of(TensorKind::weights)[0].bytes();
    test::refusal(ErrorKind::bug, [&] { writer.write(TensorKind::weights, 0, bytes); });
    test::refusal(ErrorKind::bug, [&] { writer.write(TensorKind::weights, count, bytes); });
    writer.commit();
  }
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
  CheckpointWriter unfinished(dir / "b.h5", state::header_of(original));
  CHECK(test::contains(test::refusal(ErrorKind::bug, [&] { unfinished.commit(); }),
                       "was not written"));
}

// At a width of 8 to 104 all tensors are gathered; at 364 some are of several pages, and end within
// one.
TEST_CASE("whatever the order of its tensors, a file has the same bytes") {
  const test::TempDir dir;
  const auto width = GENERATE(8, 40, 104, 364);
  const auto original = test::tiny_state(1, state::DType::f32, test::tiny_model(2, width));
  state::save(dir / "a.h5", original);
  CheckpointWriter writer(dir / "b.h5", state::header_of(original));
  const std::size_t count = original.of(TensorKind::weights).size();
  for (std::size_t i = 0; i < count; ++i)
    for (const TensorKind kind : state::kTensorKinds) {
      const std::size_t next = (i * 7 + 3) % count;  // 36 and 7 have no common factor
      writer.write(kind, next, original.of(kind)[next].clone());
    }
  writer.commit();
  CHECK(test::read_text(dir / "a.h5") == test::read_text(dir / "b.h5"));
}

TEST_CASE("a checkpoint that is not committed leaves nothing") {
  const test::TempDir dir;
  { const CheckpointWriter writer(dir / "a.h5", state::header_of(test::tiny_state())); }
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("views are aligned for their elements and large tensors for pages") {
  const test::TempDir dir;
  const auto original = test::tiny_state(1, DType::f64, test::tiny_model(1, 128));
  state::save(dir / "a.h5", original);
  const CheckpointReader reader(dir / "a.h5");
  for (const TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < reader.table().size(); ++i) {
      const auto view = reader.view(kind, i);
      REQUIRE(view.size() == original.of(kind)[i].byte_size());
      CHECK(reinterpret_cast<std::uintptr_t>(view.data()) % (view.size() >= 65536 ? 4096 : 8) == 0);
    }
}

TEST_CASE("tensors below 64 KiB lie together, before the others") {
  const test::TempDir dir;
  const auto original = test::tiny_state(1, state::DType::f32, test::tiny_model(2, 364));
  state::save(dir / "a.h5", original);
  const CheckpointReader reader(dir / "a.h5");
  std::map<const std::byte*, std::size_t> sizes;  // by place
  for (const TensorKind kind : state::kTensorKinds)
    for (std::size_t i = 0; i < reader.table().size(); ++i)
      sizes[reader.view(kind, i).data()] = reader.view(kind, i).size();
  std::vector<bool> large;
  for (const auto& [place, size] : sizes) large.push_back(size >= 64 << 10);
  CHECK(std::ranges::is_sorted(large));
  CHECK((!large.front() && large.back()));
}

TEST_CASE("the bytes of a checkpoint are known before it is written") {
  const test::TempDir dir;
  const auto width = GENERATE(std::int64_t{8}, std::int64_t{64}, std::int64_t{256});
  const auto model = test::tiny_model(4, width);
  state::save(dir / "a.h5", state::fresh(model, 1));
  const auto actual = CheckpointReader(dir / "a.h5").file_bytes();
  const auto predicted = state::checkpoint_bytes(model);
  CHECK(actual > predicted);
  CHECK(actual < predicted + 8192);  // metadata
}

TEST_CASE("a missing file, a folder and a file of something else are refused") {
  const test::TempDir dir;
  CHECK(test::contains(test::refusal(ErrorKind::input, [&] { state::load(dir / "none.h5"); }),
                       "none.h5"));
  test::refusal(ErrorKind::input, [&] { state::load(dir.path()); });
  for (const std::string text : {"", "\x89HD", "seed: 1\n"}) {
    test::write_text(dir / "a.h5", text);
    CHECK(test::contains(test::refusal(ErrorKind::input, [&] { state::load(dir / "a.h5"); }),
                         "a.h5"));
  }
}
