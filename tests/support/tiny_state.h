// A training state that is small, full of distinct values, and the same every time.
#pragma once

#include <cstdint>
#include <string>

#include "state/training_state.h"

namespace stagedtrain::test {

// gpt2, 2 layers x 8, 2 heads of 4, ffn 32, context 16, vocab 32: 36 tensors x 3 kinds.
arch::ModelConfig tiny_model(std::int64_t layers = 2, std::int64_t width = 8);

// fresh(model, seed) with random moments (second moments positive), and with every other member
// set to something that is not its default.
state::TrainingState tiny_state(std::uint64_t seed = 1, state::DType dtype = state::DType::f32,
                                const arch::ModelConfig& model = tiny_model());

state::TrainingState clone(const state::TrainingState& state);

// "" if the states are the same to the last bit, otherwise what differs first.
std::string difference(const state::TrainingState& a, const state::TrainingState& b);

}  // namespace stagedtrain::test
