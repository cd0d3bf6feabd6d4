// Declares the options of commands that several processes can share.
#include "cmd/launch_options.h"

#include "cmd/count_option.h"

namespace stagedtrain::cmd {

void add_launch_options(CLI::App& command, const std::string& verb, LaunchOptions& options) {
  command
      .add_option("--processes", options.processes,
                  verb + " with this many processes on this machine, or with one for each GPU")
      ->type_name("N|gpus");
  command
      .add_option("--join-timeout", options.join_timeout,
                  "seconds that the processes of a run wait for each other at the start (default: "
                  "60)")
      ->type_name("SECONDS")
      ->check(number_within(0.1, 86400));
  command
      .add_option(
          "--lost-after", options.lost_after,
          "seconds without a sign of life after which a process counts as lost (default: 30)")
      ->type_name("SECONDS")
      ->check(number_within(1, 86400));
}

}  // namespace stagedtrain::cmd
