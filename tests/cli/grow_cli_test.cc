// `stagedtrain grow` as a user types it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "apply/apply.h"
#include "base/rng.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

constexpr const char* kSchedule = R"(data: {train: none.bin, validation: none.bin}
model: {layers: 4, width: 16, heads: 4, context: 16, vocab: 32}
stages:
  - {name: small, model: {layers: 2, width: 8, heads: 2}, for: 10 steps}
  - {name: full, grow: [{operator: depth, factor: 2}, {operator: width}], for: 10 steps}
  - {name: odd, grow: [{operator: depth, layers: 1}], for: 10 steps}
)";

// A folder with a checkpoint, small.h5, and a schedule, s.yaml.
struct Place {
  test::TempDir folder;
  std::string small = (folder / "small.h5").string(), large = (folder / "large.h5").string(),
              schedule = (folder / "s.yaml").string();
  Place() {
    state::save(small, test::tiny_state());
    test::write_text(schedule, kSchedule);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }
};

test::CommandResult grow_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "grow");
  return test::stagedtrain(arguments);
}

// The state that the library grows from small.h5, as the command records it.
state::TrainingState expected(const Place& place, const std::string& list) {
  const auto recipe = grow::make_recipe(schedule::parse_yaml(list, ""), test::tiny_model(), "grow");
  return grow::apply(recipe, test::tiny_state(), place.small,
                     state::CheckpointReader(place.small).identity());
}

}  // namespace

TEST_CASE("grow --operator writes what the library grows, and says what it did") {
  const Place place;
  const auto result = grow_command({place.small, place.large, "--operator", "width", "--factor",
                                    "3", "--symmetry.noise=0.02", "--symmetry.seed", "5"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  for (const char* part :
       {"from             gpt2, 2 layers x 8", "to               gpt2, 2 layers x 24",
        "by               {operator: width, factor: 3, symmetry: {noise: 0.02, seed: 5}, moments: ",
        "promise          the loss is kept", "parameters       ", "FLOPs per token  ",
        "written          "})
    CHECK(contains(result.out, part));
  CHECK(test::difference(
            state::load(place.large),
            expected(place, "[{operator: width, factor: 3, symmetry: {noise: 0.02, seed: 5}}]")) ==
        "");
  CHECK(place.files() == std::vector<std::string>{"large.h5", "s.yaml", "small.h5"});
}

TEST_CASE("options may stand before the files") {
  const Place place;
  const auto result = grow_command({"--operator", "depth", "--layers", "3", "--order", "append",
                                    "--new_layers", "copied", place.small, place.large});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "promise          the loss changes"));
  CHECK(test::difference(state::load(place.large),
                         expected(place,
                                  "[{operator: depth, layers: 3, order: append, new_layers: "
                                  "copied}]")) == "");
}

TEST_CASE("grow --schedule --stage takes the stage's list, edited by --set") {
  const Place place;
  auto result =
      grow_command({place.small, place.large, "--schedule", place.schedule, "--stage", "full"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(test::difference(state::load(place.large),
                         expected(place, "[{operator: depth, factor: 2}, {operator: width}]")) ==
        "");
  result = grow_command({place.small, place.large, "--force", "--schedule", place.schedule,
                         "--stage", "full", "--set", "stages.full.grow.0.factor=3"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(state::CheckpointReader(place.large).header().model.layers == 6);
}

TEST_CASE("grow --json prints JSON and nothing else") {
  const Place place;
  const auto result =
      grow_command({place.small, place.large, "--operator", "depth", "--factor", "2", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "stdout");
  CHECK(json["exact"] == true);
  CHECK(json["from"]["layers"] == 2);
  CHECK(json["to"]["layers"] == 4);
  CHECK(json["bytes"] == std::filesystem::file_size(place.large));
  CHECK(json["params"][1] > json["params"][0]);
  CHECK(json["seconds"] > 0);
}

TEST_CASE("grow --dry-run prints the recipe tensor by tensor and writes nothing") {
  const Place place;
  const auto result = grow_command({place.small, "--operator", "width", "--dry-run"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "layers.1.mlp.down.weight"));
  CHECK(contains(result.out, "2 blocks (50%, rest zero) + noise"));
  CHECK(contains(result.out, "nothing was written"));
  const auto machine = grow_command({place.small, place.large, "--operator", "width", "--moments",
                                     "equivariant", "--dry-run", "--json"});
  const Json json = parse_json(machine.out, "stdout");
  REQUIRE(json["steps"].size() == 1);
  const Json& tensors = json["steps"][0]["tensors"];
  REQUIRE(tensors.size() == 36);
  CHECK(tensors[0]["name"] == "embed.token");
  CHECK(tensors[0]["value"][1]["to"] == Json{0, 8});
  CHECK(tensors[0]["gradient"][1]["scale"] == 0.5);
  CHECK(place.files() == std::vector<std::string>{"s.yaml", "small.h5"});
}

TEST_CASE("an existing file is replaced with --force only, the source never") {
  const Place place;
  test::write_text(place.large, "precious");
  std::vector<std::string> arguments = {place.small, place.large, "--operator", "width"};
  check_refused(grow_command(arguments), 2, "large.h5: exists already");
  CHECK(test::read_text(place.large) == "precious");
  arguments.push_back("--force");
  CHECK(grow_command(arguments).exit_code == 0);
  CHECK(state::load(place.large).model.width == 16);

  const std::string before = test::read_text(place.small);
  std::filesystem::create_symlink(place.small, place.folder / "link.h5");
  for (const std::string& same :
       {place.small, (place.folder / "link.h5").string(), (place.folder / "./small.h5").string()})
    check_refused(grow_command({place.small, same, "--operator", "width", "--force"}), 2,
                  "a growth never replaces its source");
  CHECK(test::read_text(place.small) == before);
}

TEST_CASE("grow refuses bad command lines with 2") {
  const Place place;
  const auto refused = [&](std::vector<std::string> arguments, const std::string& says) {
    check_refused(grow_command(std::move(arguments)), 2, says);
  };
  const std::string &in = place.small, &out = place.large;
  refused({}, "IN.h5 is missing");
  refused({in, out}, "grow needs --operator NAME, or --schedule FILE with --stage NAME");
  refused({in, "--operator", "width"}, "OUT.h5 is missing");
  refused({in, out, "--operator", "widht"}, "unknown operator 'widht'; did you mean 'width'?");
  refused({in, out, "--operator", "width", "--layers", "4"},
          "--layers is not an option of width; its options are --factor, --axes, --symmetry.noise, "
          "--symmetry.seed");
  refused({in, out, "--operator", "width", "--faktor", "4"}, "--faktor");
  refused({in, out, "--passes", "4"},
          "that is an operator; write --operator passes, whose options stagedtrain grow --list "
          "--operator passes prints");
  refused({in, out, "--context=64"}, "write --operator context");
  refused({in, out, "--batch-size", "4"}, "stagedtrain grow --help lists its options");
  refused({in, out, "--schedule", "a.yaml", "--batch-size", "4"}, "write --set batch.sequences=4");
  refused({in, out, "--operator", "width", "--factor", "0"},
          "width.factor: found '0', expected from 1 to 64");
  refused({in, out, "--operator", "width", "--symmetry.noise", "loud"}, "expected a number");
  refused({in, out, "--operator", "depth", "--layers", "1"},
          "to 1 layers: the source has 2, expected at least as many");
  refused({in, out, "--operator", "depth"}, "depth needs --layers N or --factor N");
  refused({in, out, "--operator", "stack"}, "stack needs --layers N or --factor N");
  refused({in, out, "--operator", "stack", "--layers", "4", "--factor", "2"},
          "stack takes --layers or --factor, not both");
  refused({in, out, "--operator", "stack", "--layers", "1"}, "give --layers 3 or more");
  refused({in, out, "--operator", "lemon"}, "lemon needs a size to reach, such as --width N");
  refused({in, out, "--operator", "lemon", "--width", "4"}, "give --width 8 or more");
  refused({in, out, "--operator", "coalesce", "--width", "3", "--layers", "1"},
          "coalesce divides width by 3: the source has 8");
  refused({in, out, "--operator", "merge"}, "merge needs --with");
  refused({in, out, "--operator", "interpolate"}, "interpolate needs --with");
  refused({in, out, "--operator", "vocabulary"}, "vocabulary needs --size");
  refused({in, out, "--operator", "context"}, "context needs --length");
  refused({in, out, "--operator", "width", "--schedule", place.schedule, "--stage", "full"},
          "--operator and --schedule cannot be combined");
  refused({in, out, "--schedule", place.schedule}, "--schedule needs --stage NAME");
  refused({in, out, "--stage", "full"}, "--stage full needs --schedule FILE");
  refused({in, out, "--schedule", place.schedule, "--stage", "ful"}, "did you mean 'full'?");
  refused({in, out, "--schedule", place.schedule, "--stage", "small"}, "is the first stage");
  refused({in, out, "--schedule", place.schedule, "--stage", "full", "--factor", "2"},
          "--factor works only with --operator");
  refused({in, out, "--schedule", place.schedule, "--stage", "odd"},
          "stage 'odd' grows from gpt2, 4 layers x 16");
  refused({in, out, "--operator", "width", "--set", "a=b"}, "--set works only with --schedule");
  refused({in, (place.folder / "none/large.h5").string(), "--operator", "width"},
          "there is no folder");
  refused({in, place.folder.path().string(), "--operator", "width", "--force"}, "is a folder");
  refused({in, "--operator", "width", "--dry-run", "--verify", "tokens.bin"}, "--verify needs");
  CHECK(place.files() == std::vector<std::string>{"s.yaml", "small.h5"});
}

TEST_CASE("grow refuses bad files with 3 and leaves nothing") {
  const Place place;
  check_refused(
      grow_command({(place.folder / "none.h5").string(), place.large, "--operator", "width"}), 3,
      "none.h5: cannot read: No such file or directory");
  check_refused(grow_command({place.schedule, place.large, "--operator", "width"}), 3, "s.yaml: ");
  check_refused(grow_command({place.small, place.large, "--operator", "width", "--verify",
                              (place.folder / "none.bin").string()}),
                3, "none.bin: cannot read");
  std::string bytes = test::read_text(place.small);
  bytes[bytes.size() / 2] ^= 1;
  test::write_text(place.small, bytes);
  const auto damaged = grow_command({place.small, place.large, "--operator", "width"});
  INFO(damaged.err);
  CHECK(damaged.exit_code == 3);
  CHECK(place.files() == std::vector<std::string>{"s.yaml", "small.h5"});
}

TEST_CASE("a growth that is killed or told to stop leaves no output") {
  const Place place;
  state::save(place.small, test::tiny_state(1, state::DType::f32, test::tiny_model(4, 256)));
  for (const int signal : {9, 15}) {
    test::RunningCommand command(
        {.arguments = {test::program(), "grow", place.small, place.large, "--operator", "width"}});
    while (place.files().size() == 2) std::this_thread::yield();  // until it writes
    command.send(signal);
    const auto result = command.wait();
    CAPTURE(signal, result.err);
    CHECK(result.exit_code == (signal == 9 ? 137 : 85));
    CHECK_FALSE(std::filesystem::exists(place.large));
    if (signal == 15) CHECK(contains(result.err, "while growing"));
    for (const std::string& name : place.files())
      if (contains(name, ".tmp-")) std::filesystem::remove(place.folder / name);
  }
}

TEST_CASE("grow --verify measures both losses and says whether the promise was kept") {
  const test::TinyRun run;
  const std::string small = (run / "small.h5").string(), large = (run / "large.h5").string(),
                    tokens = (run / "data/validation.bin").string();
  auto model = test::tiny_model();
  model.vocab = 256;
  state::TrainingState state = test::tiny_state(1, state::DType::f32, model);
  state.run.tokenizer = "bytes";
  state::save(small, state);
  const std::vector<std::string> with_verify = {small,  large,      "--verify",
                                                tokens, "--device", "cpu"};
  const auto verified = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), with_verify.begin(), with_verify.end());
    return grow_command(arguments);
  };
  const auto module =
      std::filesystem::path(test::program()).parent_path() / "libstagedtrain_torch.so";
  if (!std::filesystem::exists(module)) {
    WARN("skipped: " << module << " is not built");
    SUCCEED();
    return;
  }
  const auto kept = verified({"--operator", "width"});
  INFO(kept.err);
  REQUIRE(kept.exit_code == 0);
  CHECK(contains(kept.out, "loss             5."));
  CHECK(contains(kept.out, " tokens\ndifference       "));
  CHECK(contains(kept.out, ": kept as promised\n"));
  const auto changed = verified(
      {"--force", "--json", "--operator", "depth", "--factor", "2", "--new_layers", "copied"});
  INFO(changed.err);
  REQUIRE(changed.exit_code == 0);  // nothing was promised
  const Json json = parse_json(changed.out, "stdout")["verify"];
  CHECK(json["kept"] == false);
  CHECK(json["loss_before"] != json["loss_after"]);
  CHECK(json["tokens"] > 0);
}

TEST_CASE("grow --verify without the module or with foreign tokens is refused before it begins") {
  const test::TinyRun run;
  const std::string small = (run / "small.h5").string(), large = (run / "large.h5").string();
  const std::vector<std::string> arguments = {
      test::program(), "grow",  small,      large,
      "--operator",    "width", "--verify", (run / "data/validation.bin").string()};
  const auto without_module = [&] {
    return test::run(
        {.arguments = arguments, .environment = {{"STAGEDTRAIN_MODULE", "/nowhere/module.so"}}});
  };
  state::TrainingState narrow = test::tiny_state();
  narrow.run.tokenizer = "bytes";
  state::save(small, narrow);
  check_refused(without_module(), 3, "validation.bin");  // bytes, for a vocab of 32
  auto model = test::tiny_model();
  model.vocab = 256;
  state::TrainingState state = test::tiny_state(1, state::DType::f32, model);
  state.run.tokenizer = "bytes";
  state::save(small, state);
  check_refused(without_module(), 4, "/nowhere/module.so: not found");
  CHECK_FALSE(std::filesystem::exists(large));
}

TEST_CASE("grow --list and --help have every operator, and one's options with their defaults") {
  const auto list = grow_command({"--list"}), help = grow_command({"--help"});
  CHECK(list.exit_code == 0);
  CHECK(help.exit_code == 0);
  const Json json = parse_json(grow_command({"--list", "--json"}).out, "stdout");
  REQUIRE(json.size() == grow::operators().size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const grow::OperatorEntry& entry = grow::operators()[i];
    CHECK(json[i]["operator"] == entry.name);
    CHECK(contains(help.out, entry.help));
    for (const char* words : {entry.name, entry.grows, entry.exact, entry.source})
      CHECK(contains(list.out, words));
    const auto one = grow_command({"--list", "--operator", entry.name});
    for (const FieldRow& row : entry.document())
      if (row.type != "map") CHECK(contains(one.out, "--" + row.path));
  }
  CHECK(contains(grow_command({"--list", "--operator", "width"}).out, "default 0.01"));
  CHECK(contains(grow_command({"--list", "--operator", "vocabulary"}).out, "default 0.1"));
  check_refused(grow_command({"--list", "--operator", "lemmon"}), 2, "did you mean 'lemon'?");
  for (const char* word : {"--dry-run", "--verify", "--schedule", "--force", "Examples:"})
    CHECK(contains(help.out, word));
}

TEST_CASE("grow needs no LibTorch and starts at once") {
  const Place place;
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto result = test::run(
        {.arguments = {test::program(), "grow", place.small, "--operator", "width", "--dry-run"},
         .environment = {{"STAGEDTRAIN_MODULE", "/nowhere"}}});
    CHECK(result.exit_code == 0);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  CHECK(best < 0.4);  // 30 ms on a quiet machine; LibTorch alone would take longer than this
}

TEST_CASE("a grow that is killed at any moment leaves no output, or a whole one") {
  const Place place;
  arch::ModelConfig model = test::tiny_model(2, 256);
  model.ffn = 3000;
  state::save(place.small, state::fresh(model, 1));
  const std::vector<std::string> command = {test::program(), "grow",       place.small, place.large,
                                            "--force",       "--operator", "width"};
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(test::run({command}).exit_code == 0);
  const auto whole = std::chrono::steady_clock::now() - start;
  const std::string identity = state::CheckpointReader(place.large).identity();
  const CounterRng rng(
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()), 0);
  int killed = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    std::filesystem::remove(place.large);
    test::RunningCommand running({command});
    std::this_thread::sleep_for(whole * rng.uniform(i));
    running.send(SIGKILL);
    killed += running.wait().exit_code == 128 + SIGKILL;
    if (!std::filesystem::exists(place.large)) continue;
    const state::CheckpointReader reader(place.large);
    CHECK_NOTHROW(reader.verify());
    CHECK(reader.identity() == identity);
  }
  CHECK(killed > 0);
}
