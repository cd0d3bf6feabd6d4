// Calls a function from within a backward pass, where it comes to a certain place.
#pragma once

#include "reference/block_again.h"

namespace stagedtrain::model {

// Returns the stream unchanged. When the backward pass has computed the gradients of the returned
// stream, and everything that follows it has computed its own, calls `then`, and goes on below. If
// nothing of the stream needs a gradient, `then` is not called.
Stream call_in_backward(const Stream& in, std::function<void()> then);

}  // namespace stagedtrain::model
