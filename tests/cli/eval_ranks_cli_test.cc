// `stagedtrain eval` on several processes: the numbers of one, to the bit, and what goes wrong.
#include <signal.h>

#include "prepare/prepare.h"
#include "support/catch.h"
#include "support/ranks.h"
#include "support/refused.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

// Task examples that fill several blocks. Each shares a beginning of another length with the one
// before it, on which the last bits of likelihoods depend (eval/tasks.cc).
std::string made_up_tasks(int count) {
  const std::string words = "The light of the sea was ";
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const std::string text = words.substr(0, 8 + i * 7 % 17) + std::to_string(i * i);
    lines += i % 3 == 2
                 ? "{\"text\":\"" + text + " ends\"}\n"
                 : "{\"context\":\"" + text +
                       "\",\"continuations\":[\" and\",\" b\"],\"gold\":" + std::to_string(i % 2) +
                       "}\n";
  }
  return lines;
}

struct Scored {
  test::TinyRun tiny;
  std::string checkpoint = (tiny / "a.h5").string(), data = (tiny / "data/validation.bin").string(),
              tasks = (tiny / "tasks.jsonl").string();

  Scored() {
    const std::string model = "model={layers: 2, width: 128, heads: 4, context: 32, vocab: 256}";
    state::TrainingState state =
        state::fresh(tiny.plan({model, "stages=[{name: full, for: 2}]"}).final_model, 1);
    state.run.tokenizer = "bytes";
    state::save(checkpoint, state);
    test::write_text(tasks, made_up_tasks(75));
  }
  test::Command command(std::vector<std::string> more) const {
    std::vector<std::string> words = {test::program(), "eval", checkpoint, "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return {.arguments = std::move(words), .timeout_seconds = 300};
  }
  test::CommandResult run(std::vector<std::string> more) const {
    return test::run(command(std::move(more)));
  }
  test::Command rank(int rank, int port, std::vector<std::string> more) const {
    test::Command one = command(std::move(more));
    one.environment = test::rank_variables(rank, 2, port);
    return one;
  }
};

// What eval printed, without how long it took.
Json numbers_of(const test::CommandResult& result) {
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  Json json = parse_json(result.out, "stdout");
  json.erase("seconds");
  if (json.contains("tasks")) json["tasks"].erase("seconds");
  return json;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("2, 3 and 4 processes print the numbers of one, to the bit, and one text") {
  const Scored scored;
  const std::vector<std::string> all = {"--data", scored.data, "--tasks", scored.tasks, "--sample",
                                        "5",      "--prompt",  "light",   "--json"};
  const Json one = numbers_of(scored.run(all));
  REQUIRE(one["tasks"]["log_likelihoods"].size() == 75);
  REQUIRE(one["windows"].get<int>() > 8 * 4);  // every process has windows to score
  for (const char* count : {"2", "3", "4"}) {
    std::vector<std::string> shared = all;
    shared.insert(shared.end(), {"--processes", count});
    const auto result = scored.run(shared);
    CHECK(numbers_of(result) == one);
    CHECK(contains(result.err, "launched by --processes: " + std::string(count) + " ranks on 1"));
  }
}

TEST_CASE("a model that is divided among processes has the same loss, to the bit") {
  const Scored scored;
  const std::vector<std::string> data = {"--data", scored.data, "--json"};
  std::vector<std::string> divided = data;
  divided.insert(divided.end(), {"--processes", GENERATE("2", "3"), "--sharding", "full"});
  CHECK(numbers_of(scored.run(divided)) == numbers_of(scored.run(data)));
  divided.insert(divided.end(), {"--tasks", scored.tasks});
  test::check_refused(scored.run(divided), 2, "--sharding full: works with --data, but not with");
}

TEST_CASE("ranks of another launcher share an evaluation, and the first prints it") {
  const Scored scored;
  const int port = test::free_port();
  test::RunningCommand second(scored.rank(1, port, {"--data", scored.data, "--json"}));
  const auto first = test::run(scored.rank(0, port, {"--data", scored.data, "--json"}));
  const auto other = second.wait();
  CHECK(numbers_of(first) == numbers_of(scored.run({"--data", scored.data, "--json"})));
  CHECK(other.exit_code == 0);
  CHECK(other.out.empty());
  CHECK(other.err.empty());
}

TEST_CASE("ranks that would not score the same are refused, naming both") {
  const Scored scored;
  std::vector<std::string> one = {"--data", scored.data}, other = one;
  std::string says;
  SECTION("other tokens") {
    other[1] = (scored.tiny / "data/train.bin").string();
    says = "tokens differ (" + scored.data + " with checksum ";
  }
  SECTION("another number of tokens") {
    other.insert(other.end(), {"--tokens", "64"});
    says = "--tokens differ (0 and 64)";
  }
  SECTION("other tasks") {
    one = {"--tasks", scored.tasks};
    other = {"--tasks", (scored.tiny / "less.jsonl").string()};
    test::write_text(other[1], made_up_tasks(74));
    says = "tasks differ (";
  }
  const int port = test::free_port();
  test::RunningCommand second(scored.rank(1, port, other));
  const auto first = test::run(scored.rank(0, port, one));
  CHECK(second.wait().exit_code == 2);
  test::check_refused(first, 2, "would not score the same: " + says);
}

TEST_CASE("an error that all ranks find is printed once, whoever launched them") {
  const Scored scored;
  const std::string missing = (scored.tiny / "missing.bin").string();
  std::string said;
  SECTION("by --processes") { said = scored.run({"--data", missing, "--processes", "3"}).err; }
  SECTION("by another launcher") {
    const int port = test::free_port();
    test::RunningCommand second(scored.rank(1, port, {"--data", missing}));
    said = test::run(scored.rank(0, port, {"--data", missing})).err;
    said += second.wait().err;
  }
  SECTION("a wrong option, before ranks meet") {
    said = scored.run({"--data", scored.data, "--kernels", missing, "--processes", "3"}).err;
  }
  INFO(said);
  CHECK(count_of(said, missing) == 1);
  CHECK_FALSE(contains(said, "rank 0"));
}

TEST_CASE("a rank that is lost while it scores ends all with 6, a signal to one all with 85") {
  const auto [signal, code] = GENERATE(table<int, int>({{SIGKILL, 6}, {SIGTERM, 85}}));
  const Scored scored;
  const std::string text = test::made_up_text(3000000), file = (scored.tiny / "long.txt").string();
  test::write_text(file, text);
  data::prepare({.inputs = {file}, .folder = scored.tiny / "long", .validation = 0.1});
  test::RunningCommand running(scored.command({"--data", (scored.tiny / "long/train.bin").string(),
                                               "--processes", "3", "--lost-after", "3"}));
  REQUIRE(test::comes_true([&] { return contains(running.err(), "launched by"); }));
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const auto ranks = test::children_of(running.pid());
  REQUIRE(ranks.size() == 3);
  ::kill(ranks[1], signal);
  const auto result = running.wait();
  INFO(result.err);
  CHECK(result.exit_code == code);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "rank 1 on "));
  CHECK(contains(result.err, signal == SIGTERM ? "stopped by SIGTERM while " : "was lost while "));
  if (signal == SIGKILL) CHECK(contains(result.err, "run the same command again"));
  CHECK_FALSE(contains(result.err, "saved"));  // an evaluation saves nothing
}
