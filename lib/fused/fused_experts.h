// Declares the feed-forwards of a block that has experts, as phases of the fused passes.
#pragma once

#include "fused/fused_passes.h"

namespace stagedtrain::model {

// Forward, in this order. route: within a phase over rows, chooses the experts of these rows from
// the output of norm_2. run_experts: a phase over the sorted copies, which writes acts.mixture. If
// up_only is set, it writes no more than layer.up, for the backward pass. mix: within a phase over
// rows, writes the output of the feed-forward.
void route(const FusedRun& run, std::int64_t i, const Weight& router, const RowWork& rows);
void run_experts(const FusedRun& run, std::int64_t i, bool up_only);
void mix(const FusedRun& run, std::int64_t i, const RowWork& rows, float* to);

// Backpropagates from acts.dbranch through the experts and the router of block i, to the gradient
// of norm_2's output, in acts.branch. loss_scale scales the balancing loss.
void experts_backward(const FusedRun& run, const FusedLayer& grads, float loss_scale,
                      std::int64_t i);

}  // namespace stagedtrain::model
