// Damaged and foreign checkpoints: each is refused with its reason, none is half believed.
#include <cmath>
#include <filesystem>
#include <fstream>

#include "arch/architectures.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/layout.h"
#include "support/catch.h"
#include "support/crafted_checkpoint.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using state::ElementType;
using test::contains;

namespace {

enum class Outcome { same, refused, different };

// What loading these bytes comes to. Anything but an Error(input) that names the file escapes.
Outcome outcome(const std::filesystem::path& path, const std::string& bytes,
                const state::TrainingState& original) {
  test::write_text(path, bytes);
  try {
    return test::difference(state::load(path), original) == "" ? Outcome::same : Outcome::different;
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::input);
    CHECK(contains(error.what(), path.string()));
    return Outcome::refused;
  }
}

// Writes a crafted file and says why it is refused.
std::string refused(const test::CraftedCheckpoint& crafted) {
  const test::TempDir dir;
  crafted.write(dir / "a.h5");
  return test::refusal(ErrorKind::input, [&] { state::load(dir / "a.h5"); });
}

std::string refused_bytes(const std::string& bytes) {
  const test::TempDir dir;
  test::write_text(dir / "a.h5", bytes);
  return test::refusal(ErrorKind::input, [&] { state::load(dir / "a.h5"); });
}

std::string saved_bytes(const state::TrainingState& original) {
  const test::TempDir dir;
  state::save(dir / "a.h5", original);
  return test::read_text(dir / "a.h5");
}

}  // namespace

TEST_CASE("a crafted file without a fault loads") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  test::CraftedCheckpoint(original).write(dir / "a.h5");
  CHECK(test::difference(state::load(dir / "a.h5"), original) == "");
}

TEST_CASE("a checkpoint cut short is refused at every length") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  const std::string bytes = saved_bytes(original);
  for (std::size_t length = 0; length < bytes.size(); length += length < 64 ? 1 : 997) {
    INFO("length " << length);
    CHECK(outcome(dir / "a.h5", bytes.substr(0, length), original) == Outcome::refused);
  }
  const std::string last = bytes.substr(0, bytes.size() - 1);
  CHECK(contains(refused_bytes(last), "cut short"));
}

TEST_CASE("a flipped bit is refused, or lies where nothing is read") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  const std::string bytes = saved_bytes(original);
  int same = 0, places = 0;
  for (std::size_t place = 0; place < bytes.size(); place += place < 256 ? 3 : 131, ++places) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] ^ (1 << places % 8));
    const Outcome found = outcome(dir / "a.h5", damaged, original);
    INFO("byte " << place << " of " << bytes.size());
    CHECK(found != Outcome::different);
    same += found == Outcome::same;
  }
  INFO(same << " of " << places << " places hold nothing");
  CHECK(places > 500);
  CHECK(same < places / 4);
}

TEST_CASE("a stretch of zeros or ones is refused, or changes nothing") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  const std::string bytes = saved_bytes(original);
  const std::size_t length = GENERATE(std::size_t{8}, std::size_t{512});
  for (std::size_t place = 0; place + length < bytes.size(); place += 1531)
    for (const char value : {'\0', '\xff'}) {
      const std::string damaged = std::string(bytes).replace(place, length, length, value);
      INFO("byte " << place);
      CHECK(outcome(dir / "a.h5", damaged, original) != Outcome::different);
    }
}

TEST_CASE("damage in a tensor is named with its tensor, block and place") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  state::save(dir / "a.h5", original);
  const state::CheckpointReader reader(dir / "a.h5");
  std::string bytes = test::read_text(dir / "a.h5");
  const auto view = reader.view(state::TensorKind::exp_avg, 0);
  const std::string tensor(reinterpret_cast<const char*>(view.data()), view.size());
  const std::size_t place = bytes.find(tensor);
  REQUIRE(place != std::string::npos);
  bytes[place + 5] = static_cast<char>(bytes[place + 5] ^ 1);
  const std::string says = refused_bytes(bytes);
  INFO(says);
  CHECK(contains(says, "exp_avg/embed.token is damaged"));
  CHECK(contains(says, "block 0 (at byte " + std::to_string(place) + " of the file)"));
  CHECK(contains(says, "older checkpoint"));
}

TEST_CASE("a block is verified whenever it is viewed, and no other") {
  const test::TempDir dir;
  const auto original = state::fresh(arch::resolved({.architecture = "gpt2",
                                                     .layers = 1,
                                                     .width = 512,
                                                     .heads = 8,
                                                     .vocab = 1024,
                                                     .context = 8}),
                                     1);
  state::save(dir / "a.h5", original);
  std::string bytes = test::read_text(dir / "a.h5");
  const std::size_t blocks = 1024 * 512 * 4 / state::kBlockBytes;
  REQUIRE(blocks == 2);
  {
    const state::CheckpointReader reader(dir / "a.h5");
    const auto whole = reader.view(state::TensorKind::weights, 0);
    for (std::size_t block = 0; block < blocks; ++block) {
      const auto view = reader.view_block(state::TensorKind::weights, 0, block);
      CHECK(view.data() == whole.data() + block * state::kBlockBytes);
      CHECK(view.size() == state::kBlockBytes);
      reader.prefetch_block(state::TensorKind::weights, 0, block);
      reader.release_block(state::TensorKind::weights, 0, block);
    }
    const std::string second(reinterpret_cast<const char*>(whole.data()) + state::kBlockBytes, 64);
    const std::size_t place = bytes.find(second);
    bytes[place + 5] = static_cast<char>(bytes[place + 5] ^ 1);
  }
  test::write_text(dir / "a.h5", bytes);
  const state::CheckpointReader reader(dir / "a.h5");
  CHECK_NOTHROW(reader.view_block(state::TensorKind::weights, 0, 0));
  const std::string says = test::refusal(ErrorKind::input, [&] {
    static_cast<void>(reader.view_block(state::TensorKind::weights, 0, 1));
  });
  CHECK(contains(says, "weights/embed.token is damaged: the checksum of its block 1"));
}

TEST_CASE("what is read lazily is verified before it is used") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  test::CraftedCheckpoint(original).write(dir / "a.h5");
  std::string bytes = test::read_text(dir / "a.h5");
  const auto tensor = original.of(state::TensorKind::weights)[1].bytes();
  const std::size_t place =
      bytes.find(std::string(reinterpret_cast<const char*>(tensor.data()), tensor.size()));
  REQUIRE(place != std::string::npos);
  bytes[place] = static_cast<char>(bytes[place] ^ 0x40);
  test::write_text(dir / "a.h5", bytes);
  const state::CheckpointReader reader(dir / "a.h5");
  CHECK(reader.view(state::TensorKind::weights, 0).size() > 0);
  test::refusal(ErrorKind::input, [&] { reader.view(state::TensorKind::weights, 1); });
  test::refusal(ErrorKind::input, [&] { reader.read(state::TensorKind::weights, 1); });
  test::refusal(ErrorKind::input, [&] { reader.verify(); });
}

TEST_CASE("a part of a file is verified by blocks spread evenly over it") {
  const test::TempDir dir;
  const auto original = state::fresh(test::tiny_model(1, 512), 1);
  state::save(dir / "a.h5", original);
  const std::string path = (dir / "a.h5").string();
  const std::uint64_t bytes = state::CheckpointReader(path).file_bytes();
  const auto flip = [&](std::uint64_t place) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(place));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(place));
    file.put(byte);
  };
  int found = 0, tried = 0;
  for (std::uint64_t place = 600000; place < bytes - 2000000; place += 1 << 20, ++tried) {
    flip(place);
    const state::CheckpointReader reader(path);
    CHECK_THROWS_AS(reader.verify(), Error);
    try {
      reader.verify(bytes / 4);
    } catch (const Error&) {
      ++found;
    }
    flip(place);
  }
  CHECK(tried > 30);
  CHECK(found > tried / 8);
  CHECK(found < tried / 2);
}

TEST_CASE("a missing, extra, renamed or resized tensor is named") {
  test::CraftedCheckpoint crafted(test::tiny_state());
  const std::string name = "exp_avg/final_norm.weight";
  const std::size_t place = crafted.index(name);
  std::string says;
  SECTION("missing") {
    crafted.remove(name);
    says = "tensor exp_avg/final_norm.weight is missing";
  }
  SECTION("extra") {
    crafted.add({"weights", "spare", ElementType::f32, {2}}, std::string(8, 'x'));
    says = "dataset weights/spare does not belong to the model (gpt2, 2 layers x 8";
  }
  SECTION("renamed") {
    crafted.datasets[place].name = "final_norm.weights";
    says = "tensor exp_avg/final_norm.weight is missing";
  }
  SECTION("of another size") {
    crafted.datasets[place].shape = {7};
    crafted.contents[place].resize(28);
    says = "tensor exp_avg/final_norm.weight has 28 bytes, expected 32 of float32";
  }
  SECTION("of another type") {
    crafted.datasets[place].type = ElementType::f64;
    crafted.contents[place].resize(64);
    says = "tensor exp_avg/final_norm.weight has 64 bytes, expected 32 of float32";
  }
  SECTION("metadata") {
    crafted.remove("metadata");
    says = "dataset metadata is missing";
  }
  SECTION("tokenizer") {
    crafted.remove("tokenizer");
    says = "dataset tokenizer is missing";
  }
  const std::string found = refused(crafted);
  INFO(found);
  CHECK(contains(found, says));
}

TEST_CASE("metadata that lies is refused") {
  test::CraftedCheckpoint crafted(test::tiny_state());
  std::string& metadata = crafted.metadata();
  std::string says;
  SECTION("a model of more layers than the file has tensors") {
    metadata.replace(metadata.find("\"layers\":2"), 10, "\"layers\":9");
    says = "tensor weights/layers.2.";
  }
  SECTION("a model too large for any file") {
    metadata.replace(metadata.find("\"vocab\":32"), 10, "\"vocab\":999999999");
    says = "does not fit in a file of";
  }
  SECTION("no JSON") {
    metadata[0] = '[';
    says = "not valid JSON";
  }
  SECTION("seconds that no clock shows") {
    metadata.replace(metadata.find("\"seconds\":1e-300"), 16, "\"seconds\":-3");
    says = "progress.seconds: found -3, expected a finite number of at least 0";
  }
  const std::string found = refused(crafted);
  INFO(found);
  CHECK(contains(found, says));
}

TEST_CASE("files of other kinds and versions are told what they are") {
  const std::string hdf5("\x89HDF\r\n\x1a\n", 8);
  CHECK(contains(refused_bytes(hdf5 + std::string(100, '\0')),
                 "is an HDF5 file, but not a checkpoint of stagedtrain"));
  const std::string first = hdf5 + std::string(100, '\0') + "stagedtrain training state";
  CHECK(contains(refused_bytes(first), "is a checkpoint of format 1"));
  CHECK(contains(refused_bytes(first), "train or grow the model again"));
  test::CraftedCheckpoint crafted(test::tiny_state());
  crafted.change_header = [](state::HeaderBlock& header) { header.version = 4; };
  CHECK(contains(refused(crafted),
                 "written by a newer stagedtrain (format 4, this one reads up to 3) | update"));
  crafted.change_header = [](state::HeaderBlock& header) { header.version = 2; };
  CHECK(
      contains(refused(crafted), "found format 2, expected 3 | formats 1 and 2 were used before"));
}

TEST_CASE("a NaN or an infinity in weights or moments is refused, with its tensor") {
  const test::TempDir dir;
  const auto dtype = GENERATE(state::DType::f32, state::DType::f64);
  const auto kind = GENERATE(state::TensorKind::weights, state::TensorKind::exp_avg,
                             state::TensorKind::exp_avg_sq);
  const double value = GENERATE(HUGE_VAL, -HUGE_VAL, std::nan(""));
  auto broken = test::tiny_state(1, dtype);
  broken.of(kind)[2].set(3, value);
  test::CraftedCheckpoint(broken).write(dir / "a.h5");
  const state::CheckpointReader reader(dir / "a.h5");
  const std::string name = reader.table()[2].name;
  const std::string says =
      test::refusal(ErrorKind::input, [&] { static_cast<void>(reader.view(kind, 2)); });
  INFO(says);
  CHECK(
      contains(says, "a.h5: " + std::string(kind_name(kind)) + "/" + name + " holds a NaN or an"));
  CHECK_NOTHROW(reader.view(kind, 1));
  CHECK_NOTHROW(reader.verify());  // nothing is damaged
}

TEST_CASE("a negative second moment is refused, which AdamW would take the root of") {
  const test::TempDir dir;
  const auto dtype = GENERATE(state::DType::f32, state::DType::f64);
  auto broken = test::tiny_state(1, dtype);
  broken.of(state::TensorKind::exp_avg)[2].set(3, -1e-30);
  broken.of(state::TensorKind::exp_avg_sq)[2].set(3, -1e-30);
  test::CraftedCheckpoint(broken).write(dir / "a.h5");
  const state::CheckpointReader reader(dir / "a.h5");
  CHECK_NOTHROW(reader.view(state::TensorKind::exp_avg, 2));
  CHECK(contains(
      test::refusal(ErrorKind::input,
                    [&] { static_cast<void>(reader.view(state::TensorKind::exp_avg_sq, 2)); }),
      "or a number below zero"));
}
