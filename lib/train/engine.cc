// Implements the functions that the executable calls in the LibTorch module, and turns LibTorch's
// exceptions into Errors.
#include "engine/engine.h"

#include <c10/util/Exception.h>

#include <new>

#include "replicas/rank_of_process.h"
#include "scoring/answers.h"
#include "scoring/losses.h"
#include "scoring/measure.h"
#include "train/run.h"

namespace stagedtrain::train {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// LibTorch reports "out of memory" on a GPU and "can't allocate memory" on a CPU.
Error translated(const std::string& what) {
  const bool memory = what.find("out of memory") != std::string::npos ||
                      what.find("can't allocate memory") != std::string::npos;
  if (memory)
    return resource_error("not enough memory: {}", first_line(what))
        .with_hint("lower batch.micro, or use a smaller model");
  return Error(ErrorKind::bug, "LibTorch: " + first_line(what),
               "please report it with the command line");
}

template <class F>
auto translating(F f) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw translated(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw resource_error("out of memory").with_hint("lower batch.micro, or use a smaller model");
  }
}

// Is a function of the interface with its exceptions translated.
template <auto function>
struct Guarded;
template <class Result, class... Arguments, Result (*function)(Arguments...)>
struct Guarded<function> {
  static Result call(Arguments... arguments) {
    return translating([&] { return function(arguments...); });
  }
};
template <auto function>
constexpr auto guarded = Guarded<function>::call;

// The order is that of Engine and RanksInterface.
constexpr Engine kEngine{interface_stamp(),        guarded<run>,
                         guarded<evaluate_file>,   guarded<sample_from_file>,
                         guarded<score_task_file>, guarded<verify_files>,
                         guarded<measure>};
constexpr RanksInterface kRanks{guarded<join_ranks>, guarded<on_first_rank>, ending_of};

}  // namespace
}  // namespace stagedtrain::train

extern "C" const stagedtrain::train::Engine* stagedtrain_engine() {
  return &stagedtrain::train::kEngine;
}

extern "C" const stagedtrain::train::RanksInterface* stagedtrain_ranks() {
  return &stagedtrain::train::kRanks;
}
