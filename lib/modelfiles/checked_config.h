// How are a model's sizes from a foreign file checked? By the same rules as those of a schedule.
#pragma once

#include <string>
#include <utility>

#include "arch/model_config.h"
#include "base/error.h"

namespace stagedtrain::hub {

// Returns arch::resolved(model). Inconsistent sizes are a fault of the file, so they throw
// Error(input).
inline arch::ModelConfig checked(arch::ModelConfig model, const std::string& where) {
  try {
    return arch::resolved(std::move(model));
  } catch (const Error& error) {
    throw input_error("{}: {}", where, error.what());
  }
}

}  // namespace stagedtrain::hub
