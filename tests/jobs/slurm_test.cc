// Batch jobs as files: what they say, and what is refused.
#include "jobs/slurm.h"

#include <algorithm>

#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

FullPlan full_plan(const std::vector<std::string>& edits = {}, const Processes& processes = {}) {
  return make_full_plan(resolve(test::two_stages(edits)), find_planning_law("besiroglu"), {}, {},
                        processes);
}

SlurmOptions options_of(const Path& folder, double slice = 0) {
  return {.folder = folder, .slice = slice, .force = false, .work_folder = "/it's here"};
}

std::string text_of(const std::vector<SlurmFile>& files, const std::string& name) {
  const auto found = std::ranges::find(files, name, &SlurmFile::name);
  REQUIRE(found != files.end());
  return found->text;
}

}  // namespace

TEST_CASE("one job for each stage, chained") {
  const auto files = slurm_files(full_plan(), options_of("jobs"));
  REQUIRE(files.size() == 4);
  const std::string job = text_of(files, "1-shallow.sh");
  for (const char* part :
       {"#SBATCH --job-name=two-shallow\n", "#SBATCH --signal=B:USR1@301\n",
        "cd -- '/it'\\''s here'\n", "jobs/schedule.yaml' --out '",
        "jobs/run' --stage 'shallow' &\n",
        "program='stagedtrain'\nprogram=${STAGEDTRAIN:-$program}\n",
        "trap 'stopped=yes; kill -USR1 \"$training\" 2>/dev/null || true' USR1 TERM\n",
        "((code == 85 || (code == 6 && SECONDS >= ", "exit \"$code\"\n"})
    CHECK(contains(job, part));
  const std::string submit = text_of(files, "submit.sh");
  CHECK(contains(submit, "submit \"$here\"/1-shallow.sh\nsubmit \"$here\"/2-full.sh\n"));
  CHECK(contains(submit, "afterok"));
  CHECK_FALSE(contains(text_of(files, "2-full.sh"), "--time"));
  const auto timed = slurm_files(full_plan({"machine.flops=1G"}), options_of("jobs"));
  CHECK(contains(text_of(timed, "2-full.sh"), "#SBATCH --time="));
}

TEST_CASE("the schedule of the jobs is complete") {
  const FullPlan full = full_plan();
  const std::string yaml = text_of(slurm_files(full, options_of("jobs")), "schedule.yaml");
  CHECK(resolved_yaml(resolve(schedule::parse(yaml, "again.yaml"))) == yaml);
}

TEST_CASE("slices are as many as the planned time needs") {
  const FullPlan full = full_plan({"machine={flops: 1G, utilisation: 0.5}"});
  const double seconds = full.cost.total.seconds();
  const double slice = seconds / 3 + 500;
  const auto files = slurm_files(full, options_of("jobs", slice));
  REQUIRE(files.size() == 3);
  CHECK(contains(text_of(files, "submit.sh"),
                 "slice.sh 1 3\nsubmit \"$here\"/slice.sh 2 3\nsubmit \"$here\"/slice.sh 3 3\n"));
  CHECK(contains(text_of(files, "slice.sh"), "-lt ${2:-1}"));
  CHECK(contains(
      test::refusal(ErrorKind::usage, [] { slurm_files(full_plan(), options_of("jobs", 3600)); }),
      "the seconds of a token are not known"));
  CHECK_THROWS_AS(slurm_files(full, options_of("jobs", 100)), Error);
}

TEST_CASE("jobs are written whole, executable, and not over others") {
  const test::TempDir folder;
  SlurmOptions options = options_of(folder / "jobs");
  const std::string said = write_slurm(full_plan(), options);
  CHECK(contains(said, "submit.sh; its arguments go to sbatch"));
  const auto mode = std::filesystem::status(folder / "jobs" / "submit.sh").permissions();
  CHECK((mode & std::filesystem::perms::owner_exec) != std::filesystem::perms::none);
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { write_slurm(full_plan(), options); }),
                 "schedule.yaml"));
  options.force = true;
  CHECK(write_slurm(full_plan(), options) == said);
}

TEST_CASE("jobs ask for the time and the CPUs that the plan knows, and say what it does not") {
  const RunPlan plan = resolve(test::two_stages());
  Measurements known;
  for (const StagePlan& stage : plan.stages) {
    Measurement one;
    one.key = measurement_key(plan, stage);
    one.key.threads = 6;
    one.seconds_per_token = 1e-4;
    known.put(one);
  }
  const FullPlan full = make_full_plan(plan, find_planning_law("besiroglu"), {}, known);
  const std::string job = text_of(slurm_files(full, options_of("jobs")), "1-shallow.sh");
  CHECK(contains(job, "#SBATCH --cpus-per-task=6\n"));
  CHECK(contains(job, "#SBATCH --time=00:13:00\n"));  // 453 s and a quarter more, 181 s around it
  const std::string unknown = text_of(slurm_files(full_plan(), options_of("jobs")), "1-shallow.sh");
  CHECK(contains(unknown, "# No time is requested: the plan does not know it"));
  CHECK(contains(unknown, "# No CPUs are requested: nothing was measured"));
  const test::TempDir folder;
  const std::string said = write_slurm(full_plan(), options_of(folder / "jobs"));
  CHECK(contains(said, "--time is not set"));
  CHECK(contains(said, "--cpus-per-task is not set"));
}

TEST_CASE("names of jobs are what sbatch takes, whatever the schedule's file is called") {
  for (const auto& [name, expected] :
       {std::pair<std::string, std::string>{"my run", "my_run"},
        {"--help", "help"},
        {"a\nb;c$(d)", "a_b_c_d_"},
        {"\x1b[31mred", "31mred"},
        {"\xc3\xa9t\xc3\xa9", "t_"},
        {"...", "stagedtrain"},
        {"", "stagedtrain"},
        {std::string(300, 'x'), std::string(64, 'x')}}) {
    FullPlan full = full_plan();
    full.plan.schedule.name = name;
    const std::string job = text_of(slurm_files(full, options_of("jobs")), "1-shallow.sh");
    INFO(job);
    CHECK(contains(job, "#SBATCH --job-name=" + expected + "-shallow\n"));
  }
}

TEST_CASE("no control character of a path gets into a script") {
  FullPlan full = full_plan();
  full.plan.schedule.name = "a\nb";
  SlurmOptions options = options_of("jobs\n#SBATCH --time=1\x1b[2J");
  options.work_folder = "/some\nwhere's";
  options.program = "/opt/a\rb";
  for (const SlurmFile& file : slurm_files(full, options)) {
    if (!file.name.ends_with(".sh")) continue;
    INFO(file.text);
    for (const char c : file.text)
      REQUIRE((c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)));
    CHECK_FALSE(contains(file.text, "\n#SBATCH --time=1"));
  }
  const std::string job = text_of(slurm_files(full, options), "1-shallow.sh");
  CHECK(contains(job, "cd -- $'/some\\x0awhere\\'s'\n"));
  CHECK(contains(job, "program=$'/opt/a\\x0db'\n"));
}

TEST_CASE("the signal leaves time for a step, two saves and a minute") {
  CHECK(signal_seconds(10, 100) == 270);
  CHECK(signal_seconds(0.5, 0.1) == 61);
  CHECK(signal_seconds(0, 0) == 300);       // a step of unknown length
  CHECK(signal_seconds(10, 1e9) == 65535);  // Slurm takes no more
  const FullPlan full = full_plan({"machine={flops: 1T, disk: 1e5}"});
  const auto signal_of = [&](const std::string& name, double slice = 0) {
    const std::string job = text_of(slurm_files(full, options_of("jobs", slice)), name);
    const std::string before = "#SBATCH --signal=B:USR1@";
    return std::stod(job.substr(job.find(before) + before.size()));
  };
  const auto needed = [&](std::size_t stage) {
    return 2 * static_cast<double>(full.plan.stages[stage].checkpoint_bytes) / 1e5 + 60;
  };
  CHECK(needed(1) > needed(0) + 10);
  CHECK(signal_of("1-shallow.sh") == Approx(needed(0)).margin(2));
  CHECK(signal_of("2-full.sh") == Approx(needed(1)).margin(2));
  CHECK(signal_of("slice.sh", 1e4) == Approx(needed(1)).margin(2));  // it may train any stage
}

TEST_CASE("the slowest save of the folder's run decides when the signal comes, once there is one") {
  const test::TempDir folder;
  const FullPlan full = full_plan({"machine={flops: 1T, disk: 1e5}"});
  const double bytes = static_cast<double>(full.plan.stages[1].checkpoint_bytes);
  const auto signal = [&] {
    const std::string job = text_of(slurm_files(full, options_of(folder / "jobs")), "2-full.sh");
    const std::string before = "#SBATCH --signal=B:USR1@";
    return std::stod(job.substr(job.find(before) + before.size()));
  };
  const double planned = signal();
  std::filesystem::create_directories(folder / "jobs" / "run");
  const Path log = folder / "jobs" / "run" / "run.jsonl";
  test::write_text(log, "{\"event\": \"start\"}\n");
  CHECK(signal() == planned);
  test::write_text(log,
                   R"({"event": "checkpoint", "bytes": 1000, "write_seconds": 0.1}
{"event": "checkpoint", "bytes": 1000, "write_seconds": 0.2}
{"event": "checkpoint", "bytes": 0, "write_seconds": 9}
{"event": "other", "bytes": 1, "write_seconds": 9}
{"event": "checkpoint", "bytes": 1000, "write_sec)");
  CHECK(signal() == Approx(60 + 2 * bytes * 0.2 / 1000).margin(2));
  CHECK(signal() > planned + 10);
  CHECK(contains(write_slurm(full, options_of(folder / "jobs")),
                 "two saves as slow as the slowest in the run's log"));
}

TEST_CASE("jobs of several processes request nodes and tasks, and train with the plan's sharding") {
  const std::vector<std::string> two_nodes = {"batch={sequences: 16, micro: 1}",
                                              "machine={flops: 1G, devices: 8, nodes: 2}"};
  const auto job_of = [&](const Processes& processes, double slice = 0) {
    const auto files = slurm_files(full_plan(two_nodes, processes), options_of("jobs", slice));
    return text_of(files, slice > 0 ? "slice.sh" : "1-shallow.sh");
  };
  const std::string job = job_of({16, Sharding::full});
  CHECK(contains(job, "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=8\n"));
  CHECK(contains(job, "jobs/run' --sharding full --stage 'shallow' &\n"));
  CHECK_FALSE(contains(job, "--ntasks="));
  CHECK(contains(job_of({12}),
                 "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=8\n"
                 "#SBATCH --ntasks=12\n"));
  CHECK(contains(job_of({4}), "#SBATCH --nodes=1\n#SBATCH --ntasks-per-node=4\n"));
  const std::string slice = job_of({16, Sharding::optimizer}, 3600);
  CHECK(contains(slice, "#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=8\n"));
  CHECK(contains(slice, "jobs/run' --sharding optimizer &\n"));
  const std::string alone = job_of({1, Sharding::full});
  CHECK_FALSE(contains(alone, "--nodes"));
  CHECK_FALSE(contains(alone, "--sharding"));
  // 16 devices need a sixteenth of the time of one.
  const auto minutes = [](const std::string& script) {
    const std::size_t at = script.find("--time=") + 7;
    return 60 * std::stod(script.substr(at)) + std::stod(script.substr(script.find(':', at) + 1));
  };
  CHECK(minutes(job) < minutes(alone) / 5);
}
