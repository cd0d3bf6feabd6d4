// What launchers say in the environment.
#include "dist/place.h"

#include <map>

#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/text_file.h"

using namespace stagedtrain;
using dist::first_host;
using dist::Place;

namespace {

Place place(const std::map<std::string, std::string>& variables) {
  return dist::place_in([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const std::map<std::string, std::string>& variables) {
  return test::refusal(ErrorKind::usage, [&] { place(variables); });
}

}  // namespace

TEST_CASE("without a launcher a process is alone") {
  CHECK(place({}).alone());
  CHECK(place({{"MASTER_PORT", "1234"}, {"SLURM_NTASKS", "1"}, {"SLURM_PROCID", "0"}}).alone());
}

TEST_CASE("localhost needs no file of hosts") {
  CHECK(place({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "localhost"}}).address ==
        "127.0.0.1");
}

TEST_CASE("torchrun's variables say rank, size and where to meet") {
  const Place found = place({{"RANK", "3"},
                             {"WORLD_SIZE", "4"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "node7"},
                             {"MASTER_PORT", "4321"},
                             {"TORCHELASTIC_RUN_ID", "none"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                             {"TORCHELASTIC_RESTART_COUNT", "2"}});
  CHECK(found.rank == 3);
  CHECK(found.size == 4);
  CHECK(found.local_rank == 1);
  CHECK(found.local_size == 2);
  CHECK(found.address == "node7");
  CHECK(found.port == 4321);
  CHECK(found.launcher == "torchrun");
  CHECK(found.others_store);
  CHECK(found.attempt == "2");
}

TEST_CASE("srun's variables do the same; a batch script itself is alone") {
  std::map<std::string, std::string> job = {{"SLURM_PROCID", "0"},
                                            {"SLURM_NTASKS", "4"},
                                            {"SLURM_JOB_ID", "123456"},
                                            {"SLURM_JOB_NODELIST", "gpu[03-05,9]"},
                                            {"ENVIRONMENT", "BATCH"}};
  CHECK(place(job).alone());
  job["SLURM_STEP_NUM_TASKS"] = "4";
  job["SLURM_PROCID"] = "2";
  job["SLURM_LOCALID"] = "0";
  job["SLURM_STEP_TASKS_PER_NODE"] = "2(x2)";
  const Place found = place(job);
  CHECK(found.rank == 2);
  CHECK(found.size == 4);
  CHECK(found.local_size == 2);
  CHECK(found.address == "gpu03");
  CHECK(found.port == 23456);
  CHECK(found.launcher == "srun");
}

TEST_CASE("the first host of a node list") {
  CHECK(first_host("gpu1") == "gpu1");
  CHECK(first_host("gpu1,gpu2") == "gpu1");
  CHECK(first_host("gpu[03-05,9],login") == "gpu03");
  CHECK(first_host("gpu[7,9]") == "gpu7");
  CHECK(first_host("rack[1-2]-node") == "rack1-node");
  CHECK(first_host("login,gpu[1-2]") == "login");
}

TEST_CASE("variables that make no sense are refused by name") {
  CHECK(test::contains(refusal({{"RANK", "x"}, {"WORLD_SIZE", "2"}}), "RANK: found 'x'"));
  CHECK(test::contains(refusal({{"RANK", "1"}}), "WORLD_SIZE is not set"));
  CHECK(
      test::contains(refusal({{"RANK", "2"}, {"WORLD_SIZE", "2"}}), "expected a rank from 0 to 1"));
  CHECK(test::contains(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "70000"}}),
                       "MASTER_PORT: found '70000'"));
}
