// `stagedtrain plan --slurm`: the scripts run, with a false sbatch and a false stagedtrain.
#include "support/catch.h"
#include "support/command.h"
#include "support/refused.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

// A program of this name in the folder, for PATH.
void write_program(const test::TempDir& folder, const std::string& name, const std::string& body) {
  test::write_text(folder / name, "#!/usr/bin/env bash\n" + body);
  std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
}

std::string schedule_in(const test::TempDir& folder) {
  test::write_text(folder / "two.yaml", test::kTwoStages);
  return (folder / "two.yaml").string();
}

using Environment = std::vector<std::pair<std::string, std::string>>;

test::CommandResult run_in(const test::TempDir& folder, std::vector<std::string> arguments,
                           const std::string& code = "0", Environment more = {}) {
  const char* path = std::getenv("PATH");
  more.insert(more.end(), {{"PATH", (folder / "").string() + ":" + (path ? path : "")},
                           {"STAGEDTRAIN", (folder / "training").string()},
                           {"CODE", code}});
  return test::run({.arguments = std::move(arguments), .environment = std::move(more)});
}

}  // namespace

TEST_CASE("submit.sh chains the stages' jobs, each after the one before") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs dir").string();
  const auto made = test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  CHECK(contains(made.out, "2-full.sh"));
  write_program(folder, "sbatch",
                "n=$(cat \"$0.count\" 2>/dev/null || echo 40)\necho $((n + 1)) > \"$0.count\"\n"
                "printf '%s\\n' \"$@\" >> \"$0.arguments\"\necho \"$((n + 1));cluster\"\n");
  const auto submitted = run_in(folder, {jobs + "/submit.sh", "--partition=gpu"});
  INFO(submitted.err);
  REQUIRE(submitted.exit_code == 0);
  CHECK(contains(submitted.out, "job 41: " + jobs + "/1-shallow.sh\njob 42: "));
  const std::string arguments = test::read_text(folder / "sbatch.arguments");
  CHECK(contains(arguments, "--dependency=afterok:41\n"));
  CHECK(contains(arguments, "--partition=gpu\n" + jobs + "/2-full.sh\n"));
  CHECK_FALSE(contains(arguments, "afterok:42"));
}

TEST_CASE("a job trains its stage, and passes on how that ended") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs").string();
  REQUIRE(test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs}).exit_code == 0);
  write_program(folder, "training", "printf '%s\\n' \"$@\" > \"$0.arguments\"\nexit \"$CODE\"\n");
  CHECK(run_in(folder, {jobs + "/1-shallow.sh"}).exit_code == 0);
  CHECK(test::read_text(folder / "training.arguments") ==
        "train\n" + jobs + "/schedule.yaml\n--out\n" + jobs + "/run\n--stage\nshallow\n");
  CHECK(run_in(folder, {jobs + "/2-full.sh"}, "85").exit_code == 85);
  CHECK(run_in(folder, {jobs + "/2-full.sh"}, "5").exit_code == 5);
}

TEST_CASE("srun starts a rank for each task, and a job with one task needs no srun") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs").string();
  REQUIRE(test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs}).exit_code == 0);
  write_program(folder, "training", "exit 0\n");
  write_program(folder, "srun", "printf '%s\\n' \"$@\" > \"$0.arguments\"\nexit \"$CODE\"\n");
  CHECK(run_in(folder, {jobs + "/1-shallow.sh"}, "1", {{"SLURM_NTASKS", "1"}}).exit_code == 0);
  const Environment two = {{"SLURM_NTASKS", "2"}};
  CHECK(run_in(folder, {jobs + "/1-shallow.sh"}, "0", two).exit_code == 0);
  CHECK(contains(test::read_text(folder / "srun.arguments"),
                 "\n" + (folder / "training").string() + "\ntrain\n"));
  CHECK(run_in(folder, {jobs + "/1-shallow.sh"}, "85", two).exit_code == 85);
  // Signal 9 killed a rank: it was lost.
  CHECK(run_in(folder, {jobs + "/1-shallow.sh"}, "137", two).exit_code == 6);
}

TEST_CASE("a job returns to the queue if it was interrupted, or lost a rank after a while") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs").string();
  REQUIRE(test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs}).exit_code == 0);
  write_program(folder, "training", "exit \"$CODE\"\n");
  write_program(folder, "scontrol", "printf '%s ' \"$@\" >> \"$0.arguments\"\n");
  const auto ends_with = [&](const std::string& code, const std::string& after) {
    test::write_text(folder / "scontrol.arguments", "");
    const auto result = run_in(folder, {jobs + "/1-shallow.sh"}, code,
                               {{"SLURM_JOB_ID", "7"}, {"STAGEDTRAIN_REQUEUE_AFTER", after}});
    CHECK(std::to_string(result.exit_code) == code);
    return test::read_text(folder / "scontrol.arguments");
  };
  CHECK(ends_with("85", "600") == "requeue 7 ");
  CHECK(ends_with("6", "0") == "requeue 7 ");
  CHECK(ends_with("6", "600") == "");
  CHECK(ends_with("5", "0") == "");
  CHECK(ends_with("0", "0") == "");
}

TEST_CASE("a slice that ends after a save lets the next one go on, the last one does not") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs").string();
  const auto made = test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs, "--slice",
                                       "4h", "--set", "machine={flops: 1G, utilisation: 1}"});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  CHECK(contains(made.out, "jobs of 4h00m"));
  write_program(folder, "training", "exit \"$CODE\"\n");
  CHECK(run_in(folder, {jobs + "/slice.sh", "1", "3"}, "85").exit_code == 0);
  CHECK(run_in(folder, {jobs + "/slice.sh", "3", "3"}, "85").exit_code == 85);
  CHECK(run_in(folder, {jobs + "/slice.sh", "1", "3"}, "5").exit_code == 5);
}

TEST_CASE("the scripts are clean to shellcheck") {
  const test::TempDir folder;
  if (test::run({.arguments = {"bash", "-c", "command -v shellcheck"}}).exit_code != 0) {
    WARN("skipped: shellcheck is not installed");
    return;
  }
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{},
        {"--slice", "4h", "--set", "machine.flops=1G"},
        {"--processes", "4", "--sharding", "full", "--set", "batch.micro=1"}}) {
    const std::string jobs = (folder / (more.empty() ? "stages" : more[1])).string();
    std::vector<std::string> command = {"plan", schedule_in(folder), "--slurm", jobs};
    command.insert(command.end(), more.begin(), more.end());
    REQUIRE(test::stagedtrain(command).exit_code == 0);
    const auto checked = test::run({.arguments = {"bash", "-c", "shellcheck \"$0\"/*.sh", jobs}});
    INFO(checked.out);
    CHECK(checked.exit_code == 0);
  }
}

TEST_CASE("jobs are planned for the machine of the schedule, or for --processes") {
  const test::TempDir folder;
  const auto job_of = [&](const std::string& name, std::vector<std::string> more) {
    const std::string jobs = (folder / name).string();
    std::vector<std::string> command = {
        "plan",  schedule_in(folder), "--slurm", jobs,
        "--set", "batch.micro=1",     "--set",   "machine={devices: 4, nodes: 2, flops: 1G}"};
    command.insert(command.end(), more.begin(), more.end());
    const auto made = test::stagedtrain(command);
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
    return made.out + test::read_text(folder / name / "1-shallow.sh");
  };
  const std::string machine = job_of("machine", {"--sharding", "full"});
  CHECK(contains(machine, "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=4\n"));
  CHECK(contains(machine, " --sharding full --stage 'shallow' &"));
  CHECK(contains(machine, "each job has 8 tasks on 2 nodes"));
  CHECK(contains(machine, "the signal comes at most "));
  CHECK(contains(job_of("fewer", {"--processes", "2"}),
                 "#SBATCH --nodes=1\n#SBATCH --ntasks-per-node=2\n"));
  CHECK_FALSE(contains(job_of("one", {"--processes", "1"}), "--ntasks"));
  write_program(folder, "training", "exit 0\n");
  write_program(folder, "srun", "printf '%s\n' \"$@\" > \"$0.arguments\"\n");
  CHECK(run_in(folder, {(folder / "machine").string() + "/1-shallow.sh"}, "0",
               {{"SLURM_NTASKS", "8"}})
            .exit_code == 0);
  CHECK(contains(test::read_text(folder / "srun.arguments"), "\n--sharding\nfull\n--stage\n"));
}

TEST_CASE("plan --slurm refuses what it cannot do") {
  const test::TempDir folder;
  const std::string path = schedule_in(folder), jobs = (folder / "jobs").string();
  check_refused(test::stagedtrain({"plan", path, "--slice", "4h"}), 2, "--slurm");
  check_refused(test::stagedtrain({"plan", path, "--slurm", jobs, "--slice", "4h"}), 2,
                "the seconds of a token are not known");
  check_refused(test::stagedtrain({"plan", path, "--slurm", jobs, "--slice", "soon"}), 2,
                "write a time, such as 30m, 3h30m or 2d");
  REQUIRE(test::stagedtrain({"plan", path, "--slurm", jobs}).exit_code == 0);
  check_refused(test::stagedtrain({"plan", path, "--slurm", jobs}), 2, "schedule.yaml");
  CHECK(test::stagedtrain({"plan", path, "--slurm", jobs, "--force"}).exit_code == 0);
}

TEST_CASE("a job finds this very program without $STAGEDTRAIN, and says so where it is gone") {
  const test::TempDir folder;
  const std::string jobs = (folder / "jobs").string();
  REQUIRE(test::stagedtrain({"plan", schedule_in(folder), "--slurm", jobs}).exit_code == 0);
  const std::string job = test::read_text(folder / "jobs" / "1-shallow.sh");
  const auto program = std::filesystem::canonical(test::program());
  CHECK(contains(job, "program='" + program.string() + "'\n"));
  const auto gone = test::run({.arguments = {jobs + "/1-shallow.sh"},
                               .environment = {{"STAGEDTRAIN", "/no/such/program"}}});
  CHECK(gone.exit_code == 127);
  CHECK(contains(gone.err, "found no program /no/such/program; set STAGEDTRAIN"));
}
