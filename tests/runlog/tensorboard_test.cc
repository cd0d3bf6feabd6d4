// Event files: records whose checksums are right, and what is in them.
#include "runlog/tensorboard.h"

#include <cstring>
#include <vector>

#include "base/crc32c.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

template <class T>
T number_at(const std::string& text, std::size_t place) {
  T value;
  REQUIRE(place + sizeof value <= text.size());
  std::memcpy(&value, text.data() + place, sizeof value);
  return value;
}

std::uint32_t masked(const std::string& text) {
  const std::uint32_t c = crc32c(std::as_bytes(std::span(text)));
  return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

// The records of the one event file in a folder, each without its wall time.
std::vector<std::string> records(const Path& folder) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  CHECK(files[0].filename().string().starts_with("events.out.tfevents."));
  const std::string text = test::read_text(files[0]);
  std::vector<std::string> found;
  for (std::size_t place = 0; place < text.size();) {
    const auto size = number_at<std::uint64_t>(text, place);
    CHECK(number_at<std::uint32_t>(text, place + 8) == masked(text.substr(place, 8)));
    const std::string event = text.substr(place + 12, size);
    CHECK(number_at<std::uint32_t>(text, place + 12 + size) == masked(event));
    REQUIRE(event[0] == '\x09');  // field 1, a double
    CHECK(number_at<double>(event, 1) > 1.7e9);
    found.push_back(event.substr(9));
    place += 16 + size;
  }
  return found;
}

std::string scalar(char step, const std::string& tag, float value) {
  std::string inner = "\x0a" + std::string(1, static_cast<char>(tag.size())) + tag + "\x15";
  inner.append(reinterpret_cast<const char*>(&value), sizeof value);
  const auto size = static_cast<char>(inner.size());
  return std::string("\x10") + step + "\x2a" + static_cast<char>(size + 2) + "\x0a" + size + inner;
}

}  // namespace

TEST_CASE("events become the bytes that TensorBoard reads") {
  const test::TempDir folder;
  runlog::TensorboardWriter writer(folder / "tensorboard");
  CHECK_FALSE(std::filesystem::exists(folder / "tensorboard"));
  writer.add({{"event", "start"}, {"seed", 1}});
  writer.add({{"event", "step"}, {"step", 5}, {"loss", 2.5}, {"lr", 0.25}, {"grad_norm", nullptr}});
  writer.add({{"event", "evaluate"}, {"step", 6}, {"loss", 2.0}});
  writer.add({{"event", "stage_end"}, {"step", 6}, {"loss", 2.0}});
  writer.add({{"event", "stage_end"}, {"step", 7}, {"loss", 1.5}});
  writer.add({{"event", "resume"}, {"step", 6}});
  writer.add({{"event", "checkpoint"}, {"step", 6}, {"bytes", 100}});
  const std::vector<std::string> found = records(folder / "tensorboard");
  REQUIRE(found.size() == 6);
  CHECK(found[0] == std::string("\x10\x00\x1a\x0d", 4) + "brain.Event:2");
  CHECK(found[1] == scalar(5, "train/loss", 2.5F));
  CHECK(found[2] == scalar(5, "train/lr", 0.25F));
  CHECK(found[3] == scalar(6, "val/loss", 2.0F));
  CHECK(found[4] == scalar(7, "val/loss", 1.5F));
  CHECK(found[5] == "\x10\x07\x3a\x02\x08\x01");  // a session starts at step 7
}

TEST_CASE("a growth is told as text and numbers, and every process has a file of its own") {
  const test::TempDir folder;
  for (int process = 0; process < 2; ++process) {
    runlog::TensorboardWriter writer(folder / "tensorboard");
    writer.add({{"event", "grow"}, {"step", 300}, {"stage", "full"}, {"operators", "depth"},
                {"from", "a"}, {"to", "b"}, {"params_after", 100}});
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "tensorboard")) {
    ++files;
    const std::string text = test::read_text(entry.path());
    CHECK(contains(text, "full: depth (from a to b)"));
    CHECK(contains(text, "growth/params"));
    CHECK(contains(text, std::string("\x10\xac\x02", 3)));  // step 300 as a varint
  }
  CHECK(files == 2);
}

TEST_CASE("samples reach TensorBoard as text, one tag for each prompt") {
  const test::TempDir folder;
  runlog::TensorboardWriter writer(folder / "tensorboard");
  writer.add({{"event", "sample"},
              {"step", 7},
              {"samples",
               {{{"prompt", "the "}, {"text", "light\n"}}, {{"prompt", "a"}, {"text", "\xff"}}}}});
  const std::vector<std::string> found = records(folder / "tensorboard");
  REQUIRE(found.size() == 3);
  CHECK(contains(found[1], "samples/0"));
  CHECK(contains(found[1], "the light\n"));
  CHECK(contains(found[2], "samples/1"));
  CHECK(contains(found[2], "a\\xff"));
}
