// Prints the progress line, and computes the speeds and times in it.
#include "record/progress_line.h"

#include <algorithm>
#include <cmath>

#include "text/text.h"

namespace stagedtrain::train {
namespace {

constexpr double kTerminalInterval = 0.1;  // seconds

// "40 s", "4 min", "3 h 20 min" or "2 d 5 h", which is as precise as a forecast can be.
std::string rough_time(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  if (seconds < 1) return "under 1 s";
  if (seconds < 59.5) return fmt::format("{:.0f} s", seconds);
  const auto minutes = std::llround(seconds / 60);
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 24 * 60) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
  const auto hours = std::llround(seconds / 3600);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

std::string time_left(const plan::RunPlan& plan, const state::Progress& p,
                      double flops_per_second) {
  return fmt::format("{} left in stage, {} in run",
                     rough_time(stage_seconds_left(plan, p, flops_per_second)),
                     rough_time(run_seconds_left(plan, p, flops_per_second)));
}

}  // namespace

Speed speed_between(const state::Progress& from, const state::Progress& to) {
  const double seconds = to.seconds - from.seconds;
  if (seconds <= 0) return {};
  return {static_cast<double>(to.tokens - from.tokens) / seconds,
          (to.flops - from.flops) / seconds};
}

double stage_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                          double flops_per_second) {
  const plan::StagePlan& stage = plan.stages[static_cast<std::size_t>(p.stage_index)];
  const double share = 1 - static_cast<double>(p.stage_step) / static_cast<double>(stage.steps);
  return std::max(0.0, share) * stage.flops / flops_per_second;
}

double run_seconds_left(const plan::RunPlan& plan, const state::Progress& p,
                        double flops_per_second) {
  double seconds = stage_seconds_left(plan, p, flops_per_second);
  for (std::size_t i = static_cast<std::size_t>(p.stage_index) + 1; i < plan.stages.size(); ++i)
    seconds += (plan.stages[i].flops + plan.stages[i].other_flops()) / flops_per_second;
  return seconds;
}

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file) return 0;
  unsigned long long total = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::string progress_text(const plan::RunPlan& plan, const state::Progress& p,
                          const StepNumbers& step, const Speed& speed) {
  const plan::StagePlan& stage = plan.stages[static_cast<std::size_t>(p.stage_index)];
  // The most important numbers come first, since a terminal may cut the line.
  std::string text =
      fmt::format("{} {}/{}  loss {:.3f} (z {:+.1f})", p.stage, grouped(p.stage_step),
                  grouped(stage.steps), step.loss, step.loss_z);
  if (speed.tokens_per_second > 0) text += "  " + time_left(plan, p, speed.flops_per_second);
  text += fmt::format("  norm {:.2f} (z {:+.1f})  lr {:.3g}  {} tok", step.grad_norm,
                      step.grad_norm_z, step.lr, short_count(static_cast<double>(p.tokens)));
  if (speed.tokens_per_second > 0)
    text += fmt::format("  {} tok/s  {}FLOP/s  {}", short_count(speed.tokens_per_second),
                        short_count(speed.flops_per_second),
                        short_bytes(static_cast<double>(resident_bytes())));
  return text;
}

ProgressLine::ProgressLine(const plan::RunPlan& plan, double interval, bool quiet)
    : plan_(plan), interval_(interval), terminal_(stderr_is_terminal()), quiet_(quiet) {
  if (terminal_) interval_ = kTerminalInterval;
}

// Returns the speed over the steps since the last mark within the stage. A growth changes the speed
// at once, so a new stage starts a new mark.
Speed ProgressLine::speed_since_mark(const state::Progress& p) {
  const double seconds = p.seconds - mark_.seconds;
  if (!marked_ || p.stage != mark_.stage) {
    speed_ = {};
    mark_ = p;
    marked_ = true;
  } else if (seconds > 0) {
    speed_ = speed_between(mark_, p);
    if (seconds > 2) mark_ = p;
  }
  return speed_;
}

void ProgressLine::step(const state::Progress& progress, const StepNumbers& numbers) {
  if (quiet_) return;
  const auto now = Clock::now();
  const bool first = !marked_ || progress.stage != mark_.stage;
  if (first) speed_since_mark(progress);
  if (std::chrono::duration<double>(now - shown_).count() < interval_) return;
  shown_ = now;
  const std::string text = progress_text(plan_, progress, numbers, speed_since_mark(progress));
  if (!terminal_) return print_to_stderr(text + "\n");
  line_.show(text);
}

void ProgressLine::print(const std::string& text) {
  if (quiet_) return;
  line_.clear();
  print_to_stderr(text + "\n");
}

}  // namespace stagedtrain::train
