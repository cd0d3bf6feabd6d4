// What goes wrong with several processes: every rank ends, says why, and nothing that was saved is
// lost.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "support/catch.h"
#include "support/ranks.h"
#include "support/refused.h"
#include "support/skip.h"

using namespace stagedtrain;
using test::children_of;
using test::comes_true;
using test::contains;

namespace {

// How long the others may take to notice, with --lost-after 3 and a busy machine.
constexpr double kNoticed = 10;
const std::vector<std::string> kLong = {"--set", "stages.small.for=1000000"};

// A socket that accepts connections and never answers, and its port.
std::pair<int, int> listening_socket() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(socket, plain, size) == 0);
  REQUIRE(::listen(socket, 1) == 0);
  REQUIRE(::getsockname(socket, plain, &size) == 0);
  return {socket, ntohs(address.sin_port)};
}

bool has_step(const std::string& folder, int step) {
  return contains(test::read_text(folder + "/run.jsonl"), "\"step\":" + std::to_string(step) + ",");
}

// A long run on several ranks that has come to its 20th step, and the processes of its ranks.
struct LongRun {
  test::RanksRun run;
  std::string folder = run.folder("run");
  std::string sharding;
  test::RunningCommand running;
  std::vector<pid_t> ranks;

  explicit LongRun(int count, const std::string& divided = "none")
      : sharding(divided), running(with_processes(count)) {
    REQUIRE(comes_true([&] { return has_step(folder, 20); }));
    ranks = children_of(running.pid());
    REQUIRE(ranks.size() == static_cast<std::size_t>(count));
    // Every rank has heard of the others by then: heartbeats come four times a second.
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  test::Command with_processes(int count) const {
    std::vector<std::string> more = kLong;
    more.insert(more.end(), {"--processes", std::to_string(count), "--sharding", sharding});
    return run.command("run", more);
  }
  // Seconds from now until it has ended.
  std::pair<test::CommandResult, double> end() {
    const auto start = std::chrono::steady_clock::now();
    const auto result = running.wait();
    return {result,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
  }
};

}  // namespace

TEST_CASE("a rank that is killed ends all others, and the same command goes on") {
  const auto [killed, sharding] = GENERATE(
      table<int, std::string>({{0, "none"}, {1, "none"}, {2, "none"}, {0, "full"}, {2, "full"}}));
  LongRun run(3, sharding);
  ::kill(run.ranks[static_cast<std::size_t>(killed)], SIGKILL);
  const auto [result, seconds] = run.end();
  INFO(result.err);
  CHECK(result.exit_code == 6);
  CHECK(seconds < kNoticed);
  const std::string rank = "rank " + std::to_string(killed);
  CHECK(contains(result.err, rank + " on "));
  CHECK(contains(result.err, " was lost while "));
  CHECK(contains(result.err, "of stage small"));
  CHECK(contains(result.err, "was killed by signal 9 (SIGKILL)"));
  CHECK(contains(result.err, "what was saved before is kept"));
  CHECK_FALSE(contains(result.err, "frame #"));  // c10d's own warnings
  test::RunningCommand again(run.with_processes(3));
  REQUIRE(comes_true([&] { return contains(again.err(), "resuming from"); }));
  again.send(SIGTERM);
  CHECK(again.wait().exit_code == 85);
}

TEST_CASE("a rank that hangs is found by its heartbeat") {
  const int hanging = GENERATE(0, 1);
  LongRun run(2);
  ::kill(run.ranks[static_cast<std::size_t>(hanging)], SIGSTOP);
  const auto [result, seconds] = run.end();
  INFO(result.err);
  CHECK(result.exit_code == 6);
  CHECK(seconds < kNoticed + 10);
  CHECK(contains(result.err, "rank " + std::to_string(hanging) + " on "));
  CHECK(contains(result.err, " of stage small"));  // training, evaluating or saving
  CHECK(contains(result.err, "was stopped by signal 19 (SIGSTOP); 'kill -CONT "));
}

TEST_CASE("a signal to one rank stops all at the same step, after one save") {
  const auto [asked, signal, sharding] = GENERATE(table<int, int, std::string>(
      {{0, SIGUSR1, "none"}, {1, SIGTERM, "none"}, {1, SIGTERM, "full"}}));
  LongRun run(2, sharding);
  ::kill(run.ranks[static_cast<std::size_t>(asked)], signal);
  const auto [result, seconds] = run.end();
  INFO(result.err);
  CHECK(result.exit_code == 85);
  CHECK(contains(result.err,
                 std::string("stopped by SIG") + ::sigabbrev_np(signal) + " while training"));
  CHECK(contains(result.err, "saved " + run.folder + "/checkpoints/step-"));
  CHECK(result.err.find("saved ") == result.err.rfind("saved "));
}

TEST_CASE("a signal to the launcher reaches all ranks") {
  LongRun run(2);
  run.running.send(SIGTERM);
  const auto [result, seconds] = run.end();
  INFO(result.err);
  CHECK(result.exit_code == 85);
  CHECK(contains(result.err, "saved " + run.folder + "/checkpoints/step-"));
}

TEST_CASE("--restart starts all again after one was lost") {
  test::RanksRun plain;
  std::vector<std::string> more = kLong;
  more.insert(more.end(), {"--processes", "2", "--restart", "1"});
  test::RunningCommand running(plain.command("run", more));
  const std::string folder = plain.folder("run");
  REQUIRE(comes_true([&] { return has_step(folder, 20); }));
  const auto ranks = children_of(running.pid());
  ::kill(ranks.at(1), SIGKILL);
  REQUIRE(comes_true([&] { return contains(running.err(), "resuming from"); }));
  CHECK(contains(running.err(), "starting all ranks again (1 of 1 restarts)"));
  const auto others = children_of(running.pid());
  REQUIRE(others.size() == 2);
  CHECK(others != ranks);
  running.send(SIGTERM);
  CHECK(running.wait().exit_code == 85);
}

TEST_CASE("a port in use, a wrong address and a missing rank are told in time") {
  const test::RanksRun run;
  const std::vector<std::string> soon = {"--join-timeout", "2"};
  SECTION("a port in use") {
    const auto [socket, port] = listening_socket();
    const auto result = test::run(run.rank("run", 0, 2, port, soon));
    ::close(socket);
    INFO(result.err);
    CHECK(result.exit_code == 4);
    CHECK(contains(result.err, "port " + std::to_string(port) + " of this host is in use"));
  }
  SECTION("nobody at the address") {
    const auto result = test::run(run.rank("run", 1, 2, test::free_port(), soon));
    INFO(result.err);
    CHECK(result.exit_code == 6);
    CHECK(contains(result.err, "rank 1: waited 2 s for rank 0 at 127.0.0.1:"));
  }
  SECTION("a rank 0 that hangs before it answers") {
    const auto [socket, port] = listening_socket();
    const auto result = test::run(run.rank("run", 1, 2, port, soon));
    ::close(socket);
    INFO(result.err);
    CHECK(result.exit_code == 6);
    CHECK(contains(result.err, "rank 1: waited 7 s for rank 0 at 127.0.0.1:"));
    CHECK(contains(result.err, "accepts connections but does not answer"));
  }
  SECTION("a rank that does not come") {
    const auto result = test::run(run.rank("run", 0, 3, test::free_port(), soon));
    INFO(result.err);
    CHECK(result.exit_code == 6);
    CHECK(contains(result.err, "ranks 1, 2 did not connect"));
  }
  CHECK_FALSE(std::filesystem::exists(run.folder("run") + "/run.jsonl"));
}

TEST_CASE("a full disk leaves no new checkpoint, and every rank says so") {
  const test::RanksRun run;
  const std::string sharding = GENERATE("none", "full");
  test::Command command = run.command("run", {"--processes", "2", "--sharding", sharding});
  const std::vector<std::string> words = command.arguments;
  command.arguments = {"/bin/sh", "-c", "ulimit -f 60; exec \"$@\"", "sh"};
  command.arguments.insert(command.arguments.end(), words.begin(), words.end());
  const auto result = test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 4);
  CHECK(contains(result.err, "rank 0: "));
  CHECK(contains(result.err, "rank 1: rank 0 on "));
  for (const char* part : {"/checkpoints", "/stages"})
    CHECK(std::filesystem::is_empty(run.folder("run") + part));
}

// One rank rounds differently, as a host with other libraries would: without fused multiply-adds.
TEST_CASE("ranks that drift apart are found after guard.check_every steps, else at a save") {
  if (!contains(test::read_text("/proc/cpuinfo"), " avx2 "))
    return test::skip("LibTorch rounds alike with and without vectors here");
  const auto [every, found] = GENERATE(table<int, int>({{3, 3}, {0, 10}}));
  test::RanksRun run;
  run.edits.insert(run.edits.end(), {"optimizer={name: sgd}", "checkpoint.every=0",
                                     "guard.check_every=" + std::to_string(every)});
  const int port = test::free_port();
  test::Command odd = run.rank("run", 1, 2, port);
  odd.environment.emplace_back("ATEN_CPU_CAPABILITY", "default");
  test::RunningCommand second(odd);
  const auto first = test::run(run.rank("run", 0, 2, port));
  INFO(first.err);
  CHECK(first.exit_code == 4);
  CHECK(contains(first.err, "after step " + std::to_string(found) + ": weights of "));
  CHECK(contains(first.err, "is not the same on all ranks: it differs on rank 1"));
  CHECK(second.wait().exit_code == 4);
}

TEST_CASE("a run that diverges is ended by all ranks together, and told once") {
  const test::RanksRun run;
  const auto result = run.train("run", 2, {"--set", "lr.peak=10", "--set", "guard.rise=0.01"});
  INFO(result.err);
  CHECK(result.exit_code == 5);
  CHECK(contains(result.err, "diverged: loss"));
  CHECK(result.err.find("diverged: loss") == result.err.rfind("diverged: loss"));
}

TEST_CASE("ranks that would not train the same are refused, naming both") {
  const test::RanksRun run;
  const int port = test::free_port();
  test::Command other = run.rank("run", 1, 2, port);
  std::string says;
  SECTION("another schedule") {
    other.arguments.insert(other.arguments.end(), {"--set", "lr.peak=0.02"});
    says = "lr.peak: 0.01 and 0.02";
  }
  SECTION("another sharding") {
    other.arguments.insert(other.arguments.end(), {"--sharding", "full"});
    says = "--sharding differs (none and full)";
  }
  SECTION("another text") {
    test::write_text(run.tiny / "other.txt", std::string(30000, 'x'));
    const std::string data = (run.tiny / "other").string();
    REQUIRE(
        test::stagedtrain({"data", (run.tiny / "other.txt").string(), "--out", data}).exit_code ==
        0);
    other.arguments.insert(other.arguments.end(), {"--set", "data.train=" + data + "/train.bin"});
    says = "the tokens differ";
  }
  SECTION("another program") {
    const auto copy = run.tiny / "stagedtrain";
    const std::filesystem::path here = test::program();
    std::filesystem::copy_file(here, copy);
    std::ofstream(copy, std::ios::app) << "x";
    other.environment.emplace_back("STAGEDTRAIN_MODULE",
                                   here.parent_path() / "libstagedtrain_torch.so");
    other.arguments[0] = copy.string();
    says = "the programs differ";
  }
  test::RunningCommand second(other);
  const auto first = test::run(run.rank("run", 0, 2, port));
  const auto result = second.wait();
  INFO(first.err << result.err);
  CHECK(first.exit_code == 2);
  CHECK(result.exit_code == 2);
  CHECK(contains(first.err, "rank 0 on "));
  CHECK(contains(first.err, "rank 1 on "));
  CHECK(contains(first.err, says));
}

TEST_CASE("an error that all ranks find is printed once") {
  const test::RanksRun run;
  const std::string missing = (run.tiny / "missing.bin").string();
  test::CommandResult result;
  SECTION("by --processes") { result = run.train("run", 3, {"--set", "data.train=" + missing}); }
  SECTION("by another launcher, before there is a plan") {
    const int port = test::free_port();
    const std::vector<std::string> more = {"--set", "model.layers=" + missing};
    test::RunningCommand second(run.rank("run", 1, 2, port, more));
    result = test::run(run.rank("run", 0, 2, port, more));
    const auto other = second.wait();
    CHECK(other.exit_code == result.exit_code);
    result.err += other.err;
  }
  INFO(result.err);
  CHECK(result.exit_code != 0);
  CHECK(contains(result.err, missing));
  CHECK(result.err.find(missing) == result.err.rfind(missing));
  CHECK_FALSE(contains(result.err, "rank 1"));
}

TEST_CASE("an error of one rank is printed by it, and others say that it has ended") {
  const test::RanksRun run;
  const std::string missing = (run.tiny / "missing.bin").string();
  const int port = test::free_port();
  test::RunningCommand second(run.rank("run", 1, 2, port, {"--set", "data.train=" + missing}));
  const auto first = test::run(run.rank("run", 0, 2, port));
  const auto other = second.wait();
  INFO(first.err << other.err);
  CHECK(first.exit_code == other.exit_code);
  CHECK(other.exit_code == 2);
  CHECK(contains(other.err, "stagedtrain: rank 1: "));
  CHECK(contains(other.err, missing));
  CHECK(contains(first.err, "stagedtrain: rank 0: rank 1 on "));
  CHECK(contains(first.err, missing));
}

TEST_CASE("a rank that ends or is stopped before all have met is not waited for") {
  const test::RanksRun run;
  const auto [victim, signal] =
      GENERATE(table<std::size_t, int>({{0, SIGKILL}, {1, SIGKILL}, {0, SIGSTOP}, {1, SIGSTOP}}));
  test::RunningCommand running(run.command("run", {"--processes", "3", "--join-timeout", "200"}));
  std::vector<pid_t> ranks;
  REQUIRE(comes_true([&] { return (ranks = children_of(running.pid())).size() == 3; }));
  ::kill(ranks[victim], signal);
  const auto start = std::chrono::steady_clock::now();
  const auto result = running.wait();
  INFO(result.err);
  CHECK(result.exit_code == 6);
  // SIGSTOP: 3 s (--lost-after), and 5 s until the launcher kills what is left.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
  const std::string rank =
      "rank " + std::to_string(victim) + " (process " + std::to_string(ranks[victim]) + ") was ";
  CHECK(contains(result.err, rank + (signal == SIGKILL ? "killed by signal 9" : "stopped by")));
}

TEST_CASE("a rank that comes too late says so") {
  const test::RanksRun run;
  const int port = test::free_port();
  const std::vector<std::string> soon = {"--join-timeout", "2"};
  test::RunningCommand second(run.rank("run", 1, 3, port, soon));
  test::RunningCommand first(run.rank("run", 0, 3, port, soon));
  const auto one = first.wait(), two = second.wait();
  INFO(one.err << two.err);
  CHECK(contains(one.err, "waited 2 s for 3 ranks at 127.0.0.1:"));
  CHECK(contains(one.err, "rank 2 did not connect"));
  CHECK(one.exit_code == 6);
  CHECK(two.exit_code == 6);
  CHECK(two.err.empty());  // the first rank has said it
}

TEST_CASE("more processes than a machine can sensibly run are refused") {
  const test::RanksRun run;
  const auto result = run.train("run", 300);
  test::check_refused(result, 2, "--processes: found '300'; expected a number from 1 to ");
}
