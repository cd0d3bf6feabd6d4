// Runs of several processes, and whether two runs came to the same state.
#pragma once

#include <chrono>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

namespace stagedtrain::test {

// The environment that torchrun would give a rank.
std::vector<std::pair<std::string, std::string>> rank_variables(int rank, int size, int port);

// The processes that a process has started.
std::vector<pid_t> children_of(pid_t process);

// 20 steps of 8 sequences, in 8 passes: 10 of one layer x 32, grown into two layers for 10 more.
// model: more keys of it.
struct RanksRun {
  TinyRun tiny;
  std::vector<std::string> edits;

  explicit RanksRun(const std::string& model = "architecture: gpt2") {
    write_text(tiny / "tiny.yaml", tiny.yaml());
    edits = {"model={layers: 2, width: 32, heads: 2, context: 16, vocab: 256, " + model + "}",
             "batch={sequences: 8, micro: 1}", "stages.small.for=10", "stages.full.for=10",
             "checkpoint.every=4"};
  }

  std::string folder(const std::string& name) const { return (tiny / name).string(); }
  std::string tokens() const { return (tiny / "data/validation.bin").string(); }

  // The words of a command about the schedule with its edits, without the program.
  std::vector<std::string> words(const std::string& command) const {
    std::vector<std::string> all = {command, (tiny / "tiny.yaml").string()};
    for (const std::string& edit : edits) all.insert(all.end(), {"--set", edit});
    return all;
  }

  // A command that trains into folder(name).
  Command command(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> all = words("train");
    all.insert(all.begin(), program());
    all.insert(all.end(), {"--out", folder(name), "--lost-after", "3"});
    all.insert(all.end(), more.begin(), more.end());
    return {.arguments = std::move(all), .timeout_seconds = 300};
  }
  CommandResult train(const std::string& name, int processes,
                      std::vector<std::string> more = {}) const {
    if (processes > 1) more.insert(more.end(), {"--processes", std::to_string(processes)});
    return run(command(name, std::move(more)));
  }
  // One rank as another launcher would start it.
  Command rank(const std::string& name, int rank, int size, int port,
               std::vector<std::string> more = {}) const {
    Command one = command(name, std::move(more));
    one.environment = rank_variables(rank, size, port);
    return one;
  }
};

// Requires that a command succeeded, and returns its result.
inline CommandResult require_done(const CommandResult& result) {
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return result;
}
// Checks that a command was refused as wrongly used, and returns what it printed about that.
inline std::string refused(const CommandResult& result) {
  INFO(result.err);
  CHECK(result.exit_code == 2);
  return result.err;
}

// The first tensor in which two checkpoints differ in any bit; empty if there is none.
inline std::string first_difference(const std::filesystem::path& a,
                                    const std::filesystem::path& b) {
  const state::CheckpointReader one(a), other(b);
  if (one.table().size() != other.table().size()) return "the number of tensors";
  if (one.header().ema != other.header().ema) return "the average of the weights";
  for (const state::TensorKind kind : one.header().kinds())
    for (std::size_t i = 0; i < one.table().size(); ++i)
      if (!std::ranges::equal(one.view(kind, i), other.view(kind, i)))
        return std::string(kind_name(kind)) + " of " + one.table()[i].name;
  return one.header().progress.step == other.header().progress.step ? "" : "the step";
}

template <class Condition>
bool comes_true(Condition condition, double seconds = 60) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// A port that nobody listens on just now.
int free_port();

}  // namespace stagedtrain::test
