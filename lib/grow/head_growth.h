// Growing attention: more query heads, more key-value heads, larger heads.
#pragma once

#include "grow/axis_growth.h"

namespace stagedtrain::grow {

// Grows the axes query, key, value and heads of `growth` from one model's heads to the other's.
// With `copied` new heads are copies, each with the group that it reads, of those that `choose`
// says; otherwise they are rest: random inside, and not read. Where only kv_heads grows, each group
// is copied for the queries that read it. Larger heads: new entries of queries are zero, those of
// keys and values random; queries are scaled so that the softmax sees what it saw. turned:
// positions are turned into queries and keys (RoPE), so head_dim grows by whole factors, each old
// frequency kept. Where queries and keys are normalised, growth.norm_share is set before: their
// rows carry its root, since norm_eps is the same for all norms. Throws Error(usage) with what
// would be possible.
void grow_heads(AxisGrowth& growth, const arch::ModelConfig& from, const arch::ModelConfig& to,
                bool copied, bool turned, const UnitChoice& choose = in_turn);
// True if kv_heads alone grows: the loss is kept, but a key's gradient is shared out unevenly.
bool splits_groups(const arch::ModelConfig& from, const arch::ModelConfig& to);

}  // namespace stagedtrain::grow
