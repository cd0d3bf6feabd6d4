// `stagedtrain import` and `export` as a user types them.
#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "hub/hub_models.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

void check_refused(std::vector<std::string> arguments, int code, const std::string& says) {
  const test::CommandResult result = test::stagedtrain(std::move(arguments));
  INFO(result.err);
  CHECK(result.exit_code == code);
  CHECK(contains(result.err, says));
  CHECK(result.out.empty());
}

std::string output(std::vector<std::string> arguments) {
  const test::CommandResult result = test::stagedtrain(std::move(arguments));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return result.out;
}

// A saved model whose tokenizer is bytes.
std::string saved(const test::TempDir& dir) {
  state::TrainingState state = test::random_model(test::small_gpt2());
  state.run.tokenizer = "bytes";
  state::save(dir / "a.h5", state);
  return (dir / "a.h5").string();
}

}  // namespace

TEST_CASE("export and import go through every format") {
  const test::TempDir dir;
  const std::string checkpoint = saved(dir);
  for (const std::string format : {"hf", "gguf", "llmc"}) {
    const std::string out = (dir / format).string(), back = (dir / (format + ".h5")).string();
    const std::string said = output({"export", checkpoint, out, "--to", format});
    CHECK(contains(said, "gpt2, 3 layers x 12"));
    CHECK(contains(output({"import", out, back, "--tokenizer", "bytes"}), "vocab 256"));
    CHECK(contains(output({"show", back}), "gpt2, 3 layers x 12"));
    check_refused({"export", checkpoint, out, "--to", format}, 2, "exists already");
    check_refused({"import", out, back}, 2, "exists already");
    output({"export", checkpoint, out, "--to", format, "--force"});
    output({"import", out, back, "--force"});
  }
}

TEST_CASE("no export or import replaces its own source, whatever it is called") {
  const test::TempDir dir;
  const std::string checkpoint = saved(dir), before = test::read_text(checkpoint);
  std::filesystem::create_symlink(checkpoint, dir / "link.h5");
  std::filesystem::create_hard_link(checkpoint, dir / "twin.h5");
  for (const char* name : {"a.h5", "./a.h5", "link.h5", "twin.h5"})
    check_refused({"export", checkpoint, (dir / name).string(), "--to", "gguf", "--force"}, 2,
                  "an export never replaces its source");
  check_refused({"export", checkpoint, "", "--to", "gguf"}, 2, "found an empty text");
  CHECK(test::read_text(checkpoint) == before);
  const std::string gguf = (dir / "a.gguf").string(), hf = (dir / "hf").string();
  output({"export", checkpoint, gguf, "--to", "gguf"});
  output({"export", checkpoint, hf, "--to", "hf"});
  const std::string weights = hf + "/model.safetensors", file = test::read_text(gguf),
                    tensors = test::read_text(weights);
  check_refused({"import", gguf, gguf, "--force"}, 2, "an import never replaces its source");
  check_refused({"import", hf, weights, "--force"}, 2, "an import never replaces its source");
  CHECK(test::read_text(gguf) == file);
  CHECK(test::read_text(weights) == tensors);
  output({"import", hf, hf + "/new.h5", "--tokenizer", "bytes"});
}

TEST_CASE("--json tells everything") {
  const test::TempDir dir;
  const std::string out = (dir / "out").string();
  const Json exported = parse_json(
      output({"export", saved(dir), out, "--to", "hf", "--dtype", "bf16", "--json"}), "stdout");
  CHECK(exported["model"]["vocab"] == 256);
  CHECK(exported["files"].size() == 5);
  const Json imported =
      parse_json(output({"import", out, (dir / "b.h5").string(), "--json"}), "stdout");
  CHECK(imported["tokenizer"] == "bytes");
  CHECK(imported["parameters"] == exported["parameters"]);
}

TEST_CASE("what import and export cannot do is refused with its exit code") {
  const test::TempDir dir;
  const std::string checkpoint = saved(dir), out = (dir / "out").string();
  check_refused({"export", checkpoint, out, "--to", "onnx"}, 2, "--to 'onnx'");
  check_refused({"export", checkpoint, out, "--to", "hf", "--dtype", "q4"}, 2, "--dtype 'q4'");
  check_refused({"export", checkpoint, out, "--to", "hf", "--shard-size", "no"}, 2, "--shard-size");
  check_refused({"export", checkpoint, "/nowhere/out", "--to", "hf"}, 2, "no folder");
  test::write_text(dir / "ckpt.pt", "PK\x03\x04 and so on");
  check_refused({"import", (dir / "ckpt.pt").string(), out}, 3, "torch.load('ckpt.pt'");
  test::write_text(dir / "x.txt", "text");
  check_refused({"import", (dir / "x.txt").string(), out}, 3, "expected a Hugging Face folder");
  check_refused({"import", (dir / "missing").string(), out}, 3, "missing");
  check_refused({"import", (dir / "x.txt").string(), out, "--dtype", "f16"}, 2,
                "expected f32 or f64");
  CHECK_FALSE(std::filesystem::exists(out));
  std::filesystem::create_directory(dir / "empty");
  check_refused({"import", (dir / "empty").string(), out}, 3, "config.json");
}

TEST_CASE("pickles in a folder and paths out of it are refused") {
  const test::TempDir dir;
  const std::string out = (dir / "hf").string(), back = (dir / "b.h5").string();
  output({"export", saved(dir), out, "--to", "hf", "--shard-size", "4K"});
  const Path index = dir / "hf/model.safetensors.index.json";
  const std::string sound = test::read_text(index);
  for (const std::string name : {"../a.safetensors", "/etc/passwd", "pytorch_model.bin", ".safetensors"}) {
    Json json = Json::parse(sound);
    json["weight_map"].begin().value() = name;
    test::write_text(index, json.dump());
    check_refused({"import", out, back}, 3, "expected the name of a .safetensors file");
  }
  std::filesystem::remove(index);
  check_refused({"import", out, back}, 3, "safe_serialization");
  CHECK_FALSE(std::filesystem::exists(back));
}

TEST_CASE("train begins with a foreign folder or GGUF: it imports it into the run folder") {
  const test::TinyRun tiny;
  const arch::ModelConfig model = arch::resolved({.architecture = "qwen2",
                                                  .layers = 1,
                                                  .width = 16,
                                                  .heads = 2,
                                                  .vocab = 256,
                                                  .context = 48});
  state::TrainingState state = test::random_model(model);
  state.run.tokenizer = "bytes";
  state::save(tiny / "a.h5", state);
  for (const std::string format : {"hf", "gguf"}) {
    const std::string source = (tiny / ("model-" + format)).string();
    output({"export", (tiny / "a.h5").string(), source, "--to", format});
    const std::string schedule = (tiny / (format + ".yaml")).string();
    test::write_text(
        schedule,
        fmt::format("from: {}\n"
                    "precision: {}\n"
                    "data: {{train: {}, validation: {}}}\n"
                    "model: {{architecture: qwen2, layers: 2, width: 16, heads: 2, "
                    "context: 16, vocab: 256}}\n"
                    "batch: {{sequences: 2}}\n"
                    "stages:\n"
                    "  - {{name: full, grow: [{{operator: depth, layers: 2}}], for: 3}}\n",
                    source, format == "hf" ? "fp32" : "fp64", (tiny / "data/train.bin").string(),
                    (tiny / "data/validation.bin").string()));
    const std::string run = (tiny / ("run-" + format)).string();
    const auto trained = test::stagedtrain({"train", schedule, "--out", run});
    INFO(trained.err);
    REQUIRE(trained.exit_code == 0);
    CHECK(contains(trained.err, "importing " + source));
    const std::string imported = run + "/imported-model-" + format + ".h5";
    CHECK(contains(output({"show", imported}), "qwen2, 1 layer x 16"));
    CHECK(contains(output({"show", imported}), "context 16"));
    // Again: what is there is taken.
    const auto again = test::stagedtrain({"train", schedule, "--out", run});
    CHECK(again.exit_code == 0);
    CHECK(!contains(again.err, "importing"));
    CHECK(contains(test::stagedtrain({"plan", schedule}).err, "stagedtrain import"));
  }
}
