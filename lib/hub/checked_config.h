// A model's sizes as a foreign file gives them, checked as those of a schedule are.
#pragma once

#include <string>
#include <utility>

#include "arch/model_config.h"
#include "base/error.h"

namespace stagedtrain::hub {

// arch::resolved(model). Sizes that do not fit together are a fault of the file: Error(input).
inline arch::ModelConfig checked(arch::ModelConfig model, const std::string& where) {
  try {
    return arch::resolved(std::move(model));
  } catch (const Error& error) {
    throw input_error("{}: {}", where, error.what());
  }
}

}  // namespace stagedtrain::hub
