// The safetensors reader: what is sound is read, and each way in which a file can lie is refused.
#include "modelfiles/safetensors.h"

#include <algorithm>

#include "base/error.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::string file_of(const std::string& header, std::size_t data) {
  const auto length = static_cast<std::uint64_t>(header.size());
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\1');
}

std::size_t tensors_in(const std::string& bytes) {
  const test::TempDir dir;
  test::write_text(dir / "a.safetensors", bytes);
  const MappedFile file(dir / "a.safetensors");
  return hub::read_safetensors(dir / "a.safetensors", file).size();
}

std::string refused(const std::string& bytes) {
  return test::refusal(ErrorKind::input, [&] { tensors_in(bytes); });
}

std::string entry(const std::string& name, const std::string& shape, int begin, int end,
                  const std::string& type = "F32") {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, type,
                     shape, begin, end);
}

}  // namespace

TEST_CASE("sound safetensors files are read") {
  CHECK(tensors_in(file_of("{}", 0)) == 0);
  CHECK(tensors_in(file_of("{" + entry("a", "[2,3]", 0, 24) + "}   ", 24)) == 1);
  CHECK(tensors_in(file_of("{" + entry("a", "[2]", 4, 12) + "," + entry("b", "[]", 0, 4) + "," +
                               entry("c", "[0,7]", 4, 4) + R"(,"__metadata__":{"format":"pt"}})",
                           12)) == 3);
  CHECK(tensors_in(file_of("{" + entry("a", "[3,2]", 0, 3, "F4") + "}", 3)) == 1);
}

TEST_CASE("safetensors files that lie are refused with the place") {
  const std::string a = entry("a", "[2]", 0, 8);
  CHECK(contains(refused(file_of("{" + a + "," + entry("b", "[2]", 4, 12) + "}", 12)), "'b' begins"));
  CHECK(contains(refused(file_of("{" + a + "," + entry("b", "[2]", 12, 20) + "}", 20)), "begins at 12"));
  CHECK(contains(refused(file_of("{" + entry("a", "[2]", 4, 12) + "}", 12)), "expected 0"));
  CHECK(contains(refused(file_of("{" + a + "}", 9)), "end at 8 of 9"));
  CHECK(contains(refused(file_of("{" + a + "}", 7)), "within the 7 bytes"));
  CHECK(contains(refused(file_of("{" + a + "," + a + "}", 8)), "'a' appears twice"));
  CHECK(contains(refused(file_of("{" + entry("a", "[3]", 0, 8) + "}", 8)), "need 12"));
  CHECK(contains(refused(file_of("{" + entry("a", "[4294967296,4294967296]", 0, 0) + "}", 0)),
                 "no valid size in bytes"));
  CHECK(contains(refused(file_of("{" + entry("a", "[-2]", 0, 8) + "}", 8)), "whole numbers"));
  CHECK(contains(refused(file_of("{" + entry("a", "[2.0]", 0, 8) + "}", 8)), "whole numbers"));
  CHECK(contains(refused(file_of("{" + entry("a", "[2]", 8, 0) + "}", 8)), "[begin, end]"));
  CHECK(contains(refused(file_of("{" + entry("a", "[2]", 0, 8, "F33") + "}", 8)), "F33"));
  CHECK(contains(refused(file_of("{" + entry("a", "[3]", 0, 1, "F4") + "}", 1)), "no valid size"));
  CHECK(contains(refused(file_of(R"({"__metadata__":{"a":1}})", 0)), "__metadata__"));
  CHECK(contains(refused(file_of(R"({"a":{"dtype":"F32","shape":[2]}})", 0)), "exactly the keys"));
  CHECK(contains(refused(file_of(" {}", 0)), "does not begin with"));
  CHECK(contains(refused(file_of("[]", 0)), "does not begin with"));
  CHECK(contains(refused(file_of(std::string("{\"a\":") + std::string(100000, '['), 0)), "deeper"));
  CHECK(contains(refused("\1\2\3"), "too short"));
  CHECK(contains(refused(std::string(8, '\xff')), "promise a header"));
  CHECK(contains(refused(file_of("{" + entry("\\u001b[2J", "[3]", 0, 8) + "}", 8)), "'\\x1b[2J'"));
}

TEST_CASE("a header that is written is one that is read") {
  const std::vector<hub::TensorOutline> tensors = {{"b", hub::Element::f32, {3, 5}},
                                                   {"a \"x\"", hub::Element::bf16, {7}},
                                                   {"z", hub::Element::f16, {}}};
  const std::string head = hub::safetensors_header(tensors);
  CHECK(head.size() % 8 == 0);
  const test::TempDir dir;
  test::write_text(dir / "a", head + std::string(60 + 14 + 2, '\0'));
  const MappedFile file(dir / "a");
  const auto found = hub::read_safetensors(dir / "a", file);
  REQUIRE(found.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(found[i].name == tensors[i].name);
    CHECK(found[i].element == tensors[i].element);
    CHECK(found[i].shape == tensors[i].shape);
  }
}
