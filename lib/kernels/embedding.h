// Computes token and position embeddings, and the gradients of their tables without write
// conflicts.
#pragma once

#include <cstdint>

#include "kernels/token_view.h"

namespace stagedtrain::kernels {

// Computes x[r] = token_table[tokens[r]] + position_table[r % length] for rows [begin, end). x has
// the shape [rows, width]; the tables have [vocab, width] and [context, width]. position_table may
// be null.
void embed(const TokenView& tokens, const float* token_table, const float* position_table,
           std::int64_t begin, std::int64_t end, std::int64_t width, float* x);

// Adds dx[r, c] to dtoken_table[tokens[r], c] for all rows [0, rows) in order and for columns
// [begin, end). Threads divide the columns between them, so they never write to the same element
// and the result does not depend on the split. Splitting does not always pay. On two cores, one
// call for all columns was 1.4 to 5 times faster below about 512 columns with a vocabulary of 256;
// from there on two calls were faster. If the table starts on a cache line, splits at multiples of
// 16 columns keep threads off each other's lines.
void token_embedding_backward(const TokenView& tokens, const float* dx, std::int64_t rows,
                              std::int64_t width, std::int64_t begin, std::int64_t end,
                              float* dtoken_table);

// Adds the sum of dx[b * length + t] over sequences b = 0, 1, ... to dposition_table[t], for
// positions [begin, end). dx has the shape [sequences * length, width]. The result does not depend
// on the split.
void position_embedding_backward(const float* dx, std::int64_t sequences, std::int64_t length,
                                 std::int64_t width, std::int64_t begin, std::int64_t end,
                                 float* dposition_table);

}  // namespace stagedtrain::kernels
