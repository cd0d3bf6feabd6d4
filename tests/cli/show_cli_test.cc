// `stagedtrain show` as a user types it.
#include <limits>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/crafted_checkpoint.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

std::string shown(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "show");
  const test::CommandResult result = test::stagedtrain(std::move(arguments));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  return result.out;
}

void check_refused(const std::string& path, int code, const std::string& says) {
  const test::CommandResult result = test::stagedtrain({"show", path});
  INFO(result.err);
  CHECK(result.exit_code == code);
  CHECK(contains(result.err, says));
  CHECK(result.out.empty());
}

}  // namespace

TEST_CASE("show says what a checkpoint is") {
  const test::TempDir dir;
  const std::string path = (dir / "a.h5").string();
  state::save(path, test::tiny_state());
  const std::string text = shown({path});
  INFO(text);
  for (const char* part :
       {"format 3", "gpt2, 2 layers x 8", "2,144 (1,760 without embeddings), float32",
        "12 of 3,000 steps: 24,576 tokens", "full \"quoted\"", "0.003 in the last step",
        "data/train.bin (fingerprint deadbeef)", "192 sequences read", "SentencePiece model, 9 B",
        "at step 7 from gpt2, 1 layer x 8", "by {operator: depth, layers: 2}",
        "runs/a/stages/shallow.h5 (identity 0123abcd)",
        "36 for each of weights, exp_avg, exp_avg_sq", "110 blocks verified, none damaged"})
    CHECK(contains(text, part));
  CHECK(contains(text, state::CheckpointReader(path).identity()));
  CHECK_FALSE(contains(text, "embed.position"));
}

TEST_CASE("show lists tensors on demand and says where values are not finite") {
  const test::TempDir dir;
  auto state = test::tiny_state();
  state.of(state::TensorKind::weights)[2].set(3, std::numeric_limits<double>::quiet_NaN());
  state.lineage.clear();
  test::CraftedCheckpoint(state).write(dir / "a.h5");  // it would not be saved
  const std::string text = shown({(dir / "a.h5").string(), "--tensors"});
  CHECK(contains(text, "embed.position"));
  CHECK(contains(text, "16 x 8"));
  CHECK(contains(text, "  1 not finite\n"));
  CHECK(contains(text, "never; trained from fresh weights"));
}

TEST_CASE("show --json has every fact, and reads back") {
  const test::TempDir dir;
  const std::string path = (dir / "a.h5").string();
  state::save(path, test::tiny_state());
  const Json json = parse_json(shown({path, "--json", "--tensors"}), "stdout");
  CHECK(json["kind"] == "checkpoint");
  CHECK(json["model"]["layers"] == 2);
  CHECK_FALSE(json["model"].contains("base_width"));  // which no schedule has in `model`
  CHECK(json["parameters"] == 2144);
  CHECK(json["progress"]["step"] == 12);
  CHECK(json["seed"] == 0x8000000000000002ull);
  CHECK(json["lineage"][0]["source_crc"] == "0123abcd");
  CHECK(json["run"]["schedule"] == "seed: 1\nstages: []\n");
  CHECK(json["blocks_verified"] == 110);
  CHECK(json["tensors"].size() == 36);
  CHECK(json["tensors"][1]["name"] == "embed.position");
  CHECK(json["tensors"][1]["shape"] == Json::array({16, 8}));
  CHECK_FALSE(parse_json(shown({path, "--json"}), "stdout").contains("tensors"));
}

TEST_CASE("show says what a token file is") {
  const test::TempDir dir;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "line " + std::to_string(i) + " of the text\n";
  test::write_text(dir / "text.txt", text);
  REQUIRE(test::stagedtrain({"data", (dir / "text.txt").string(), "--out", dir.path().string()})
              .exit_code == 0);
  const std::string train = (dir / "train.bin").string();
  CHECK(contains(shown({train}), "tokens for training (stagedtrain format)"));
  const Json json = parse_json(shown({train, "--json"}), "stdout");
  CHECK(json["kind"] == "tokens");
  CHECK(json["vocab"] == 256);
}

TEST_CASE("show verifies the checksum of a token file") {
  const test::TempDir dir;
  test::write_text(dir / "text.txt", std::string(5000, 'x') + "\n" + std::string(5000, 'y'));
  REQUIRE(test::stagedtrain({"data", (dir / "text.txt").string(), "--out", dir.path().string(),
                             "--validation", "50%"})
              .exit_code == 0);
  std::string bytes = test::read_text(dir / "train.bin");
  bytes[bytes.size() - 10] ^= 1;
  test::write_text(dir / "train.bin", bytes);
  check_refused((dir / "train.bin").string(), 3, "damaged");
}

TEST_CASE("show refuses what is damaged, foreign or missing") {
  const test::TempDir dir;
  const std::string path = (dir / "a.h5").string();
  state::save(path, test::tiny_state());
  const std::string whole = test::read_text(path);
  const auto first = state::load(path);
  test::write_text(path, whole.substr(0, whole.size() / 2));
  check_refused(path, 3, "a.h5: cut short: has ");
  const auto tensor = first.of(state::TensorKind::weights)[0].bytes();
  std::string damaged = whole;
  damaged[whole.find({reinterpret_cast<const char*>(tensor.data()), tensor.size()}) + 40] ^= 1;
  test::write_text(path, damaged);
  check_refused(path, 3, "weights/embed.token is damaged");
  test::write_text(path, "seed: 1\n");
  check_refused(path, 3, "is not a checkpoint");
  test::write_text(path, "");
  check_refused(path, 3, "is empty");
  check_refused((dir / "none.h5").string(), 3, "none.h5: cannot read");
  check_refused(dir.path().string(), 3, "not a regular file");
  CHECK(test::stagedtrain({"show"}).exit_code == 2);
}
