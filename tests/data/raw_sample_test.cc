// Files of bare ids are told by their width, and from what is no token file at all.
#include "data/raw_sample.h"

#include <cstring>
#include <vector>

#include "base/rng.h"
#include "data/token_file.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

// Ids of a text: a few are frequent, most are rare, all are below vocab.
std::vector<std::uint64_t> text_ids(std::size_t count, std::uint64_t vocab) {
  const CounterRng rng(1, vocab);
  std::vector<std::uint64_t> ids(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double u = rng.uniform(i);
    ids[i] = static_cast<std::uint64_t>(u * u * u * static_cast<double>(vocab));
  }
  ids[count / 2] = vocab - 1;
  return ids;
}

template <class Id>
std::string bytes_of(const std::vector<std::uint64_t>& ids) {
  std::string bytes(ids.size() * sizeof(Id), '\0');
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<Id>(ids[i]);
    std::memcpy(bytes.data() + i * sizeof id, &id, sizeof id);
  }
  return bytes;
}

RawSample sample(const std::string& bytes) { return sample_raw(std::as_bytes(std::span(bytes))); }

std::string random_bytes(std::size_t count) {
  const CounterRng rng(7, 7);
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(rng.below(i, 256));
  return bytes;
}

}  // namespace

TEST_CASE("the width of bare ids is found for every vocabulary and size") {
  const std::uint64_t vocab = GENERATE(4, 65, 256, 50257, 65536, 128256, 262144);
  const std::size_t count = GENERATE(64, 1000, 300000);
  INFO(vocab << " ids, " << count << " tokens");
  const auto ids = text_ids(count, vocab);
  if (vocab <= 65536) CHECK(sample(bytes_of<std::uint16_t>(ids)).width == RawWidth::uint16);
  if (vocab <= 65536 || count > 100) {  // of a few wide ids nothing can be told
    CHECK(sample(bytes_of<std::uint32_t>(ids)).width == RawWidth::uint32);
    CHECK(sample(bytes_of<std::uint64_t>(ids)).width == RawWidth::int64);
  }
}

TEST_CASE("files whose tokens are all alike or few are taken for uint16") {
  for (const std::uint64_t id : {0, 7, 65535}) {
    const std::vector<std::uint64_t> ids(4000, id);
    CHECK(sample(bytes_of<std::uint16_t>(ids)).width == RawWidth::uint16);
  }
  CHECK(sample(bytes_of<std::uint16_t>({5, 0, 6, 0})).width == RawWidth::uint16);
}

TEST_CASE("a sample counts the ids that it saw") {
  const RawSample small = sample(bytes_of<std::uint16_t>(text_ids(1000, 300)));
  CHECK(small.ids == 1000);
  CHECK(small.largest == 299);
  CHECK((small.distinct > 100 && small.distinct <= 300));
  const RawSample wide = sample(bytes_of<std::uint32_t>(text_ids(1'000'000, 128256)));
  CHECK(wide.ids == 64 * 2048);  // 64 stretches of 8 KiB
  CHECK(contains(wide.describe(), "different ids in a sample of 131,072"));
}

TEST_CASE("text, and bytes as even as compressed ones, do not pass for tokens without a word") {
  CHECK(sample(test::made_up_text(100000)).text);
  CHECK(sample("na\xc3\xafve text with accents, in UTF-8\r\n").text);
  const RawSample noise = sample(random_bytes(200000));
  CHECK(noise.noise);
  CHECK_FALSE(noise.text);
  for (const std::uint64_t vocab : {65, 256, 50257, 65536}) {
    const RawSample tokens = sample(bytes_of<std::uint16_t>(text_ids(300000, vocab)));
    CHECK_FALSE(tokens.text);
    CHECK_FALSE(tokens.noise);
  }
}

TEST_CASE("a raw file says what it was taken for, and is read in that width") {
  const test::TempDir folder;
  const auto ids = text_ids(5000, 128256);
  test::write_text(folder / "wide.bin", bytes_of<std::uint32_t>(ids));
  const TokenFile wide(folder / "wide.bin");
  CHECK(wide.info().format == "raw uint32");
  CHECK(wide.count() == 5000);
  std::vector<std::int32_t> read(5000);
  wide.read(0, read, 128256);
  CHECK(std::equal(read.begin(), read.end(), ids.begin(), [](std::int32_t a, std::uint64_t b) {
    return static_cast<std::uint64_t>(a) == b;
  }));
  INFO(wide.info().note);
  CHECK(contains(wide.info().note, "read as ids of 4 bytes each because their upper halves"));
  CHECK(contains(wide.info().note, "largest id 128,255"));

  test::write_text(folder / "raw.bin", bytes_of<std::uint16_t>(text_ids(5000, 50257)));
  const TokenFile raw(folder / "raw.bin");
  CHECK(raw.info().format == "raw uint16");
  CHECK(contains(raw.info().note, "read as ids of 2 bytes each: largest id 50,256"));
  CHECK(raw.info().warning.empty());

  test::write_text(folder / "noise.bin", random_bytes(200000));
  CHECK(contains(TokenFile(folder / "noise.bin").info().warning, "as evenly as random numbers"));
}

TEST_CASE("text and 64-bit numbers are refused as token files, with what to do") {
  const test::TempDir folder;
  const auto refused = [&](const std::string& bytes) {
    test::write_text(folder / "a.bin", bytes);
    return test::refusal(ErrorKind::input, [&] { TokenFile file(folder / "a.bin"); });
  };
  CHECK(contains(refused(test::made_up_text(5000)), "is text, expected a token file"));
  const std::string said = refused(bytes_of<std::uint64_t>(text_ids(5000, 50257)));
  CHECK(contains(said, "64-bit numbers"));
  CHECK(contains(said, "astype(np.uint16)"));
}
