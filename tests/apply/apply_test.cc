// Applying recipes: in memory and from file to file, and what a growth writes down.
#include "apply/apply.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/signals.h"
#include "grow/grow_support.h"
#include "io/file.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using state::DType;
using state::TensorKind;
using state::TrainingState;
using test::contains;

namespace {

constexpr const char* kBoth = "[{operator: depth, layers: 3}, {operator: width}]";

void grow_file(const grow::GrowthRecipe& recipe, const Path& from, const Path& to) {
  grow::apply_file(recipe, state::CheckpointReader(from), from, to);
}

std::vector<std::string> names_in(const test::TempDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("a growth keeps progress, place in the data, seed and run, and adds to the lineage") {
  const TrainingState small = test::tiny_state();
  const auto recipe = test::recipe_of(kBoth);
  const TrainingState large = grow::apply(recipe, test::clone(small), "runs/a.h5", "89abcdef");
  CHECK(large.model == recipe.to);
  CHECK(large.progress == small.progress);
  CHECK(large.data == small.data);
  CHECK(large.seed == small.seed);
  CHECK(large.run == small.run);
  REQUIRE(large.lineage.size() == 2);
  CHECK(large.lineage[0] == small.lineage[0]);
  const state::LineageEntry expected{"runs/a.h5", "89abcdef", recipe.operators(), 12, small.model};
  CHECK(large.lineage[1] == expected);
}

TEST_CASE("a state of another model is not grown") {
  const auto recipe = test::recipe_of(kBoth, test::tiny_model(1));
  CHECK(contains(test::refusal(ErrorKind::bug, [&] { grow::apply(recipe, test::tiny_state()); }),
                 "recipe for gpt2, 1 layer"));
}

TEST_CASE("tensors made one by one are those of the whole growth") {
  const TrainingState small = test::tiny_state();
  const auto recipe = test::recipe_of(kBoth);
  const TrainingState large = test::grown(recipe, small);
  const auto view = [&](TensorKind kind, std::size_t i) {
    return std::span<const std::byte>(small.of(kind)[i].bytes());
  };
  std::size_t made = 0;
  grow::grow_tensors(recipe, DType::f32, state::kTensorKinds, view,
                     [&](TensorKind kind, std::size_t i, std::span<const std::byte> bytes) {
                       REQUIRE(std::ranges::equal(bytes, large.of(kind)[i].bytes()));
                       ++made;
                     });
  CHECK(made == 3 * large.of(TensorKind::weights).size());
}

TEST_CASE("growing, saving and loading commute to the last bit") {
  const test::TempDir dir;
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const TrainingState small = test::tiny_state(4, dtype);
  const auto recipe = test::recipe_of(kBoth);
  state::save(dir / "small.h5", small);
  state::save(dir / "large.h5", test::grown(recipe, small));
  CHECK(test::difference(state::load(dir / "large.h5"),
                         test::grown(recipe, state::load(dir / "small.h5"))) == "");
}

TEST_CASE("growing from file to file makes the bits of growing in memory") {
  const test::TempDir dir;
  auto model = test::tiny_model();
  model.tied = GENERATE(true, false);
  const TrainingState small = test::tiny_state(4, DType::f32, model);
  const auto recipe = test::recipe_of(kBoth, model);
  state::save(dir / "small.h5", small);
  grow_file(recipe, dir / "small.h5", dir / "large.h5");
  const TrainingState expected =
      grow::apply(recipe, test::clone(small), (dir / "small.h5").string(),
                  state::CheckpointReader(dir / "small.h5").identity());
  CHECK(test::difference(state::load(dir / "large.h5"), expected) == "");
  CHECK(names_in(dir) == std::vector<std::string>{"large.h5", "small.h5"});
}

TEST_CASE("the same growth makes the same file") {
  const test::TempDir dir;
  state::save(dir / "small.h5", test::tiny_state());
  for (const char* name : {"a.h5", "b.h5"})
    grow_file(test::recipe_of(kBoth), dir / "small.h5", dir / name);
  CHECK(test::read_text(dir / "a.h5") == test::read_text(dir / "b.h5"));
}

TEST_CASE("whatever operation fails, nothing is left and an older file stays as it was") {
  const test::TempDir dir;
  state::save(dir / "small.h5", test::tiny_state());
  test::write_text(dir / "large.h5", "older");
  const auto recipe = test::recipe_of(kBoth);
  std::atomic<int> operations = 0;  // on several threads
  {
    const test::Fault count([&](FileOperation, const Path&) { return ++operations, 0; });
    grow_file(recipe, dir / "small.h5", dir / "counted.h5");
  }
  const int all = operations;
  CHECK(all >= 7);  // lock, space, two writes and more, sync, rename, sync of the folder
  // The last two are the rename, and the sync of the folder after it.
  for (int failing = 1; failing < all; ++failing) {
    CAPTURE(failing, all);
    operations = 0;
    const std::string says = test::refusal(ErrorKind::resource, [&] {
      const test::Fault fault(
          [&](FileOperation, const Path&) { return ++operations == failing ? ENOSPC : 0; });
      grow_file(recipe, dir / "small.h5", dir / "large.h5");
    });
    CHECK(contains(says, "No space left on device"));
    REQUIRE(test::read_text(dir / "large.h5") == "older");
    REQUIRE(names_in(dir) == std::vector<std::string>{"counted.h5", "large.h5", "small.h5"});
  }
}

TEST_CASE("a request to stop ends a growth and leaves nothing") {
  const test::TempDir dir;
  state::save(dir / "small.h5", test::tiny_state());
  reset_stop_request(15);
  const std::string says = test::refusal(ErrorKind::interrupted, [&] {
    grow_file(test::recipe_of(kBoth), dir / "small.h5", dir / "large.h5");
  });
  reset_stop_request();
  CHECK(contains(says, "while growing"));
  CHECK(names_in(dir) == std::vector<std::string>{"small.h5"});
}

TEST_CASE("a damaged source is found before it is used, and nothing is left") {
  const test::TempDir dir;
  state::save(dir / "small.h5", test::tiny_state());
  std::string bytes = test::read_text(dir / "small.h5");
  const state::HostTensor damaged =
      state::CheckpointReader(dir / "small.h5").read(TensorKind::exp_avg, 5);
  const std::string tensor(reinterpret_cast<const char*>(damaged.bytes().data()),
                           damaged.byte_size());
  bytes[bytes.find(tensor) + 9] ^= 4;
  test::write_text(dir / "small.h5", bytes);
  const std::string says = test::refusal(ErrorKind::input, [&] {
    grow_file(test::recipe_of(kBoth), dir / "small.h5", dir / "large.h5");
  });
  CHECK(contains(says, "is damaged"));
  CHECK(names_in(dir) == std::vector<std::string>{"small.h5"});
}

TEST_CASE("damage of adapters is refused, although a growth reads only the weights with them") {
  const test::TempDir dir;
  const TrainingState state = test::tiny_state();
  state::StateHeader header = state::header_of(state);
  header.adapters = {.rank = 2, .alpha = 2, .start = 4, .matrices = {"layers.0.mlp.up.weight"}};
  {
    state::CheckpointWriter writer(dir / "a.h5", header);
    for (const TensorKind kind : header.kinds())
      for (std::size_t i = 0; i < state.of(kind).size(); ++i)
        writer.write(kind, i, state.of(kind)[i].bytes());
    const auto stored = arch::stored_adapters(header.adapters, arch::param_table(header.model));
    for (std::size_t i = 0; i < stored.size(); ++i) {
      state::HostTensor tensor(header.dtype, stored[i].shape());
      tensor.set(0, 1.25 + static_cast<double>(i));
      writer.write_adapter(i, tensor.bytes());
    }
    writer.commit();
  }
  const auto recipe = test::recipe_of(kBoth);
  grow_file(recipe, dir / "a.h5", dir / "whole.h5");
  CHECK(state::CheckpointReader(dir / "whole.h5").header().adapters.none());
  const std::string bytes = test::read_text(dir / "a.h5");
  for (int part = 0; part < static_cast<int>(arch::kNumAdapterParts); ++part) {
    const float first = 1.25F + static_cast<float>(part);
    std::string mark(sizeof first, 0);
    std::memcpy(mark.data(), &first, sizeof first);
    mark += std::string(8, 0);  // the zeros behind it
    std::string damaged = bytes;
    const std::size_t at = damaged.find(mark);
    REQUIRE(at != std::string::npos);
    damaged[at + 5] = 1;
    test::write_text(dir / "a.h5", damaged);
    CHECK(contains(
        test::refusal(ErrorKind::input, [&] { grow_file(recipe, dir / "a.h5", dir / "b.h5"); }),
        "is damaged: the checksum of its block 0"));
    CHECK(!std::filesystem::exists(dir / "b.h5"));
  }
}
