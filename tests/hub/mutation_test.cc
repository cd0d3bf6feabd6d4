// Thousands of damaged headers: each is read or refused with its place, none crashes, and an import
// that is refused leaves nothing behind.
#include <filesystem>

#include "base/rng.h"
#include "hub/export.h"
#include "hub/hub_models.h"
#include "hub/import.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using hub::ExportFormat;

namespace {

// One to three changes in the first `head` bytes: a bit flipped, a byte or eight replaced, bytes cut
// out or doubled.
std::string mutated(std::string bytes, std::size_t head, const CounterRng& rng,
                    std::uint64_t& draw) {
  const std::uint64_t changes = 1 + rng.below(draw++, 3);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t place = rng.below(draw++, std::min(head, bytes.size()));
    switch (rng.below(draw++, 5)) {
      case 0:
        bytes[place] = static_cast<char>(bytes[place] ^ 1 << rng.below(draw++, 8));
        break;
      case 1:
        bytes[place] = static_cast<char>(rng.bits(draw++));
        break;
      case 2:
        for (std::size_t j = place; j < std::min(place + 8, bytes.size()); ++j)
          bytes[j] = static_cast<char>(rng.below(draw, 2) ? 0xff : rng.bits(draw + j));
        ++draw;
        break;
      case 3:
        bytes.erase(place, 1 + rng.below(draw++, 9));
        break;
      default:
        bytes.insert(place, bytes.substr(place, 1 + rng.below(draw++, 9)));
    }
  }
  return bytes;
}

struct Outcomes {
  int read = 0, refused = 0;
};

// Imports `source` again and again with its file `name` damaged.
Outcomes import_damaged(const Path& source, const Path& file, std::size_t head, int times) {
  const test::TempDir dir;
  const std::string sound = test::read_text(file);
  const CounterRng rng(17, hash_name(file.filename().string()));
  std::uint64_t draw = 0;
  Outcomes outcomes;
  for (int i = 0; i < times; ++i) {
    test::write_text(file, mutated(sound, head, rng, draw));
    try {
      hub::import_model(hub::open_foreign_model(source), dir / "out.h5");
      ++outcomes.read;
      std::filesystem::remove(dir / "out.h5");
    } catch (const Error& error) {
      INFO(error.what());
      REQUIRE(error.kind() == ErrorKind::input);
      REQUIRE(test::contains(error.what(), source.string()));
      REQUIRE(std::filesystem::is_empty(dir.path()));
      ++outcomes.refused;
    }
  }
  test::write_text(file, sound);
  return outcomes;
}

}  // namespace

TEST_CASE("damaged headers are read or refused, never worse") {
  const test::TempDir dir;
  state::TrainingState original = test::random_model(test::small_gpt2());
  original.run.tokenizer = "bytes";
  state::save(dir / "a.h5", original);
  const state::CheckpointReader reader(dir / "a.h5");
  hub::export_model(reader, dir / "hf", {});
  hub::export_model(reader, dir / "a.gguf", {.format = ExportFormat::gguf});
  hub::export_model(reader, dir / "a.bin", {.format = ExportFormat::llmc});
  const auto check = [](const char* what, const Outcomes& found) {
    INFO(what << ": " << found.read << " read, " << found.refused << " refused");
    CHECK(found.refused > found.read);
  };
  check("safetensors",
        import_damaged(dir / "hf", dir / "hf/model.safetensors", 4000, 1200));
  check("GGUF", import_damaged(dir / "a.gguf", dir / "a.gguf", 2500, 1200));
  check("llm.c", import_damaged(dir / "a.bin", dir / "a.bin", 36, 300));
  import_damaged(dir / "hf", dir / "hf/config.json", 1000, 500);
  import_damaged(dir / "hf", dir / "hf/tokenizer.json", 2000, 300);
}
