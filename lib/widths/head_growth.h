// How do the heads of attention grow? More query heads, more heads of keys and values, or larger
// heads.
#pragma once

#include "grow/axis_growth.h"

namespace stagedtrain::grow {

// Sets the axes query, key, value and heads of `growth` for the growth from one model's heads to
// the other's. A group is a head of keys and values with the query heads that read it.
// - More heads: if `copied`, new groups and new queries of a group are copies of the old ones that
//   `choose` returns; otherwise they are rest, which is random and which the attention output reads
//   with zeros.
// - Only more kv_heads: each group is copied for a part of the queries that read it.
// - Larger heads: new entries of queries are zero, those of keys and values random. Queries are
//   multiplied by sqrt(new / old head_dim), because scores are divided by sqrt(head_dim).
// - `turned` (RoPE): head_dim grows by a whole factor k, and old pair i becomes pair k i, which has
//   the same frequency.
// - Norms of queries or keys: the rows before them are multiplied by the root of growth.norm_share,
//   because these norms share norm_eps with the norms of the residual stream. Set norm_share first.
// Throws Error(usage) if the sizes do not fit together; the message or its hint names some that do.
void grow_heads(AxisGrowth& growth, const arch::ModelConfig& from, const arch::ModelConfig& to,
                bool copied, bool turned, const UnitChoice& choose = in_turn);
// Returns whether kv_heads alone grows. Such a growth keeps the loss, but the gradient of a key is
// split unevenly between its copies, because each copy is read by other queries.
bool splits_groups(const arch::ModelConfig& from, const arch::ModelConfig& to);

}  // namespace stagedtrain::grow
