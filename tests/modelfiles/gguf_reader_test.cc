// GGUF headers: what is written reads back, and what no reader could name is refused with its place.
#include "modelfiles/gguf.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

// A file with one key and one tensor of four numbers.
hub::GgufFile read_back(const std::string& key, const std::string& tensor) {
  hub::GgufHeader header;
  header.add(key, std::uint32_t{7});
  const test::TempDir dir;
  test::write_text(dir / "a", header.bytes({{tensor, hub::Element::f32, {4}}}) + std::string(32, 'x'));
  const MappedFile file(dir / "a");
  return hub::read_gguf(dir / "a", file);
}

}  // namespace

TEST_CASE("a GGUF's keys and names are UTF-8") {
  CHECK(read_back("a.b", "\u03b1").keys.count("a.b") == 7);
  const auto refused = [](const std::string& key, const std::string& tensor) {
    return test::refusal(ErrorKind::input, [&] { read_back(key, tensor); });
  };
  CHECK(contains(refused("a.\xff", "t"), "a key at byte 24 is not UTF-8"));
  CHECK(contains(refused("a.b", "t\xe5"), "a tensor's name at byte 43 is not UTF-8"));
}
