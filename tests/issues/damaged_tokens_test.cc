// Found 2026-11-25: eval scored a token file whose checksum no longer held.
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("eval refuses a token file with a flipped bit") {
  const test::TinyRun tiny;
  const std::string tokens = (tiny / "data/validation.bin").string();
  state::save(tiny / "a.h5", state::fresh(tiny.plan().final_model, 1));
  std::string bytes = test::read_text(tokens);
  bytes[bytes.size() - 10] ^= 1;
  test::write_text(tokens, bytes);
  const auto result =
      test::stagedtrain({"eval", (tiny / "a.h5").string(), "--data", tokens, "--json"});
  INFO(result.err);
  CHECK(result.exit_code == 3);
  CHECK(test::contains(result.err, "damaged"));
  CHECK(result.out.empty());
}
